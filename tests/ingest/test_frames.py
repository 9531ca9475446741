"""A chat socket's frames that never become messages: answered while they are few, closed on when they are many."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from services.ingest.handlers import frames
from tests.ingest.chat_visitor import address, heard, hello
from tests.ingest.running_ingest import RunningIngest
from tests.ingest.test_crowds import Connection, connected
from tests.ingest.test_requests import upgrade_of

BURST = 4 * frames.FRAMES_BESIDE_PER_MINUTE
"""More than a socket may send at once, and than it earns meanwhile on a machine however slow."""


def sent(opcode: Opcode, content: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame as a browser sends it."""
    return Frame(opcode, content, fin).serialize(mask=True)


@asynccontextmanager
async def opened(ingest: RunningIngest) -> AsyncIterator[Connection]:
    """A socket by hand: a client library would bound what it sends."""
    target = ingest.door("chat").removeprefix(ingest.url) + "/socket"
    async with connected(ingest, 1, upgrade_of(target)) as [(reader, writer)]:
        async with asyncio.timeout(10):
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
        yield reader, writer


@pytest.mark.parametrize(
    "flood",
    [
        sent(Opcode.PING) * BURST,
        sent(Opcode.PONG) * BURST,
        sent(Opcode.TEXT, b"{}") * BURST,
        sent(Opcode.TEXT, fin=False) + sent(Opcode.CONT, fin=False) * (frames.PIECES_MAX + 1),
        sent(Opcode.TEXT, fin=False)
        + (sent(Opcode.CONT, fin=False) + sent(Opcode.PING)) * (frames.PIECES_MAX + 1),
    ],
    ids=["pings", "pongs", "texts", "pieces", "pings between pieces"],
)
async def test_a_flood_of_frames_is_closed_on(ingest: RunningIngest, flood: bytes) -> None:
    """Whatever they are: the code stands in the close frame, and nothing behind it is answered."""
    async with opened(ingest) as (reader, writer):
        writer.write(flood)
        async with asyncio.timeout(10):
            answer = await reader.read()
    _, closed, reason = answer.partition(b"\x88")
    assert closed
    assert reason[1:] == b"\x03\xf0door.frames_too_many"
    assert answer.count(b"\x8a") < BURST


async def test_frames_beside_messages_are_taken_while_they_are_few(ingest: RunningIngest) -> None:
    """A page that pings, answers unasked, and sends a message in many pieces is no flood."""
    async with connect(address(ingest)) as socket:
        await hello(socket)
        for number in range(5):
            await asyncio.wait_for(await socket.ping(), 10)
            await socket.pong()
            text = f'{{"type":"message","id":"m-{number}","text":"x"}}'
            await socket.send([*text[:20], text[20:]])
            assert await heard(socket) == {"type": "ack", "id": f"m-{number}"}
