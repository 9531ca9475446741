"""Reading a stream at a sixth of the driver's price: by a connection of its own, and without a task per message.

For whoever reads millions of messages once and has another way when this one ends: nobody mends the connection.
The protocol is the one of NATS's documentation, "client protocol" and "JetStream wire API".
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec

from shared import errors
from shared.bus.deliveries import ACK_TOKENS_SHORT
from shared.bus_address import Endpoint, Line, opened

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


async def pull_in_bulk(
    bus: "Bus", stream: str, consumer: str, count: int
) -> AsyncGenerator[list[Raw], None]:
    """Yield the next `count` messages of a pull consumer without acknowledgements; whoever iterates sets the pace.

    Raises: BusUnavailable at any trouble.
    """
    api = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
    asked, came, rest = 0, 0, b""
    async with _connected(bus) as line:
        inbox = line.new_inbox()
        line.writer.write(b"SUB %s 1\r\n" % inbox.encode())
        while came < count:
            while asked < min(count, came + AHEAD_MESSAGES):
                batch = min(BATCH_MESSAGES, count - asked)
                line.writer.write(_asking(api, inbox, batch))
                asked += batch
            messages = list[Raw]()
            rest += await _some(line)
            rest = rest[_read(rest, messages, line) :]
            came += len(messages)
            if messages:
                yield messages


def _asking(api: str, inbox: str, batch: int) -> bytes:
    body = msgspec.json.encode({"batch": batch, "expires": EXPIRES_SECONDS * 1_000_000_000})
    return b"PUB %s %s %d\r\n%s\r\n" % (api.encode(), inbox.encode(), len(body), body)


async def _some(line: Line) -> bytes:
    with _translated():
        async with asyncio.timeout(SILENCE_SECONDS):
            some = await line.reader.read(READ_BYTES)
    if not some:
        raise errors.BusUnavailable(reason="closed")
    return some


def _read(data: bytes, messages: list[Raw], line: Line) -> int:
    """Take all whole messages out of `data` and return where the rest begins."""
    find, begin = data.find, 0
    while (end := find(b"\r\n", begin)) >= 0:
        words = data[begin:end].split(b" ")
        if words[0] not in {b"HMSG", b"MSG"}:
            _heed(words, line)
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


def _heed(words: list[bytes], line: Line) -> None:
    if words[0] == b"PING":
        line.writer.write(b"PONG\r\n")
    elif words[0] == b"-ERR":
        raise errors.BusUnavailable(reason=b" ".join(words[1:]).decode(errors="replace"))


@contextlib.asynccontextmanager
async def _connected(bus: "Bus") -> AsyncIterator[Line]:
    """Give a connection to the server of the bus, as the same user."""
    url = bus.connected_url
    if url is None or url.hostname is None or url.port is None:
        raise errors.BusUnavailable
    endpoint = Endpoint(host=url.hostname, port=url.port, user=url.username, password=url.password)
    with _translated():
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            line = await opened(endpoint, bus.standing.address, "tellonce-bulk")
    try:
        yield line
    finally:
        line.writer.close()


@contextlib.contextmanager
def _translated() -> Any:
    try:
        yield
    except (OSError, TimeoutError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise errors.BusUnavailable(reason=type(error).__name__) from error
