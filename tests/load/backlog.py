"""Who waited long to be decided at all, and whether the shop was told meanwhile that a lane is behind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared import events
from shared.lanes import lane_of
from tests.faults.observed import Observed
from tests.faults.traffic import marker_in

LIMIT_MISSED_BY = 5.0
"""How many times the first limit of its lane a contact may wait before its lane must have been told of."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """A contact that a door took at `since` and that was decided at `until`."""

    marker: str
    lane: events.Lane
    since: datetime
    until: datetime

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()


@dataclass(frozen=True, slots=True)
class Behind:
    """A lane was told of as behind from `since` to `until`; `None`: it still is."""

    since: datetime
    until: datetime | None


def decided(observed: Observed) -> Iterator[Undecided]:
    """Yield how long each contact waited."""
    for each, text in observed.words():
        event, marker = each.event, marker_in(text)
        since = observed.acknowledged.get(marker)
        if since is not None and isinstance(event, events.ContactEvent):
            lane = lane_of(event, observed.policy)
            yield Undecided(marker, lane, since, event.recorded)


def behind(observed: Observed) -> Mapping[str, list[Behind]]:
    """Return by lane when it was told of as behind."""
    found: dict[str, list[Behind]] = {}
    for each in observed.readable():
        match each.event:
            case events.LaneDelayed():
                spans = found.setdefault(each.event.open.lane, [])
                if not spans or spans[-1].until is not None:
                    spans.append(Behind(each.event.recorded, None))
            case events.LaneRecovered():
                spans = found[each.event.open.lane]
                spans[-1] = Behind(spans[-1].since, each.event.recorded)
            case _:
                pass
    return found


def untold(observed: Observed) -> list[Undecided]:
    """Return who waited long while nobody was told that her lane is behind."""
    told = behind(observed)
    return [
        each
        for each in decided(observed)
        if (limits := observed.policy.overload.limits(each.lane))
        and each.seconds > LIMIT_MISSED_BY * limits[0]
        and not any(
            span.since < each.until and (span.until is None or span.until > each.since)
            for span in told.get(each.lane, [])
        )
    ]
