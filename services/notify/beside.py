"""Arms a notification's timer beside the append of it: both are on their way at once, and the timer goes first.

Elsewhere an event waits until its timer is armed. Here the notice waits for both, one round trip less. Where a process
dies in between, the event that called for the notice comes again by its lane, and the timer is armed again.
"""

import asyncio

from shared import arming, timers


class BesideTimers:
    """Sends timers and knows when they are armed. `at`: what arms them."""

    def __init__(self, at: arming.Timers) -> None:
        self._at = at
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def arm(self, timer: timers.Timer) -> None:
        """Send a timer before whatever is sent after this; `armed` tells how that ended."""
        self._under_way[timer.id] = task = asyncio.create_task(self._at.arm(timer))
        task.add_done_callback(_seen)
        await asyncio.sleep(0)

    async def armed(self, asked: str) -> None:
        """Wait until what was sent about an id is armed. Raises: as `Timers.arm`; then it is to be armed again."""
        task = self._under_way.pop(asked, None)
        if task is not None:
            await task


def _seen(ended: asyncio.Task[None]) -> None:
    """Nobody may wait for it any more: what it was about could not be written."""
    if not ended.cancelled():
        ended.exception()
