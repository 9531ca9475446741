"""Several at once; ending tasks for sure, and noticing one that ended by itself."""

import asyncio
import contextlib
from collections.abc import Collection, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

CANCEL_TRIES = 50
CANCEL_SECONDS = 0.1


async def together(wanted: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return what each gives, in order, run side by side; one alone needs no task of its own.

    Raises: what the first one that fails raises; the others go on, and nobody waits for them.
    """
    coroutines = list(wanted)
    if len(coroutines) == 1:
        return [await coroutines[0]]
    return list(await asyncio.gather(*coroutines))


async def serve(running: Collection[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Wait until `stop` is set, while tasks of a TaskGroup run that must never end by themselves; then end them.

    A task may also end by a cancellation that nobody asked for, which a TaskGroup passes over in silence. Where one
    fails, the group cancels the others once, which is not enough (see `end`): it would wait for them for ever.
    Raises: RuntimeError when one has ended: the process must end too, so that another takes its place.
    """
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await end(running)
    if not stop.is_set():
        raise RuntimeError("a task that must run until the end has ended")


async def end(running: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended; their outcome is the owner's to look at.

    Once is not enough before Python 3.12: `asyncio.wait_for` forgets a cancellation that comes with its result.
    """
    waiting = set(running)
    for _ in range(CANCEL_TRIES):
        if not waiting:
            return
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=CANCEL_SECONDS)


async def finish(last: Coroutine[Any, Any, None]) -> None:
    """Do what is bounded in time to its end, however often whoever ends us (see `end`) cancels us meanwhile."""
    doing = asyncio.create_task(last)
    while not doing.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({doing})
    doing.result()
