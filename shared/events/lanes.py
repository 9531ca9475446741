"""The lanes in which contacts are decided, and how long the oldest waits; on `lane-<lane>`."""

from typing import Literal

from shared.events.envelope import Event, Nothing, Part

Lane = Literal["live", "written", "bulk"]
"""`live`: somebody waits on the line or the page; `written`: what somebody wrote; `bulk`: what nobody waits for."""


class LaneRecoveredOpen(Part, frozen=True, kw_only=True):
    """`waited_seconds`: how long the oldest contact event waits that is not decided, 0 when none does; `undecided`: how
    many are not.
    """

    lane: Lane
    waited_seconds: float
    undecided: int
    policy_version: str


class LaneDelayedOpen(LaneRecoveredOpen, frozen=True, kw_only=True):
    """`limit_seconds`: the longest limit of the policy that is passed."""

    limit_seconds: float


class LaneDelayed(Event[LaneDelayedOpen, Nothing], frozen=True, kw_only=True, tag="lane.delayed"):
    """Contacts come faster than they are decided: the oldest of a lane waits for longer than a limit allows."""


class LaneRecovered(
    Event[LaneRecoveredOpen, Nothing], frozen=True, kw_only=True, tag="lane.recovered"
):
    """Contacts of a lane are decided in time again: the oldest waits for no more than half of the first limit."""


LaneEvent = LaneDelayed | LaneRecovered
