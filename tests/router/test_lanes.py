"""The lanes of contacts: whose turn it is, and what is said of a lane that is behind."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.router.domain.decision import Origin
from services.router.domain.delays import Waiting, decide
from services.router.domain.lane import IN_TIME, LaneState, evolve
from services.router.lanes import LaneWatch, Turns
from shared import aggregates, errors, events, lanes, policy, streams, subjects
from shared.arrivals import ArrivedMessage
from shared.overload import KEPT
from shared.policies import Policies
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import NOON, POLICY_TEXT, TENANT, a_policy, call, message
from tests.support.waiting import eventually

OVERLOAD = b"""
overload:
  live: {limits: [10, 60]}
  written: {kept: 2, limits: [60]}
  bulk: {kept: 1}
"""
CHOSEN = policy.parse(POLICY_TEXT + OVERLOAD)


class Work:
    """Contact events that are decided when they are let go, one by one, in the order in which they began."""

    def __init__(self) -> None:
        self.turns = Turns(Policies(CHOSEN))
        self.begun: list[tuple[str, int]] = []
        self.done: list[tuple[str, int]] = []
        self._open: dict[tuple[str, int], asyncio.Event] = {}

    def come(self, lane: events.Lane, number: int, pending: int = 0) -> asyncio.Future[None]:
        async def handle(arrived: ArrivedMessage) -> None:
            key = (lane, arrived.sequence)
            self.begun.append(key)
            self._open[key] = asyncio.Event()
            await self._open[key].wait()
            self.done.append(key)

        in_turn = self.turns.in_turn(lane, "only", handle)
        arrived = ArrivedMessage("contact", b"", 1, number, pending=pending)
        return asyncio.ensure_future(in_turn(arrived))

    @property
    def under_way(self) -> list[tuple[str, int]]:
        return [each for each in self.begun if each not in self.done]

    async def let_go(self, key: tuple[str, int]) -> None:
        self._open[key].set()
        await settled()


async def settled() -> None:
    """Let every task come to where it waits."""
    for _ in range(8):
        await asyncio.sleep(0)


async def test_without_anything_faster_all_go_at_once() -> None:
    """A lane is slowed for the sake of a faster one alone."""
    work = Work()
    tasks = [work.come("bulk", number) for number in range(8)]
    await settled()
    assert len(work.begun) == 8
    await finish(work, tasks)


async def test_a_faster_lane_goes_first_and_no_lane_stands_still() -> None:
    """While a call is decided two mails and one import are, as many as the policy keeps; after it all are."""
    work = Work()
    tasks = [work.come("live", 0)]
    slower: tuple[events.Lane, ...] = ("bulk", "written")
    for lane in slower:
        tasks += [work.come(lane, number) for number in range(4)]
    await settled()
    kept = [("live", 0), ("bulk", 0), ("written", 0), ("written", 1)]
    assert sorted(work.begun) == sorted(kept)
    await work.let_go(("written", 0))
    assert work.begun[-1] == ("written", 2)
    tasks.append(work.come("live", 1))
    await settled()
    assert work.begun[-1] == ("live", 1)
    for number in range(2):
        await work.let_go(("live", number))
    assert ("written", 3) in work.begun
    assert ("bulk", 1) not in work.begun
    await finish(work, tasks)


async def test_whoever_gives_up_its_turn_keeps_nobody_waiting() -> None:
    """A router that ends cancels what waits; what it had been given is given on."""
    work = Work()
    tasks = [work.come("live", 0), *(work.come("bulk", number) for number in range(3))]
    await settled()
    tasks[2].cancel()
    tasks[1].cancel()
    await settled()
    assert work.begun[-1] == ("bulk", 2)
    await work.let_go(("live", 0))
    await work.let_go(("bulk", 2))
    later = work.come("bulk", 9)
    await settled()
    assert work.begun[-1] == ("bulk", 9)
    await finish(work, [later])


async def test_a_router_that_ends_cancels_all_at_once_and_nothing_else_goes_wrong() -> None:
    """Whoever is at work gives its turn on while those who wait for it are cancelled already."""
    work = Work()
    tasks = [work.come("live", 0), *(work.come("bulk", number) for number in range(3))]
    await settled()
    for task in tasks:
        task.cancel()
    await settled()
    assert [task.cancelled() for task in tasks] == [True] * 4
    later = [work.come("live", 1), work.come("bulk", 9)]
    await settled()
    assert work.begun[-2:] == [("live", 1), ("bulk", 9)]
    await finish(work, later)


async def test_what_is_on_its_way_is_waited_for_but_not_for_ever() -> None:
    """Between two calls of one consumer mails get no more turns than are kept; another router may take the second."""
    work = Work()
    tasks = [work.come("live", 0, pending=1), *(work.come("written", n) for n in range(4))]
    await settled()
    await work.let_go(("live", 0))
    assert [each for each in work.begun if each[0] == "written"] == [("written", 0), ("written", 1)]
    tasks.append(work.come("live", 1))
    await settled()
    await work.let_go(("live", 1))
    assert len(work.begun) == 6
    tasks += [work.come("live", 2, pending=1), *(work.come("written", n) for n in range(4, 6))]
    await settled()
    await work.let_go(("live", 2))
    for number in range(2, 4):
        await work.let_go(("written", number))

    async def all_begun() -> bool:
        return len(work.begun) == 9

    await eventually(all_begun)
    await finish(work, tasks)


async def finish(work: Work, tasks: list[asyncio.Future[None]]) -> None:
    """Let all go until all are done."""
    while not all(each.done() for each in tasks):
        for key in work.under_way:
            await work.let_go(key)
        await settled()


@pytest.mark.parametrize("seed", range(20))
async def test_each_is_decided_once_whatever_comes_when(seed: int) -> None:
    """And a slower lane has as many under way as are kept for it, whenever so many wait."""
    rng, work = random.Random(seed), Work()
    tasks: list[asyncio.Future[None]] = []
    came: list[tuple[str, int]] = []
    for number in range(200):
        if rng.random() < 0.5:
            lane = rng.choice(subjects.LANES)
            came.append((lane, number))
            tasks.append(work.come(lane, number))
        elif work.under_way:
            await work.let_go(rng.choice(work.under_way))
        await settled()
        for lane, kept in (("written", 2), ("bulk", 1)):
            left = [each for each in came if each[0] == lane and each not in work.done]
            mine = [each for each in work.under_way if each[0] == lane]
            assert len(mine) >= min(kept, len(left))
        assert [each for each in work.begun if each[0] == "live"] == [
            each for each in came if each[0] == "live"
        ]
    await finish(work, tasks)
    assert sorted(work.done) == sorted(came)


def test_the_lane_is_the_mediums_unless_the_policy_says_otherwise() -> None:
    """Calls and chats before mails, and what was imported after all."""
    assert lanes.lane_of(call("started")) == "live"
    assert lanes.lane_of(message("hello"), a_policy()) == "live"
    by_mail = message("hello", channel="email")
    assert lanes.lane_of(by_mail) == lanes.lane_of(by_mail, CHOSEN) == "written"
    chats_wait = policy.parse(POLICY_TEXT + b"lanes: {chat: written}\n")
    assert lanes.lane_of(message("hello"), chats_wait) == "written"


def _origin() -> Origin:
    return Origin(
        tenant=TENANT,
        service="router",
        cause="lane:live",
        actor="rule:overload",
        occurred=NOON,
        recorded=NOON,
        policy=CHOSEN,
        policy_version=CHOSEN.version,
    )


def _after(
    state: LaneState, waited_seconds: float, undecided: int = 1
) -> tuple[list[Any], LaneState]:
    """Return what is said of a wait, and the lane afterwards; said once more it is nothing new."""
    waiting = Waiting(oldest_seconds=waited_seconds, undecided=undecided)
    decided = decide(state, "live", waiting, _origin())
    for event in decided:
        state = evolve(state, state.sequence + 1, event)
    assert decide(state, "live", waiting, _origin()) == []
    return decided, state


def test_a_limit_is_told_once_and_its_end_too() -> None:
    """Each longer limit once, then that the oldest waits for no more than half of the first one."""
    told, state = [], IN_TIME
    for waited in (0.5, 11, 30, 5.1, 12, 61, 400, 20, 6, 5, 0, 10.5):
        decided, state = _after(state, waited)
        told += [(each.type, getattr(each.open, "limit_seconds", None)) for each in decided]
    assert told == [
        ("lane.delayed", 10.0),
        ("lane.delayed", 60.0),
        ("lane.recovered", None),
        ("lane.delayed", 10.0),
    ]


def test_what_is_told_says_how_long_and_how_much() -> None:
    """On the lane's own aggregate, under another id each time."""
    (first,), state = _after(IN_TIME, 75.25, 412)
    assert (first.aggregate, first.open.limit_seconds) == (aggregates.LANE.of("live"), 60.0)
    assert (first.open.waited_seconds, first.open.undecided) == (75.25, 412)
    (over,), state = _after(state, 0, 0)
    (again,), _ = _after(state, 75.25, 412)
    assert len({first.id, over.id, again.id}) == 3
    assert over.open.undecided == 0


