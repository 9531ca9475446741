"""What a shop's contact page says of its channels: open now, until when, from when, and how long it takes. Pure."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from shared import events, queries
from shared.calendars import Calendar, OpenHours

MEDIA: frozenset[events.Medium] = frozenset({"call", "chat", "message", "mail", "form"})
"""By which a customer comes; what a shop's program tells is none of them."""


class UsualWait(msgspec.Struct, frozen=True, kw_only=True):
    """How long half, and nine of ten, of those had waited whom somebody took within the last hour, in seconds."""

    median_seconds: int
    p90_seconds: int


class ChannelHours(msgspec.Struct, frozen=True, kw_only=True):
    """One way to come. `until`, `opens`: in the shop's own time; `wait`: `None` where nobody can honestly say."""

    medium: events.Medium
    channel: str
    account: str
    open: bool
    until: datetime | None
    opens: datetime | None
    zone: str
    wait: UsualWait | None


class ContactPage(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing in it is about a person, and nothing says how many wait."""

    channels: list[ChannelHours]


def channel_hours(
    medium: events.Medium,
    name: tuple[str, str],
    calendar: Calendar,
    hours: OpenHours,
    wait: UsualWait | None,
) -> ChannelHours:
    """Return what is said of an account. `name`: its channel, and its own."""
    zone = ZoneInfo(calendar.zone)
    return ChannelHours(
        medium=medium,
        channel=name[0],
        account=name[1],
        open=hours.open,
        until=hours.until and hours.until.astimezone(zone),
        opens=hours.opens and hours.opens.astimezone(zone),
        zone=calendar.zone,
        wait=wait if hours.open else None,
    )


def usual_waits(lines: Iterable[queries.WaitingLine]) -> dict[tuple[str, str], UsualWait]:
    """Return how long it takes by queue and medium, where that is known."""
    return {
        (each.queue, each.medium): UsualWait(
            median_seconds=each.median_seconds, p90_seconds=each.p90_seconds
        )
        for each in lines
        if each.median_seconds is not None and each.p90_seconds is not None
    }
