"""The simulated shop over some days: its customers, its agents in shifts, and machines that fail.

One seed, one week: every moment is drawn in an order that is the same each time.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared import calendars
from shared.ledger import Recorded
from tests.load.day import Arrival, planned
from tests.simulation.clockwork import Clockwork
from tests.simulation.customers import Customers
from tests.simulation.quick_router import QuickRouter
from tests.simulation.shop import SHOP, WAYS, ZONE, Habits, the_policy, workers
from tests.simulation.staff import Staff

DAY, LOOKS_EVERY = timedelta(days=1), timedelta(minutes=10)
FIRST_DAY = date(2026, 11, 9)
"""A Monday. The Wednesday is a public holiday in Poland."""
FAILS_EVERY = timedelta(hours=3)
ASKED_AGAIN = timedelta(seconds=11)
"""A timer that finds nothing yet asks again so much later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how much. `kills`: whether the router is; `clock_off`: how wrong its clock may be then."""

    days: int
    contacts_a_day: float
    kills: bool = True
    clock_off: timedelta = timedelta(seconds=90)


class World:
    """The shop over `days`. `work`: what was done and recorded so far.

    Faults are drawn from a chance of their own: without them the same people do the same.
    """

    def __init__(self, seed: int, plan: Plan) -> None:
        habits, self.plan = Habits(), plan
        self.begins = _midnight(FIRST_DAY)
        self.end = _midnight(FIRST_DAY + plan.days * DAY)
        self.router = QuickRouter(the_policy(workers()))
        self.work = Clockwork(seed, self.router, self.begins)
        self.customers = Customers(self.work, habits)
        self.staff = Staff(self.work, self.customers, habits)
        self._fate = random.Random(f"fate {seed}")
        came: list[Arrival] = []
        for number in range(plan.days):
            came += self._plan_day(FIRST_DAY + number * DAY, came)
        self._looks_around_later()
        if plan.kills:
            self._fails_later()

    @property
    def seen(self) -> list[Recorded]:
        return self.work.seen

    @property
    def grace(self) -> timedelta:
        """So much may lie between a time and what the router decides of it."""
        return ASKED_AGAIN + 2 * self.plan.clock_off

    async def run(self) -> None:
        """Let everything happen until the days are over."""
        await self.work.run(self.end)
        self.work.watch.check(self.router.clock.time, self.grace)

    def is_holiday(self, day: date) -> bool:
        """Tell whether the shop is closed all day."""
        noon = datetime.combine(day, time(12), ZoneInfo(ZONE))
        return not calendars.is_open(self.router.policy.calendars[SHOP], noon)

    def _plan_day(self, day: date, before: Sequence[Arrival]) -> list[Arrival]:
        midnight, seconds = _midnight(day), DAY.total_seconds()
        wanted, chance = self.plan.contacts_a_day, self.work.chance
        arrivals = planned(chance, wanted, seconds, before=before, ways=WAYS)
        for each in arrivals:
            self.work.at(midnight + timedelta(seconds=each.seconds), self.customers.comes(each))
        if not self.is_holiday(day):
            self.staff.plan_day(midnight, day.weekday())
        return arrivals

    def _looks_around_later(self) -> None:
        self.work.at(self.work.now + LOOKS_EVERY, self._looks_around)

    async def _looks_around(self) -> None:
        """At any time everything must hold."""
        self._looks_around_later()
        self.work.watch.check(self.router.clock.time, self.grace)

    # -- machines -----------------------------------------------------------------------------------------

    async def _fails(self) -> None:
        """The router is killed and begins anew, with its snapshot or without; its clock may be wrong from now on."""
        self._fails_later()
        self.work.done["kills"] += 1
        if self._fate.random() < 0.5:
            await self.router.dispatcher.keep_now()
        self.router.restart()
        await self.router.dispatcher.begin()
        self.work.off = self.plan.clock_off * self._fate.uniform(-1, 1)
        self.work.is_now(self.work.now)

    def _fails_later(self) -> None:
        seconds = self._fate.expovariate(1 / FAILS_EVERY.total_seconds())
        self.work.at(self.work.now + timedelta(seconds=seconds), self._fails)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(ZONE)).astimezone(ZoneInfo("UTC"))
