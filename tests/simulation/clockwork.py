"""Time in the simulated shop: deeds happen in order, timers and the dispatcher on the way, and all is seen."""

import heapq
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from shared import events
from shared.ledger import Recorded
from tests.simulation.quick_router import QuickRouter
from tests.simulation.watch import Watch

Deed = Callable[[], Awaitable[None]]
Reacts = Callable[[events.AnyEvent], None]
LATE_AGAIN = timedelta(hours=1)


class Clockwork:
    """`now`: the world's time, `off`: how wrong the router's clock is; `chance`: draws what people do;
    `done`: how often what was done; `seen`: what was recorded so far, `watch`: how it stands by that.
    """

    def __init__(self, seed: int, router: QuickRouter, begins: datetime) -> None:
        self.chance, self.router = random.Random(seed), router
        self.now = router.clock.time = begins
        self.off = timedelta(0)
        self.done: Counter[str] = Counter()
        self.seen: list[Recorded] = []
        self.watch = Watch(router.policy)
        self.reacts: list[Reacts] = []
        self._moments: list[tuple[datetime, int, Deed]] = []
        self._count, self._names = count(), count(1)

    def at(self, when: datetime, deed: Deed) -> None:
        """Have it happen at a time."""
        heapq.heappush(self._moments, (max(when, self.now), next(self._count), deed))

    def later(self, mean: timedelta, deed: Deed) -> None:
        """Have it happen after a time drawn with this mean."""
        seconds = self.chance.expovariate(1 / mean.total_seconds())
        self.at(self.now + timedelta(seconds=seconds), deed)

    def name(self, kind: str) -> str:
        """Return a name that nothing else has."""
        return f"{kind}{next(self._names)}"

    def number(self) -> int:
        """Return a number that nothing else has."""
        return next(self._names)

    async def reports(self, event: events.InboundEvent, told_twice: float) -> None:
        """A channel reports it; some of what it reports comes twice, and the second time may be late."""
        await self.router.takes(event)
        if self.chance.random() < told_twice:

            async def again() -> None:
                before = await self.router.ledger.position()
                await self.router.takes(event)
                assert await self.router.ledger.position() == before, event.id

            self.later(LATE_AGAIN, again)

    async def gives(self, actor: str, verb: str, **fields: Any) -> bool:
        """Somebody gives a command; tell whether it was carried out."""
        carried_out = await self.router.gives(actor, verb, **fields)
        self.done[verb] += carried_out
        return carried_out

    async def run(self, until: datetime) -> None:
        """Let everything happen, in order: of one moment what is due before what is done."""
        while True:
            due, deed = self._next_due(), self._moments[0][0]
            if min(due or deed, deed) >= until:
                break
            if due is not None and due <= deed:
                self.is_now(max(due, self.now))
                await self.router.timers_fire(self.router.clock.time)
            else:
                when, _, deed_of_it = heapq.heappop(self._moments)
                self.is_now(max(when, self.now))
                await deed_of_it()
            await self._settles()
        self.is_now(until)

    def _next_due(self) -> datetime | None:
        times = (self.router.heap.next(), self.router.dispatcher.picture.due())
        return min((each - self.off for each in times if each is not None), default=None)

    def is_now(self, now: datetime) -> None:
        """Set the time."""
        self.now = now
        self.router.clock.time = now + self.off

    async def _settles(self) -> None:
        """The dispatcher does what it can, and those are told who are to know; people begin to react."""
        while True:
            await self.router.dispatch()
            await self.router.follow()
            news = await self.router.news(len(self.seen))
            if not news:
                return
            self.seen += news
            for each in news:
                self.watch.see(each)
                await self.router.tells(each.event)
                for reacts in self.reacts:
                    reacts(each.event)
