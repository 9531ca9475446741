"""Opening hours: when somebody is there, until when, and when so much open time has passed. Pure.

Hours are wall time in the calendar's zone, so that a day when clocks change is as long as it is there. A time that the
clock skips is one as long after the hour before it; of one that it shows twice, opening means the first and closing the
second (PEP 495).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from msgspec import Meta

from shared.strict import Strict

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = f"({'|'.join(DAYS)})"
Days = Annotated[str, Meta(pattern=rf"^{_DAY}(-{_DAY})?\Z")]
"""One day, or from one to another: `sat`, `mon-fri`, `fri-mon`."""
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
Span = Annotated[str, Meta(pattern=rf"^{_CLOCK}-({_CLOCK}|24:00)\Z")]
"""From when until when on one day, `08:00-18:00`; until midnight is `-24:00`, what goes on after it the next day's."""
Spans = Annotated[tuple[Span, ...], Meta(max_length=8)]
HolidaysOf = Annotated[str, Meta(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,4})?\Z")]

FARTHEST = timedelta(days=400)
"""So far ahead is looked for an opening; what stays shut for longer opens then, as far as deadlines are concerned."""
DAY = timedelta(days=1)

Interval = tuple[datetime, datetime]
"""From and until an instant, in UTC."""


class SpecialDay(Strict, frozen=True, kw_only=True):
    """A day, or all days until another one, with hours of its own; none: it is closed."""

    day: date
    until: date | None = None
    open: Spans = ()


class Calendar(Strict, frozen=True, kw_only=True):
    """When somebody is there.

    `zone`: of the IANA database, `Europe/Warsaw`; `open`: on which days from when until when; `holidays`: the country
    whose public holidays are closed, ISO 3166, or a part of it, `DE-BY`; `exceptions`: days that go before both, the
    first that fits.
    """

    zone: str = "UTC"
    open: dict[Days, Spans]
    holidays: HolidaysOf | None = None
    exceptions: tuple[SpecialDay, ...] = ()


ALWAYS = Calendar(open={"mon-sun": ("00:00-24:00",)})
"""Of whoever has no calendar."""


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Tell whether somebody is there at an instant."""
    return any(start <= at < end for start, end in _from(calendar, at, at))


def opens(calendar: Calendar, at: datetime) -> datetime:
    """Return when somebody is there next: `at` itself while it is open, FARTHEST after it when nothing opens before."""
    farthest = at + FARTHEST
    first = next((start for start, _ in _from(calendar, at, farthest)), farthest)
    return max(at, first)


def closes(calendar: Calendar, at: datetime) -> datetime:
    """Return until when it stays open: `at` itself while it is closed, FARTHEST after it when it stays so."""
    until = at
    for start, end in _from(calendar, at, at + FARTHEST):
        if start > until:
            break
        until = end
    return min(until, at + FARTHEST)


@dataclass(frozen=True, slots=True)
class OpenHours:
    """Whether somebody is there. `until`: so long, while it is open; `opens`: then, while it is closed.

    Neither is known of what stays open, or shut, for longer than FARTHEST.
    """

    open: bool
    until: datetime | None = None
    opens: datetime | None = None

    @property
    def changes(self) -> datetime | None:
        """When it is otherwise."""
        return self.until or self.opens


def open_now(calendar: Calendar, at: datetime) -> OpenHours:
    """Return what can be said of an instant."""
    farthest = at + FARTHEST
    if is_open(calendar, at):
        until = closes(calendar, at)
        return OpenHours(open=True, until=until if until < farthest else None)
    opening = opens(calendar, at)
    return OpenHours(open=False, opens=opening if opening < farthest else None)


def after_open(calendar: Calendar, start: datetime, time: timedelta) -> datetime:
    """Return when so much open time has passed since `start`; none has passed: the next time that it is open.

    A deadline that falls on closing time is then, not the next morning.
    """
    farthest, left = start + FARTHEST + time, time
    for begins, ends in _from(calendar, start, farthest):
        if left <= ends - begins:
            return begins + left
        left -= ends - begins
    return farthest


def open_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Return how much open time lies between two instants; none when `end` is not after `start`."""
    passed = timedelta(0)
    for begins, ends in _from(calendar, start, end):
        passed += min(ends, end) - begins
    return passed


