"""A lane of contacts, folded: whether its oldest undecided contact event waits for longer than a limit."""

import msgspec

from shared import events


class LaneState(msgspec.Struct, frozen=True, kw_only=True):
    """`limit_seconds`: the longest limit that was passed since it was in time; 0 while it is."""

    limit_seconds: float = 0.0
    sequence: int = 0


IN_TIME = LaneState()


def evolve(state: LaneState, sequence: int, event: events.AnyEvent) -> LaneState:
    """Return the lane after one event."""
    match event:
        case events.LaneDelayed():
            return LaneState(limit_seconds=event.open.limit_seconds, sequence=sequence)
        case events.LaneRecovered():
            return LaneState(sequence=sequence)
        case _:
            return LaneState(limit_seconds=state.limit_seconds, sequence=sequence)
