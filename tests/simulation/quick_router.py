"""The router in memory as a simulation needs it: nothing is done twice on purpose, and timers wait in a heap."""

import heapq
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from shared.arming import check
from shared.arrivals import ArrivedMessage, Later
from shared.codec import PlainCodec, encode
from shared.errors import TellonceError
from shared.events import ContactEvent
from shared.ledger import Recorded
from shared.policy import Policy
from shared.timers import Timer
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import TENANT
from tests.support.memory_timers import MemoryTimers

FOUND_NOTHING = "timer_found_nothing"
"""A timer that finds nothing is asked once more (docs/adr/0036)."""


class HeapTimers(MemoryTimers):
    """As its base; the earliest is found at once."""

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[datetime, int, int, Timer]] = []
        self._count = count()

    async def arm(self, timer: Timer) -> None:
        check(timer)
        self.put(timer.due, 1, timer)

    def put(self, at: datetime, attempt: int, timer: Timer) -> None:
        """Let a timer ask at a time."""
        heapq.heappush(self._heap, (at, next(self._count), attempt, timer))

    def next(self) -> datetime | None:
        return self._heap[0][0] if self._heap else None

    def fired(self, now: datetime) -> tuple[int, Timer] | None:
        """Take out one whose time has come, and say for which time it asks."""
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, attempt, timer = heapq.heappop(self._heap)
        return attempt, timer


class QuickRouter(InMemoryRouter):
    """`refused`: by code, how often a command was."""

    def __init__(self, policy: Policy) -> None:
        self.heap = HeapTimers()
        self.refusals_by_code: dict[str, int] = {}
        super().__init__(policy)
        self.timers = self.heap
        self.restart()

    async def takes(self, event: ContactEvent) -> None:
        """A channel reports something."""
        (arrived,) = await PlainCodec().unseal([encode(event)])
        await self.intake.take(arrived)

    async def gives(self, actor: str, verb: str, **fields: Any) -> bool:
        """Somebody gives a command; tell whether it was carried out. A fault of ours is raised."""
        try:
            await self.commands.handle(verb, TENANT, self.body(actor, verb, **fields))
        except TellonceError as error:
            if error.http_status >= 500:
                raise
            self.refusals_by_code[error.code] = self.refusals_by_code.get(error.code, 0) + 1
            return False
        return True

    async def timers_fire(self, now: datetime) -> None:
        """Everything that is due asks its question."""
        while (due := self.heap.fired(now)) is not None:
            attempt, timer = due
            try:
                message = ArrivedMessage("fired.0.x", msgspec.json.encode(timer), attempt, 1)
                await self.fired_timers.ask(message)
            except Later as later:
                if attempt > 1 and later.reason == FOUND_NOTHING:
                    raise AssertionError("it is asked once more, not for ever") from later
                self.heap.put(now + timedelta(seconds=later.delay_seconds), attempt + 1, timer)

    async def news(self, after: int) -> list[Recorded]:
        """Return what was recorded since."""
        return await self.recorded(after)
