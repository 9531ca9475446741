"""A website's form and its door, by requests as they stand on the wire: a client library's work would count as ours."""

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from services.ingest.domain import webhook_signature
from shared import policy, secret_values, settings

ACCOUNT = "form/contact"
HEAD_END = b"\r\n\r\n"


class Form:
    """Signs what a site sends, with the account's key of the policy."""

    def __init__(self) -> None:
        chosen = settings.load({})
        rules = policy.load(chosen.policy)
        named = rules.accounts[ACCOUNT].secrets["signing"]
        self._secret = secret_values.load_secrets(chosen, {})[named]
        self._path = f"/in/{rules.tenant}/{ACCOUNT}"

    def request(self, webhook_id: str, body: bytes) -> bytes:
        """Return a signed POST."""
        now = int(time.time())
        signature = webhook_signature.sign(self._secret, webhook_id, now, body)
        fields: Mapping[str, str] = {
            "host": "door",
            "content-type": "application/json",
            "content-length": str(len(body)),
            "webhook-id": webhook_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST {self._path} HTTP/1.1\r\n{head}\r\n".encode() + body


class Door:
    """One connection to a door: `await Door.open(address)`, then `post` one request after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: str) -> "Door":
        place = urlsplit(address)
        return cls(*await asyncio.open_connection(place.hostname, place.port))

    async def post(self, request: bytes) -> None:
        """Send a request and read its answer. Raises: AssertionError for a refusal."""
        self._writer.write(request)
        head = await self._reader.readuntil(HEAD_END)
        assert head.startswith(b"HTTP/1.1 204"), head

    def close(self) -> None:
        self._writer.close()
