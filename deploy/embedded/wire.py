"""The part of the NATS client protocol that a supervisor and a command line need: a request and its reply.

No driver is imported: the stack can be watched and asked without the services' libraries. Plain TCP only.
"""

import asyncio
import json
import secrets
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from deploy.embedded.errors import AddressInvalid

DEFAULT_NATS_PORT = 4222
MAX_LINE_BYTES = 64 * 1024
MAX_REPLY_BYTES = 8 * 1024 * 1024
NOT_NATS = "the address of the NATS server is not of the form nats://host:port"


class NotReached(Exception):
    """The server, or whoever should answer, gave no reply: refused, closed, timed out or nobody listening."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a NATS server is and as whom to speak to it."""

    host: str
    port: int
    user: str | None
    password: str | None


def parse_url(url: str) -> Endpoint:
    """The endpoint in `nats://[user:password@]host[:port]`; of a comma-separated list, the first.

    Raises: AddressInvalid for another scheme, a missing host or a port that is none.
    """
    try:
        parts = urlsplit(url.split(",", maxsplit=1)[0].strip())
        host, port = parts.hostname, parts.port or DEFAULT_NATS_PORT
    except ValueError as error:
        raise AddressInvalid(NOT_NATS) from error
    if parts.scheme != "nats" or not host:
        raise AddressInvalid(NOT_NATS)
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Endpoint(host=host, port=port, user=user, password=password)


async def greeting(url: str, *, timeout_seconds: float) -> dict[str, object]:
    """What the server there says of itself: `server_name`, and `server_id` of this run of it. Raises: NotReached."""
    endpoint = parse_url(url)
    try:
        async with asyncio.timeout(timeout_seconds):
            _, writer, said = await _connect(endpoint)
            writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        raise NotReached(f"{endpoint.host}: {type(error).__name__}") from error
    return said


async def request(url: str, subject: str, payload: bytes = b"", *, timeout_seconds: float) -> bytes:
    """The first reply to one request.

    Raises: NotReached after `timeout_seconds`, without a server, or when nobody listens on the subject.
    """
    endpoint = parse_url(url)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _exchange(endpoint, subject, payload)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        raise NotReached(f"{subject}: {type(error).__name__}") from error


async def _exchange(endpoint: Endpoint, subject: str, payload: bytes) -> bytes:
    reader, writer, _ = await _connect(endpoint)
    try:
        _introduce(writer, endpoint)
        inbox = f"_INBOX.{secrets.token_hex(12)}"
        head = f"SUB {inbox} 1\r\nUNSUB 1 1\r\nPUB {subject} {inbox} {len(payload)}\r\n"
        writer.write(head.encode() + payload + b"\r\n")
        await writer.drain()
        return await _read_reply(reader, writer)
    finally:
        writer.close()


async def _connect(
    endpoint: Endpoint,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, dict[str, object]]:
    reader, writer = await asyncio.open_connection(
        endpoint.host, endpoint.port, limit=MAX_LINE_BYTES
    )
    try:
        said = json.loads((await reader.readuntil(b"\r\n")).removeprefix(b"INFO "))
    except BaseException:
        writer.close()
        raise
    return reader, writer, said


def _introduce(writer: asyncio.StreamWriter, endpoint: Endpoint) -> None:
    hello = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True}
    options: dict[str, object] = {
        **hello,
        "lang": "python",
        "version": "0",
        "name": "tellonce-wire",
    }
    if endpoint.user is not None:
        options |= {"user": endpoint.user, "pass": endpoint.password or ""}
    writer.write(b"CONNECT " + json.dumps(options).encode() + b"\r\n")


async def _read_reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    while True:
        line = (await reader.readuntil(b"\r\n")).decode().split()
        match line[0] if line else "":
            case "PING":
                writer.write(b"PONG\r\n")
            case "MSG":
                return await _read_body(reader, int(line[-1]))
            case "HMSG":
                header_bytes, total_bytes = int(line[-2]), int(line[-1])
                body = await _read_body(reader, total_bytes)
                if body.startswith(b"NATS/1.0 503"):
                    raise NotReached("nobody listens on the subject")
                return body[header_bytes:]
            case "-ERR":
                raise NotReached(" ".join(line[1:]))
            case _:
                continue


async def _read_body(reader: asyncio.StreamReader, size_bytes: int) -> bytes:
    if size_bytes > MAX_REPLY_BYTES:
        raise NotReached("the reply is too large")
    body = await reader.readexactly(size_bytes + 2)
    return body[:-2]
