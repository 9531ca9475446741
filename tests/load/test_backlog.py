"""A contact that waits long to be decided: the shop was told that its lane is behind, or it waited unseen."""

from dataclasses import replace
from datetime import timedelta

from msgspec.structs import replace as changed

from shared.events import (
    LaneDelayed,
    LaneDelayedOpen,
    LaneRecovered,
    LaneRecoveredOpen,
    Origin,
    make,
)
from shared.ledger import Recorded
from tests.faults.observed import Observed
from tests.faults.test_checking import a_good_day
from tests.load.backlog import LIMIT_MISSED_BY, behind, decided, untold
from tests.router.samples import NOON

LIMIT = 10.0
"""The first of the chats' lane."""
LONG = LIMIT * LIMIT_MISSED_BY + 5


def a_lane_event(kind: str, seconds: float) -> Recorded:
    """Return that the lane of the chats was told of, or recovered, so many seconds after noon."""
    at = NOON + timedelta(seconds=seconds)
    origin = Origin(
        tenant="demo", service="router", actor="rule:lanes", occurred=at, recorded=at, cause="lanes"
    )
    about = {"lane": "live", "waited_seconds": 20.0, "undecided": 3, "policy_version": "1"}
    event = (
        make(LaneDelayed, origin, "e1", "lane-live", LaneDelayedOpen(**about, limit_seconds=LIMIT))  # type: ignore[arg-type]
        if kind == "delayed"
        else make(LaneRecovered, origin, "e2", "lane-live", LaneRecoveredOpen(**about))  # type: ignore[arg-type]
    )
    return Recorded(1, at, "lane-live", event, b"")


async def a_day(waited: float, *told: Recorded) -> Observed:
    """Return a day on which one chat waited so many seconds from noon on, and what was told of lanes."""
    observed = await a_good_day()
    (said,) = (each for each, _ in observed.words())
    late = changed(said.event, recorded=NOON + timedelta(seconds=waited))
    recorded = [changed(each, event=late) if each is said else each for each in observed.recorded]
    return replace(observed, recorded=[*recorded, *told])


async def test_who_waits_within_the_limit_needs_nobody_told() -> None:
    """One contact, and how long it waited."""
    observed = await a_day(LIMIT)
    assert [(each.lane, each.seconds) for each in decided(observed)] == [("live", LIMIT)]
    assert untold(observed) == []


async def test_who_waits_long_while_nobody_is_told_waits_unseen() -> None:
    """Her lane is what must have been told of, and while she waited."""
    assert [each.marker for each in untold(await a_day(LONG))] == ["m1x"]
    before = [a_lane_event("delayed", -60), a_lane_event("recovered", -30)]
    assert len(untold(await a_day(LONG, *before))) == 1
    assert untold(await a_day(LONG, a_lane_event("delayed", LONG - 20))) == []


async def test_a_lane_is_behind_until_it_recovers() -> None:
    """A second limit that passes is the same delay."""
    told = [a_lane_event("delayed", 10), a_lane_event("delayed", 60), a_lane_event("recovered", 90)]
    (span,) = behind(await a_day(LONG, *told))["live"]
    assert span.until is not None
    assert (span.until - span.since).total_seconds() == 80
