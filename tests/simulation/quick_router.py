"""The router and notify in memory as a simulation needs them: timers wait in a heap, and refusals are counted."""

import heapq
from collections import Counter
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from typing_extensions import override

from services.notify.notifying import Notifying
from services.notify.store import NotificationStore
from shared.arming import check
from shared.arrivals import ArrivedMessage, Later
from shared.codec import PlainCodec, encode
from shared.errors import TellonceError
from shared.events import AnyEvent, ContactEvent
from shared.ledger import Recorded
from shared.policies import Policies
from shared.policy import Policy
from shared.timers import NOTIFICATION_ESCALATION, Timer
from tests.notify.twins import MemoryTransport
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import TENANT
from tests.support.memory_timers import MemoryTimers

FOUND_NOTHING = "timer_found_nothing"
"""A timer that finds nothing is asked once more (docs/adr/0036)."""
GIVEN_TWICE = 10
"""Each so manieth command is given twice: the second one changes nothing."""


class HeapTimers(MemoryTimers):
    """As its base; the earliest is found at once."""

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[datetime, int, int, Timer]] = []
        self._count = count()

    @override
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
    """`refusals_by_code`: how often a command was refused; `screens`: what agents and queues were told."""

    def __init__(self, policy: Policy) -> None:
        self.heap = HeapTimers()
        self.refusals_by_code: Counter[str] = Counter()
        self.screens = MemoryTransport("screen")
        self._given = count(1)
        super().__init__(policy)
        self.timers = self.heap
        self.restart()

    @override
    def restart(self) -> None:
        """Notify begins anew as well."""
        super().restart()
        store = NotificationStore(self.ledger, self.heap, cached=1_000, retries=20)
        transports = {self.screens.NAME: self.screens}
        self.notifying = Notifying(store, transports, Policies(self.policy), self.clock)

    async def takes(self, event: ContactEvent) -> None:
        """A channel reports something."""
        (arrived,) = await PlainCodec().unseal([encode(event)])
        await self.intake.take(arrived)

    async def tells(self, event: AnyEvent) -> None:
        """Those are told whom an event concerns."""
        await self.notifying.on_event(event)

    async def gives(self, actor: str, verb: str, **fields: Any) -> bool:
        """Somebody gives a command; tell whether it was carried out. A fault of ours is raised."""
        body = self.body(actor, verb, **fields)
        try:
            first = await self.commands.handle(verb, TENANT, body)
        except TellonceError as error:
            if error.http_status >= 500:
                raise
            self.refusals_by_code[error.code] += 1
            return False
        if next(self._given) % GIVEN_TWICE == 0:
            before = await self.ledger.position()
            assert await self.commands.handle(verb, TENANT, body) == first, verb
            assert await self.ledger.position() == before, verb
        return True

    async def timers_fire(self, now: datetime) -> None:
        """Everything that is due asks its question."""
        while (due := self.heap.fired(now)) is not None:
            attempt, timer = due
            try:
                await self._asks(timer, attempt)
            except Later as later:
                if attempt > 1 and later.reason == FOUND_NOTHING:
                    raise AssertionError("it is asked once more, not for ever") from later
                self.heap.put(now + timedelta(seconds=later.delay_seconds), attempt + 1, timer)

    async def _asks(self, timer: Timer, attempt: int) -> None:
        if timer.kind == NOTIFICATION_ESCALATION.name:
            await self.notifying.on_timer(timer, attempt)
            return
        message = ArrivedMessage("fired.0.x", msgspec.json.encode(timer), attempt, 1)
        await self.fired_timers.ask(message)

    async def news(self, after: int) -> list[Recorded]:
        """Return what was recorded since."""
        return await self.recorded(after)
