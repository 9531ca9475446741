"""Reading a stream at a sixth of the driver's price: by a connection of its own, and without a task per message.

For whoever reads millions of messages once and has another way when this one ends: plain TCP only, and nobody mends the
connection. The protocol is the one of NATS's documentation, "client protocol" and "JetStream wire API".
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import ParseResult

import msgspec

from shared import errors
from shared.bus.deliveries import ACK_TOKENS_SHORT

if TYPE_CHECKING:
    from shared.bus import Bus

READ_BYTES = 256 * 1024
BATCH_MESSAGES = 500
AHEAD_MESSAGES = 1_500
"""So many are asked for before they are here: the server is never idle, and little waits in memory."""
EXPIRES_SECONDS = 600
SILENCE_SECONDS = 10.0
CONNECT_TIMEOUT_SECONDS = 5.0
ACK = b"$JS.ACK."

Raw = tuple[int, int, bytes, bytes]
"""A message as its stream holds it: sequence, time of storing in nanoseconds since the epoch, subject, body."""


@dataclass(frozen=True, slots=True)
class _Wire:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def line(self) -> bytes:
        return await self.reader.readuntil(b"\r\n")


async def pull_in_bulk(
    bus: "Bus", stream: str, consumer: str, count: int
) -> AsyncGenerator[list[Raw], None]:
    """Yield the next `count` messages of a pull consumer without acknowledgements; whoever iterates sets the pace.

    Raises: BusUnavailable at any trouble, and where the server wants TLS.
    """
    inbox = bus.new_inbox()
    api = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
    asked, came, rest = 0, 0, b""
    async with _connected(bus) as wire:
        wire.writer.write(b"SUB %s 1\r\n" % inbox.encode())
        while came < count:
            while asked < min(count, came + AHEAD_MESSAGES):
                batch = min(BATCH_MESSAGES, count - asked)
                wire.writer.write(_asking(api, inbox, batch))
                asked += batch
            messages = list[Raw]()
            rest += await _some(wire)
            rest = rest[_read(rest, messages, wire) :]
            came += len(messages)
            if messages:
                yield messages


def _asking(api: str, inbox: str, batch: int) -> bytes:
    body = msgspec.json.encode({"batch": batch, "expires": EXPIRES_SECONDS * 1_000_000_000})
    return b"PUB %s %s %d\r\n%s\r\n" % (api.encode(), inbox.encode(), len(body), body)


async def _some(wire: _Wire) -> bytes:
    with _translated():
        async with asyncio.timeout(SILENCE_SECONDS):
            some = await wire.reader.read(READ_BYTES)
    if not some:
        raise errors.BusUnavailable(reason="closed")
    return some


def _read(data: bytes, messages: list[Raw], wire: _Wire) -> int:
    """Take all whole messages out of `data` and return where the rest begins."""
    find, begin = data.find, 0
    while (end := find(b"\r\n", begin)) >= 0:
        words = data[begin:end].split(b" ")
        if words[0] not in {b"HMSG", b"MSG"}:
            _heed(words, wire)
            begin = end + 2
            continue
        head_bytes = int(words[-2]) if words[0] == b"HMSG" else 0
        body, after = end + 2 + head_bytes, end + 2 + int(words[-1])
        if after + 2 > len(data):
            break
        if not words[3].startswith(ACK):
            raise errors.BusUnavailable(status=data[end + 2 : body].decode(errors="replace")[:64])
        tokens = words[3].split(b".")
        first = 5 if len(tokens) == ACK_TOKENS_SHORT else 7
        messages.append((int(tokens[first]), int(tokens[first + 2]), words[1], data[body:after]))
        begin = after + 2
    return begin


def _heed(words: list[bytes], wire: _Wire) -> None:
    if words[0] == b"PING":
        wire.writer.write(b"PONG\r\n")
    elif words[0] == b"-ERR":
        raise errors.BusUnavailable(reason=b" ".join(words[1:]).decode(errors="replace"))


@contextlib.asynccontextmanager
async def _connected(bus: "Bus") -> AsyncIterator[_Wire]:
    """Give a connection to the server of the bus, as the same user."""
    url = bus.connected_url
    if url is None or url.hostname is None or url.port is None:
        raise errors.BusUnavailable
    with _translated():
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            wire = _Wire(*await asyncio.open_connection(url.hostname, url.port, limit=READ_BYTES))
    try:
        with _translated():
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                said = msgspec.json.decode((await wire.line()).removeprefix(b"INFO "))
        if said.get("tls_required"):
            raise errors.BusUnavailable(reason="tls")
        wire.writer.write(b"CONNECT %s\r\n" % msgspec.json.encode(_introduction(url)))
        yield wire
    finally:
        wire.writer.close()


def _introduction(url: ParseResult) -> dict[str, Any]:
    """Return what the driver would say of itself with this address."""
    hello = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True}
    told: dict[str, Any] = {**hello, "lang": "python", "version": "0", "name": "tellonce-bulk"}
    if url.username and url.password is not None:
        return {**told, "user": url.username, "pass": url.password}
    return {**told, "auth_token": url.username} if url.username else told


@contextlib.contextmanager
def _translated() -> Any:
    try:
        yield
    except (OSError, TimeoutError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise errors.BusUnavailable(reason=type(error).__name__) from error