def spans(calendar: Calendar, start: datetime, end: datetime) -> Iterator[Interval]:
    """Yield from when until when it is open between two instants, in order; what overlaps counts once."""
    for begins, ends in _from(calendar, start, end):
        if begins < end:
            yield begins, min(ends, end)


def complaints(calendar: Calendar) -> list[str]:
    """Return what is wrong with a calendar, in words; [] when nothing is."""
    found = [] if calendar.zone in available_timezones() else [f"no time zone {calendar.zone}"]
    days = [day for days in calendar.open for day in _days(days)]
    found += [f"{day} stands twice" for day in DAYS if days.count(day) > 1]
    special = [(str(each.day), each.open) for each in calendar.exceptions]
    for when, spans in (*calendar.open.items(), *special):
        found += [f"{when}: {each}" for each in _misordered(spans)]
    found += [
        f"{each.day}: it ends before it begins"
        for each in calendar.exceptions
        if each.until is not None and each.until < each.day
    ]
    if calendar.holidays is not None and not _is_known(calendar.holidays):
        found.append(f"no public holidays of {calendar.holidays} are known")
    if not any(calendar.open.values()):
        found.append("it is never open")
    return found


def _misordered(spans: Spans) -> Iterator[str]:
    for span in spans:
        begin, end = span.split("-")
        if end <= begin:
            yield f"{span} ends before it begins"
    for before, after in pairwise(spans):
        if after.split("-")[0] < before.split("-")[1]:
            yield f"{after} begins before {before} ends"


def _days(days: Days) -> list[str]:
    first, _, last = days.partition("-")
    begin = DAYS.index(first)
    number = (DAYS.index(last or first) - begin) % len(DAYS) + 1
    return [DAYS[(begin + each) % len(DAYS)] for each in range(number)]


def _from(calendar: Calendar, start: datetime, end: datetime) -> Iterator[Interval]:
    """Yield when it is open from `start` on, in order, to what begins by `end`; what overlaps counts once."""
    zone, latest = ZoneInfo(calendar.zone), start
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    while day <= last:
        for span in _spans_of(calendar, day):
            opening, closing = span.split("-")
            begins = max(latest, _instant(day, opening, zone, fold=0))
            ends = _instant(day, closing, zone, fold=1)
            if ends > begins and begins <= end:
                yield begins, ends
                latest = ends
        day += DAY


def _spans_of(calendar: Calendar, day: date) -> Spans:
    for each in calendar.exceptions:
        if each.day <= day <= (each.until or each.day):
            return each.open
    if calendar.holidays is not None and day in _holidays(calendar.holidays, day.year):
        return ()
    name = DAYS[day.weekday()]
    return next((spans for days, spans in calendar.open.items() if name in _days(days)), ())


def _instant(day: date, clock: str, zone: ZoneInfo, *, fold: int) -> datetime:
    """Return a wall time as an instant; `fold`: the first or second one where it comes twice."""
    hours, minutes = map(int, clock.split(":"))
    if hours == 24:  # midnight, as ISO 8601 writes the end of a day
        day, hours = day + DAY, 0
    wall = datetime(day.year, day.month, day.day, hours, minutes, tzinfo=zone)
    skipped = wall.astimezone(UTC).astimezone(zone).hour != hours
    return wall.replace(fold=0 if skipped else fold).astimezone(UTC)


def _is_known(country: HolidaysOf) -> bool:
    import holidays  # noqa: PLC0415  many megabytes, for whoever has a calendar with holidays

    name, _, part = country.partition("-")
    known = holidays.list_supported_countries(include_aliases=False)
    return name in known and (not part or part in known[name])


@lru_cache(maxsize=256)
def _holidays(country: HolidaysOf, year: int) -> frozenset[date]:
    """Return the public holidays of a year, as the library `holidays` knows them."""
    import holidays  # noqa: PLC0415  as above

    name, _, part = country.partition("-")
    return frozenset(holidays.country_holidays(name, subdiv=part or None, years=year))
