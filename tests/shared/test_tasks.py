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


async def test_a_service_that_is_told_to_stop_ends_its_tasks() -> None:
    """And is no failure."""
    stop = asyncio.Event()

    async def follow() -> None:
        await asyncio.Event().wait()

    following = asyncio.create_task(follow())
    asyncio.get_running_loop().call_soon(stop.set)
    async with asyncio.timeout(5):
        await serve([following], stop)
    assert following.cancelled()


async def test_one_that_fails_ends_also_a_task_that_forgets_its_cancellation() -> None:
    """As `asyncio.wait_for` does before Python 3.12: the group, which cancels once, would wait for it for ever."""
    forgotten: list[str] = []

    async def forgets() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if forgotten:
                    raise
                forgotten.append("once")

    async def fails() -> None:
        raise ValueError

    async def service() -> None:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(forgets()), tasks.create_task(fails())]
            await serve(running, asyncio.Event())

    serving = asyncio.create_task(service())
    _, waiting = await asyncio.wait({serving}, timeout=5)
    for each in waiting:
        each.cancel()
    with pytest.raises(ExceptionGroup):
        await serving
    assert not waiting
    assert forgotten == ["once"]
