"""An agent's time: when she was at work and available, and in which of it she had a conversation. Pure."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import events

AVAILABLE = "available"
AttendanceEvent = (
    events.AgentSignedIn | events.AgentStatusSet | events.AgentReserved | events.AgentReleased
)


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time in which an agent was available. `occupied`: with at least one conversation."""

    since: datetime
    until: datetime
    occupied: bool


class Attendance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An agent. `since`: when the stretch began that goes on; `at`: until when something is known of it; `holds`: her
    conversations."""

    status: str = "signed_out"
    since: datetime | None = None
    at: datetime | None = None
    holds: tuple[str, ...] = ()

    @property
    def stretch(self) -> Stretch | None:
        """The stretch that goes on, as far as it is known; `None` while she is not available."""
        if self.status != AVAILABLE or self.since is None or self.at is None:
            return None
        return Stretch(since=self.since, until=self.at, occupied=bool(self.holds))


NEVER_THERE = Attendance()


def evolve(known: Attendance, event: events.AnyEvent) -> Attendance:
    """Return the agent after one of her events."""
    at = max(known.at or event.recorded, event.recorded)
    match event:
        case events.AgentSignedIn():
            after = replace(known, at=at, status=AVAILABLE)
        case events.AgentStatusSet():
            after = replace(known, at=at, status=event.open.status)
        case events.AgentReserved() if event.open.conversation not in known.holds:
            after = replace(known, at=at, holds=(*known.holds, event.open.conversation))
        case events.AgentReleased():
            left = tuple(each for each in known.holds if each != event.open.conversation)
            after = replace(known, at=at, holds=left)
        case _:
            after = replace(known, at=at)
    return after if _same(known, after) else replace(after, since=at)


def ended(before: Attendance, after: Attendance) -> Stretch | None:
    """Return the stretch that an event ended; `None` when it ended none."""
    was = before.stretch
    if was is None or after.at is None or _same(before, after):
        return None
    return Stretch(since=was.since, until=after.at, occupied=was.occupied)


def _same(before: Attendance, after: Attendance) -> bool:
    """Tell whether she is as available and as occupied as before."""
    return (before.status, bool(before.holds)) == (after.status, bool(after.holds))
