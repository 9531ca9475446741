"""A provider's token endpoint on loopback, and whom a mailbox asks whether a token is good (RFC 6749, RFC 7662)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from deploy.embedded.ports import free_ports

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "a-client", "a-secret-of-the-client", "a-refresh-token"


@dataclass
class TokenEndpoint:
    """`good`: tokens that open `user`'s mailbox; `refusals`: the next answers; `asked`: each request for a token."""

    url: str
    user: str
    lasts_seconds: int = 3_600
    good: set[str] = field(default_factory=set)
    refusals: list[tuple[int, bytes]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def secrets(self, **other: str) -> dict[str, str]:
        """What an account needs for it."""
        return {
            "user": self.user,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
            **other,
        }

    def token(self, asked: dict[str, str]) -> tuple[int, bytes]:
        """Answer a request for a token."""
        self.asked.append(asked)
        if self.refusals:
            return self.refusals.pop(0)
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 401, b'{"error": "invalid_client"}'
        if (asked.get("grant_type"), asked.get("refresh_token")) != (
            "refresh_token",
            REFRESH_TOKEN,
        ):
            return 400, b'{"error": "invalid_grant", "error_description": "expired or revoked"}'
        token = f"token-{len(self.asked)}"
        self.good.add(token)
        given = {"access_token": token, "token_type": "Bearer", "expires_in": self.lasts_seconds}
        return 200, json.dumps(given).encode()

    def introspected(self, asked: dict[str, str]) -> tuple[int, bytes]:
        """Answer whether a token is good."""
        active = asked.get("token") in self.good
        return 200, json.dumps(
            {"active": active, "username": self.user} if active else {"active": False}
        ).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and hang up."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.partition(":")[2])
                for line in head.split("\r\n")
                if line.lower().startswith("content-length:")
            )
            fields = parse_qs((await reader.readexactly(length)).decode())
            asked = {name: values[0] for name, values in fields.items()}
            path = head.split(" ")[1]
            status, body = (
                self.token(asked) if path.endswith("/token") else self.introspected(asked)
            )
            writer.write(
                f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n"
                f"content-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def token_endpoint(user: str) -> AsyncIterator[TokenEndpoint]:
    """A running endpoint."""
    (port,) = free_ports(1)
    fake = TokenEndpoint(f"http://127.0.0.1:{port}", user)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", port)
    try:
        yield fake
    finally:
        server.close()
