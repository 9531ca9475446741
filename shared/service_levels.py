"""When a time that somebody may take is over: open time alone counts, and no pause. Pure.

The deadline and the steps that show how it came about are one calculation.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from shared.calendars import FARTHEST, Calendar, Interval, spans


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A span that counts: it was open, and nothing paused. `seconds`: how long it is."""

    since: datetime
    until: datetime
    seconds: float


class Calculation(msgspec.Struct, frozen=True, kw_only=True):
    """How a deadline comes about. `due`: when the time is over; `None`: a pause goes on, and nothing is due."""

    counted: tuple[Counted, ...]
    due: datetime | None


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """`until`: `None` while it goes on."""

    since: datetime
    until: datetime | None = None


def deadline(
    calendar: Calendar, since: datetime, seconds: float, pauses: Sequence[Pause] = ()
) -> datetime:
    """Return when so much open time has passed since an instant, without the pauses, which are all over."""
    due = calculate(calendar, since, seconds, pauses).due
    assert due is not None
    return due


def calculate(
    calendar: Calendar, since: datetime, seconds: float, pauses: Sequence[Pause] = ()
) -> Calculation:
    """Return the spans that count and when the time is over, at closing time rather than the next morning.

    `pauses`: in order. What stays shut for FARTHEST is over then, as everywhere.
    """
    counted: list[Counted] = []
    left = timedelta(seconds=seconds)
    for begins, ends in _counting(calendar, since, left, pauses):
        until = min(ends, begins + left)
        counted.append(Counted(since=begins, until=until, seconds=(until - begins).total_seconds()))
        left -= until - begins
        if not left:
            return Calculation(counted=tuple(counted), due=until)
    going_on = bool(pauses) and pauses[-1].until is None
    return Calculation(
        counted=tuple(counted), due=None if going_on else _latest(since, seconds, pauses)
    )


def _counting(
    calendar: Calendar, since: datetime, left: timedelta, pauses: Sequence[Pause]
) -> Iterator[Interval]:
    """Yield the open spans between the pauses, and after them as far as anybody looks."""
    for pause in pauses:
        yield from spans(calendar, since, pause.since)
        if pause.until is None:
            return
        since = max(since, pause.until)
    yield from spans(calendar, since, since + FARTHEST + left)


def _latest(since: datetime, seconds: float, pauses: Sequence[Pause]) -> datetime:
    last = max((pause.until for pause in pauses if pause.until is not None), default=since)
    return max(since, last) + FARTHEST + timedelta(seconds=seconds)
