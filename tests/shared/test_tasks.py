"""Tasks that must run until the end: their service notices when one does not."""

import asyncio

import pytest

from shared.tasks import serve


async def test_a_task_that_was_cancelled_by_nobody_ends_the_service() -> None:
    """A cancellation out of the task's own depths is no quiet end: another process must take over."""

    async def follow() -> None:
        raise asyncio.CancelledError

    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError):
            await serve([asyncio.create_task(follow())], asyncio.Event())


async def test_a_service_that_is_told_to_stop_just_stops() -> None:
    """Its tasks still run then: ending them is its own work."""
    stop = asyncio.Event()

    async def follow() -> None:
        await asyncio.Event().wait()

    following = asyncio.create_task(follow())
    asyncio.get_running_loop().call_soon(stop.set)
    async with asyncio.timeout(5):
        await serve([following], stop)
    assert not following.done()
    following.cancel()
