"""Whether somebody is there to answer a chat: an honest word to its page, from history's answer, and of no consequence.

One question for all sockets of a tenant, and again only after a while. Where history does not answer nothing is said.
"""

import asyncio
from collections.abc import Awaitable, Callable

from services.ingest.handlers.accounts import Door
from shared import errors, queries, query_client
from shared.bus import Bus

KEPT_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 60.0
ASKING_SECONDS = 3.0

Tell = Callable[[dict[str, object]], Awaitable[None]]


class Desks:
    """Knows which queues have somebody who is available."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._known: dict[str, asyncio.Task[frozenset[str] | None]] = {}

    async def tell(self, door: Door, tell: Tell) -> None:
        """Tell a page whether somebody is there, and whenever that changes; runs until cancelled."""
        told: bool | None = None
        while True:
            staffed = await self.staffed(door)
            if staffed is not None and staffed != told:
                told = staffed
                await tell({"type": "desk", "open": staffed})
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def staffed(self, door: Door) -> bool | None:
        """Tell whether somebody takes what comes in by a door; `None` when nobody knows."""
        asked = self._known.get(door.tenant)
        if asked is None:
            asked = self._known[door.tenant] = asyncio.create_task(self._queues(door.tenant))
            loop = asyncio.get_running_loop()
            loop.call_later(KEPT_SECONDS, self._known.pop, door.tenant, None)
        queues = await asyncio.shield(asked)
        return None if queues is None else door.rules.queue in queues

    async def _queues(self, tenant: str) -> frozenset[str] | None:
        asked = queries.AskOnDuty()
        try:
            found = await query_client.ask(self._bus, tenant, asked, timeout_seconds=ASKING_SECONDS)
        except errors.TellonceError:
            return None
        return frozenset(found.queues)
