"""The lanes of contacts: whose turn it is, and how long the oldest of each waits (docs/adr/0069)."""

import asyncio
import contextlib
from collections import deque
from functools import partial

import structlog

from services.router.cases import Cases
from services.router.domain import delays, folds
from services.router.domain.decision import Origin
from services.router.domain.lane import IN_TIME, LaneState
from shared import arrivals, deciding, errors, events, streams, subjects, watching
from shared.overload import Overload
from shared.policies import Policies
from shared.readiness import Backlog, LaneBacklog

CONSUMERS = {
    lane: frozenset(each.name for each in streams.router_consumers() if each.lane == lane)
    for lane in subjects.LANES
}

ON_ITS_WAY_SECONDS = 1.0
"""So long the next event of a consumer is waited for, where there is one; then another router has it."""

log = structlog.get_logger("router.lanes")


class Turns:
    """Lets the contacts of faster lanes go first. `kept`: so many of a lane are decided at least, by the policies.

    A contact event begins to be decided when none of a faster lane is being decided, waits here, or is on its way, or
    fewer of its own lane are being decided than the policy keeps for it: so no lane stands still.
    """

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self.kept: dict[events.Lane, int] = {}
        self.take_up()
        self._at_work = dict.fromkeys(subjects.LANES, 0)
        self._waiting: dict[events.Lane, deque[asyncio.Future[None]]] = {
            lane: deque() for lane in subjects.LANES
        }
        self._to_come: dict[events.Lane, dict[str, float]] = {lane: {} for lane in subjects.LANES}
        self._looking: asyncio.TimerHandle | None = None

    def take_up(self) -> None:
        """Go on by the policies that are in force now."""
        rules = [self._policies.of(each).overload for each in self._policies.tenants()]
        # Without any tenant it is as for one who says nothing.
        every = rules or [Overload()]
        self.kept = {lane: max(rule.kept(lane) for rule in every) for lane in subjects.LANES}

    def in_turn(self, lane: events.Lane, consumer: str, handle: arrivals.Handle) -> arrivals.Handle:
        """Return what handles a contact event of a consumer of a lane when it is its turn."""

        async def handled(arrived: arrivals.ArrivedMessage) -> None:
            self._to_come[lane].pop(consumer, None)
            await self._begin(lane)
            try:
                await handle(arrived)
            finally:
                if arrived.pending:
                    here = asyncio.get_running_loop().time()
                    self._to_come[lane][consumer] = here + ON_ITS_WAY_SECONDS
                self._end(lane)

        return handled

    async def _begin(self, lane: events.Lane) -> None:
        if self._may_begin(lane):
            self._at_work[lane] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with contextlib.suppress(ValueError):  # it was passed over already
                    self._waiting[lane].remove(turn)
            else:
                self._end(lane)
            raise

    def _end(self, lane: events.Lane) -> None:
        self._at_work[lane] -= 1
        self._give_on(asyncio.get_running_loop())

    def _give_on(self, loop: asyncio.AbstractEventLoop) -> None:
        for each in subjects.LANES:
            while self._waiting[each] and self._may_begin(each):
                turn = self._waiting[each].popleft()
                if not turn.cancelled():
                    self._at_work[each] += 1
                    turn.set_result(None)
        if self._looking is None and any(self._waiting.values()):
            self._looking = loop.call_later(ON_ITS_WAY_SECONDS, self._look_again, loop)

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        """What was on its way may have gone to another router."""
        self._looking = None
        self._give_on(loop)

    def _may_begin(self, lane: events.Lane) -> bool:
        if self._at_work[lane] < self.kept[lane]:
            return True
        now = asyncio.get_running_loop().time()
        return not any(
            self._at_work[each]
            or self._waiting[each]
            or any(until > now for until in self._to_come[each].values())
            for each in subjects.LANES[: subjects.LANES.index(lane)]
        )


class LaneWatch:
    """Looks how long the oldest undecided contact event of each lane waits, and says so in the ledger at the limits.

    To each tenant of her own: what waits of another's is none of hers.
    """

    def __init__(self, cases: Cases, watch: watching.Watch) -> None:
        self._cases = cases
        self._watch = watch
        self._known: dict[tuple[str, events.Lane], LaneState] = {}

    async def backlog(self) -> Backlog:
        """Return what the router has not decided. Raises: BusUnavailable, JetStreamRefused."""
        undecided: dict[str, LaneBacklog] = {
            lane: found for lane in subjects.LANES if (found := await self._undecided(lane))
        }
        oldest = min((each.oldest for each in undecided.values()), default=None)
        return Backlog(oldest_undecided=oldest, undecided=undecided)

    async def run(self) -> None:
        """Look for ever. What cannot be told now is told at the next look."""
        while True:
            for lane in subjects.LANES:
                try:
                    await self.look(lane)
                except errors.TellonceError as error:
                    log.warning("lane_not_seen", lane=lane, code=error.code)
            await asyncio.sleep(watching.WATCH_SECONDS)

    async def look(self, lane: events.Lane) -> None:
        """Say that a lane is behind, or in time again, where that is news: to each tenant, whatever fails for another.

        Raises: what the bus raises.
        """
        found = await self._undecided(lane)
        for tenant in self._cases.policies.tenants():
            try:
                await self._tell(tenant, lane, found)
            except errors.TellonceError as error:
                log.warning("lane_not_told", lane=lane, tenant=tenant, code=error.code)

    async def _undecided(self, lane: events.Lane) -> LaneBacklog | None:
        """Return what waits in a lane; `None` where nothing does."""
        count = self._watch.not_done(streams.CONTACTS, CONSUMERS[lane])
        oldest = await self._watch.oldest_waiting(streams.CONTACTS, CONSUMERS[lane])
        return None if oldest is None else LaneBacklog(oldest=oldest, contact_events=count)

    async def _undecided_of(self, tenant: str, lane: events.Lane) -> LaneBacklog | None:
        """Return what of a tenant waits in a lane; `None` where nothing does."""
        narrowed = partial(subjects.contact_partition_of, tenant)
        oldest, count = await self._watch.waiting_in(streams.CONTACTS, CONSUMERS[lane], narrowed)
        return None if oldest is None else LaneBacklog(oldest=oldest, contact_events=count)

    async def _tell(self, tenant: str, lane: events.Lane, found: LaneBacklog | None) -> None:
        """`found`: what waits in the lane of all tenants; no tenant's own is older."""
        version = self._cases.policy_version(tenant)
        origin = self._cases.origin(tenant, f"lane:{lane}", f"rule:overload@{version}")
        known = self._known.get((tenant, lane))
        in_time = known is not None and not known.limit_seconds
        if in_time and not delays.decide(known or IN_TIME, lane, _waiting(found, origin), origin):
            return
        own = None if found is None else await self._undecided_of(tenant, lane)
        waiting = _waiting(own, origin)
        if known is not None and not delays.decide(known, lane, waiting, origin):
            return
        name: str = lane

        async def load(reading: deciding.Reading) -> LaneState:
            return await reading.load(folds.LANE, name)

        def decide(state: LaneState) -> list[events.AnyEvent]:
            return delays.decide(state, lane, waiting, origin)

        changed = await self._cases.change(tenant, load, decide)
        self._known[tenant, lane] = changed.state(folds.LANE, name)


def _waiting(found: LaneBacklog | None, origin: Origin) -> delays.Waiting:
    if found is None:
        return delays.Waiting()
    waited = max(0.0, (origin.recorded - found.oldest).total_seconds())
    return delays.Waiting(oldest_seconds=waited, undecided=found.contact_events)
