"""Decides whether a lane of contacts is behind: its oldest undecided contact event waits for longer than a limit."""

import math
from functools import partial
from typing import Any

import msgspec

from services.router.domain.decision import Origin
from services.router.domain.lane import LaneState
from shared import aggregates, events, ids


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in a lane. `oldest_seconds`: for how long the oldest has; 0 when nothing waits."""

    oldest_seconds: float = 0.0
    undecided: int = 0


def decide(
    state: LaneState, lane: events.Lane, waiting: Waiting, origin: Origin
) -> list[events.AnyEvent]:
    """Say that a further limit is passed, or that the lane is in time again; [] where neither is news.

    It is in time with half of the first limit: a wait of about as long as the limit would go to and fro.
    """
    found: Any = {
        "lane": lane,
        "waited_seconds": round(waiting.oldest_seconds, 3),
        "undecided": waiting.undecided,
        "policy_version": origin.policy_version,
    }
    limits = origin.policy.overload.limits(lane)
    passed = max((each for each in limits if waiting.oldest_seconds > each), default=0.0)
    make = partial(_event, state, lane, origin)
    if passed > state.limit_seconds:
        return [make(events.LaneDelayed, events.LaneDelayedOpen(**found, limit_seconds=passed))]
    if state.limit_seconds and waiting.oldest_seconds <= min(limits, default=math.inf) / 2:
        return [make(events.LaneRecovered, events.LaneRecoveredOpen(**found))]
    return []


def _event(
    state: LaneState,
    lane: events.Lane,
    origin: Origin,
    kind: type[events.LaneEvent],
    opened: events.Part,
) -> events.AnyEvent:
    """Return the event that follows on a state: of two routers that decide at the same time one writes it."""
    aggregate = aggregates.LANE.of(lane)
    event_id = ids.decision_event_id(origin.tenant, aggregate, f"after:{state.sequence}", 0)
    return events.make(kind, origin, event_id, aggregate, opened)
