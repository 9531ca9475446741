"""What is read from the wire reaches whoever notes it as the driver would have given it, however it was cut."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some
from nats.aio.client import Client
from nats.errors import ProtocolError
from structlog.testing import capture_logs

from shared.bus.receiving import Receiver

NOTED, OTHER, GONE = 7, 8, 9

texts = some.text(some.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)
names = some.one_of(some.from_regex(r"[A-Za-z-]{1,8}", fullmatch=True), texts)
lines = some.builds("{}{}{}".format, names, some.sampled_from([":", ": ", " "]), texts)
statuses = some.sampled_from(["", " 404 No Messages", " 100 Idle Heartbeat"])
Received = tuple[int, str, bytes, dict[str, str], str]


@some.composite
def sent(draw: some.DrawFn) -> bytes:
    """What a server may send at a time."""
    kind = draw(some.sampled_from(["message", "message", "headers", "headers", "ping", "ok"]))
    if kind == "ping":
        return b"PING\r\n"
    if kind == "ok":
        return b"+OK\r\n"
    body, sid = draw(some.binary(max_size=40)), draw(some.sampled_from([NOTED, OTHER, GONE]))
    reply = draw(some.sampled_from([b"", b"$JS.ACK.S.c.1.2.3.4.5 "]))
    if kind == "message":
        return b"MSG a.b %d %s%d\r\n%s\r\n" % (sid, reply, len(body), body)
    first = f"NATS/1.0{draw(statuses)}"
    block = "\r\n".join([first, *draw(some.lists(lines, max_size=3)), "", ""]).encode()
    sizes = (len(block), len(block) + len(body))
    return b"HMSG a.b %d %s%d %d\r\n%s%s\r\n" % (sid, reply, *sizes, block, body)


class Silent(Client):
    """A client without a connection that keeps what its parser gives it, and whether it was noted."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Received] = []
        self.noted = 0
        self.pings = 0
        self.at_ping: Callable[[], None] = lambda: None

    def note(self, subject: str, body: bytes, headers: dict[str, str], reply: str) -> None:
        """Keep what comes the short way."""
        self.received.append((NOTED, subject, body, headers, reply))
        self.noted += 1

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None
    ) -> None:
        found = await self._process_headers(headers) or {}
        found.pop("Description", None)
        self.received.append((sid, subject.decode(), data, found, reply.decode()))

    async def _process_ping(self) -> None:
        self.pings += 1
        self.at_ping()

    async def read(self, *pieces: bytes) -> None:
        """Take in what the server sends."""
        for piece in pieces:
            await self._ps.parse(piece)

    def take_over(self) -> Receiver:
        """Have messages for NOTED noted from now on."""
        receiver = Receiver.of(self)
        receiver.notes[NOTED] = self.note
        return receiver


@given(some.lists(sent(), max_size=6), some.lists(some.integers(0, 400), max_size=4), some.data())
def test_it_gives_what_the_driver_gives(
    stream: list[bytes], cuts: list[int], data: some.DataObject
) -> None:
    """However the stream is cut, and wherever in it the receiver takes the driver's place."""
    whole = b"".join(stream)
    ends = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(ends)]
    before = data.draw(some.integers(0, len(pieces)))
    theirs, ours = Silent(), Silent()

    async def read() -> None:
        await theirs.read(whole)
        await ours.read(*pieces[:before])
        ours.take_over()
        await ours.read(*pieces[before:])

    asyncio.run(read())
    assert ours.received == theirs.received
    assert ours.pings == theirs.pings
    if before == 0:
        assert ours.noted == sum(sid == NOTED for sid, *_ in theirs.received)


async def test_a_note_that_fails_is_reported_and_keeps_nothing_from_being_read() -> None:
    """It is a fault of ours; the connection is not to end by it."""
    client = Silent()

    def fail(*_: object) -> None:
        raise KeyError("x")

    client.take_over().notes[OTHER] = fail
    with capture_logs() as logs:
        await client.read(b"MSG a.b 8 1\r\nx\r\nMSG a.b 7 1\r\ny\r\n")
    assert [line["event"] for line in logs] == ["message_not_noted"]
    assert [body for _, _, body, _, _ in client.received] == [b"y"]


@pytest.mark.parametrize(
    "line", [b"MSG a.b x 1\r\n", b"MSG a.b\r\n", b"HMSG a.b 7 1\r\n", b"?\r\n"]
)
async def test_what_is_not_the_protocol_is_an_error(line: bytes) -> None:
    """The driver then makes the connection again."""
    client = Silent()
    client.take_over()
    with pytest.raises(ProtocolError):
        await client.read(line)


async def test_of_a_connection_that_ended_nothing_is_left() -> None:
    """What was half read belongs to it, and so does what came behind its end."""
    client = Silent()
    receiver = client.take_over()
    await client.read(b"MSG a.b 7 1000\r\nhalf")
    receiver.reset()
    await client.read(b"MSG a.b 7 1\r\nx\r\n")
    client.at_ping = receiver.reset
    await client.read(b"PING\r\nMSG a.b 7 1\r\nold\r\nMSG a")
    await client.read(b"MSG a.b 7 1\r\ny\r\n")
    assert [body for _, _, body, _, _ in client.received] == [b"x", b"y"]
