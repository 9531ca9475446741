"""The room for bodies: small ones keep their share, and a slow one makes way."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from services.ingest.handlers.arrivals import Arrivals
from services.ingest.handlers.room import Room, Share
from shared.errors import BodiesTooMany


def room() -> Room:
    """Room for 100 bytes; bodies of more than 10 are large and share 60."""
    return Room(most_bytes=100, most_bytes_of_large=60, small_bytes=10)


async def test_large_bodies_leave_room_for_small_ones() -> None:
    """Together they take their part and no more, however they grow; small ones take what is left, and no more."""
    held = room()
    with ExitStack() as stack:
        first, second = (stack.enter_context(held.share()) for _ in range(2))
        first.grow(40)
        for _ in range(4):
            second.grow(5)
        with pytest.raises(BodiesTooMany):
            second.grow(1)
        assert (second.size_bytes, held.held_bytes) == (20, 60)
        for _ in range(4):
            stack.enter_context(held.share()).grow(10)
        with pytest.raises(BodiesTooMany):
            stack.enter_context(held.share()).grow(1)
        assert held.held_bytes == 100


async def test_a_small_body_that_becomes_large_counts_whole() -> None:
    """Nobody creeps in below the size of a large one."""
    held = room()
    with held.share() as first, held.share() as second:
        first.grow(55)
        second.grow(5)
        with pytest.raises(BodiesTooMany):
            second.grow(6)


async def test_who_is_done_gives_the_room_back() -> None:
    """Also who was refused."""
    held = room()
    for _ in range(3):
        with held.share() as share:
            share.grow(60)
            with pytest.raises(BodiesTooMany):
                share.grow(1)
    assert held.held_bytes == 0
    with held.share() as share:
        share.grow(60)


@contextmanager
def arriving(held: Room, size_bytes: int, patience: asyncio.Timeout) -> Iterator[Share]:
    """A body on its way, of which so much has come."""
    arrivals = Arrivals(most=9, most_of_a_peer=9)
    with held.share() as share, arrivals.one("192.0.2.1", patience) as share.arrival:
        share.grow(size_bytes)
        yield share


@pytest.mark.parametrize("spared", [True, False])
async def test_who_waits_longest_makes_room_for_whoever_comes_again(
    monkeypatch: pytest.MonkeyPatch, spared: bool
) -> None:
    """The one that asks for more is refused; the slowest large one is shown out, unless it came a moment ago."""
    monkeypatch.setattr("services.ingest.handlers.room.SPARED_SECONDS", 60.0 if spared else 0.0)
    held, ended = room(), []
    came = asyncio.Event()

    async def slow(name: str, size_bytes: int) -> None:
        try:
            async with asyncio.timeout(None) as patience:
                with arriving(held, size_bytes, patience):
                    came.set()
                    await asyncio.Event().wait()
        except TimeoutError:
            ended.append(name)

    tasks = []
    for name, size_bytes in (("small", 10), ("oldest", 30), ("other", 30)):
        tasks.append(asyncio.create_task(slow(name, size_bytes)))
        await came.wait()
        came.clear()
    with pytest.raises(BodiesTooMany), held.share() as share:
        share.grow(20)
    if not spared:
        await asyncio.wait_for(tasks[1], 5)
    await asyncio.sleep(0)
    assert ended == ([] if spared else ["oldest"])
    with ExitStack() as stack:
        if not spared:
            stack.enter_context(held.share()).grow(20)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
