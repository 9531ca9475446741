"""Knowing that the server has taken what was sent; whoever wants to know at the same time asks once."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from shared import errors
from shared.bus.deliveries import Message
from shared.bus.inbox import settle, within

if TYPE_CHECKING:
    from shared.bus import Bus

FLUSH_SECONDS = 5.0


class Flush:
    """One message to ourselves is under way at a time. Who comes meanwhile waits for the next one, together."""

    def __init__(self, bus: "Bus") -> None:
        self._bus = bus
        self._one_at_a_time = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None

    async def wait(self, timeout_seconds: float) -> None:
        """See `Bus.flush`."""
        if self._next is None:
            self._next = asyncio.create_task(self._run())
            self._next.add_done_callback(_seen)
        try:
            await asyncio.wait_for(asyncio.shield(self._next), timeout_seconds)
        except TimeoutError as error:
            raise errors.TimedOut from error

    async def _run(self) -> None:
        came: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        async with self._one_at_a_time:
            self._next = None  # it goes out now: whoever comes later may have sent later
            async with self._bus.collecting(partial(settle, came)) as inbox:
                await within(
                    self._bus, inbox, came, lambda: self._bus.publish(inbox), FLUSH_SECONDS
                )


def _seen(ended: "asyncio.Task[None]") -> None:
    """Nobody may wait any more for one that failed."""
    if not ended.cancelled():
        ended.exception()