def test_a_policy_without_limits_tells_nothing_and_ends_what_was_told() -> None:
    """The policy may be changed while a lane is behind."""
    waiting = Waiting(oldest_seconds=1e6, undecided=1)
    assert decide(IN_TIME, "bulk", waiting, _origin()) == []
    behind = LaneState(limit_seconds=10.0, sequence=3)
    (over,) = decide(behind, "bulk", waiting, _origin())
    assert over.type == "lane.recovered"


def test_what_a_policy_does_not_say_of_a_lane_is_as_usual() -> None:
    """A limit that is changed keeps no fewer places, and every consumer steps within four decisions."""
    said = policy.parse(
        POLICY_TEXT + b"overload: {written: {limits: [5]}, bulk: {kept: 3}}"
    ).overload
    assert (said.limits("written"), said.kept("written")) == ((5.0,), 8)
    assert (said.limits("bulk"), said.kept("bulk")) == ((), 3)
    assert all(streams.ROUTER_CONSUMERS[lane] <= 4 * kept for lane, kept in KEPT.items())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"overload: {tell: nobody}", "no queue nobody"),
        (b"overload: {live: {limits: [60, 10]}}", "live: the limits are not in order"),
        (b"overload: {bulk: {limits: [10, 10]}}", "bulk: the limits are not in order"),
        (b"overload: {bulk: {kept: 0}}", "kept"),
        (b"lanes: {chat: slow}", "slow"),
    ],
)
def test_a_policy_that_cannot_be_so_is_refused(said: bytes, why: str) -> None:
    """A lane that keeps nothing would stand still."""
    with pytest.raises(errors.PolicyInvalid, match=why):
        policy.parse(POLICY_TEXT + said)


