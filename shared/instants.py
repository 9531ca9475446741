"""The instants that a server of ours can count and a calendar can hold: 1970 to 2200, in UTC."""

from datetime import UTC, datetime

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def is_kept_by_all(instant: datetime) -> bool:
    """Tell whether every store keeps this instant exactly: it has a zone of whole minutes and lies in the range."""
    offset = instant.utcoffset()
    whole = offset is not None and not (offset.seconds % 60 or offset.microseconds)
    return whole and EARLIEST <= instant < LATEST


def within(instant: datetime) -> datetime:
    """Return the instant in UTC, or the nearest one that can be counted; `instant` has a zone.

    NATS counts in nanoseconds, to 2262; in UTC the first and the last days of the calendar are not in the calendar.
    """
    return LATEST if instant >= LATEST else max(instant, EARLIEST).astimezone(UTC)
