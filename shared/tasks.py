"""Ending tasks for sure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

CANCEL_TRIES = 50
CANCEL_SECONDS = 0.1


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