class Watching:
    """Watches a lane in which something of everybody waits; of one tenant nothing can be learned."""

    def not_done(self, _: str, __: object) -> int:
        return 8

    async def oldest_waiting(self, _: str, __: object) -> datetime:
        return NOON - timedelta(seconds=30)

    async def waiting_in(
        self, _: str, __: object, narrowed: Callable[[str], str]
    ) -> tuple[datetime, int]:
        if narrowed("contact.0.>") == "contact.0.absent.>":
            raise errors.BusUnavailable
        return NOON - timedelta(seconds=30), 4


async def test_what_fails_for_one_tenant_keeps_no_other_from_being_told() -> None:
    """Whoever comes after her in the order of names hears of her own backlog."""
    router, watch = InMemoryRouter(CHOSEN), Watching()
    absent = replace(CHOSEN, tenant="absent", lookup_secret="ABSENT_KEY")
    router.cases.policies.take([absent, CHOSEN])
    await LaneWatch(router.cases, watch).look("live")  # type: ignore[arg-type]
    (told,) = await router.all(events.LaneDelayed)
    assert (told.tenant, told.open.undecided) == (TENANT, 4)


def test_without_any_tenant_turns_are_as_usual() -> None:
    """All policies of a folder may be gone at once; the router goes on, and takes them up when they are back."""
    policies = Policies(CHOSEN)
    turns = Turns(policies)
    policies.take([])
    turns.take_up()
    assert turns.kept == KEPT
