"""Opening hours: open until when, and when so much open time has passed, over changed clocks and holidays."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared import calendars
from shared.calendars import ALWAYS, DAYS, FARTHEST, Calendar, SpecialDay

WARSAW = ZoneInfo("Europe/Warsaw")
SHOP = Calendar(
    zone="Europe/Warsaw",
    open={"mon-fri": ("08:00-18:00",), "sat": ("09:00-13:00",)},
    holidays="PL",
    exceptions=(
        SpecialDay(day=date(2026, 12, 24), open=("08:00-12:00",)),
        SpecialDay(day=date(2027, 7, 1), until=date(2027, 7, 14)),
    ),
)
NIGHT = Calendar(
    zone="Europe/Warsaw", open={"fri-mon": ("00:00-02:30", "02:30-06:00", "20:00-24:00")}
)
ROUND_THE_CLOCK = Calendar(zone="Europe/Warsaw", open={"mon-sun": ("00:00-24:00",)})

CALENDARS = st.sampled_from((SHOP, NIGHT, ROUND_THE_CLOCK, ALWAYS))
DAYS_LATER = st.timedeltas(timedelta(0), timedelta(days=730))
INSTANTS = DAYS_LATER.map(lambda later: datetime(2026, 1, 1, tzinfo=UTC) + later)
TIMES = st.timedeltas(timedelta(microseconds=1), timedelta(days=20))


def there(text: str, fold: int = 0) -> datetime:
    """Return a wall time in Warsaw."""
    return datetime.fromisoformat(text).replace(tzinfo=WARSAW, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "opens", "closes"),
    [
        ("2026-12-01T10:00", "2026-12-01T10:00", "2026-12-01T18:00"),
        ("2026-12-01T07:59", "2026-12-01T08:00", "2026-12-01T07:59"),
        ("2026-12-01T18:00", "2026-12-02T08:00", "2026-12-01T18:00"),
        ("2026-12-05T13:00", "2026-12-07T08:00", "2026-12-05T13:00"),
        ("2026-12-24T12:30", "2026-12-28T08:00", "2026-12-24T12:30"),
        ("2026-11-10T18:00", "2026-11-12T08:00", "2026-11-10T18:00"),
        ("2027-06-30T18:00", "2027-07-15T08:00", "2027-06-30T18:00"),
    ],
    ids=["open", "before", "closing", "weekend", "christmas", "independence-day", "a-fortnight"],
)
def test_somebody_is_there_from_when_until_when(at: str, opens: str, closes: str) -> None:
    """A holiday is closed, an exception goes before it."""
    assert calendars.opens(SHOP, there(at)) == there(opens)
    assert calendars.closes(SHOP, there(at)) == there(closes)
    assert calendars.is_open(SHOP, there(at)) == (at == opens)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-12-01T17:30", 1, "2026-12-02T08:30"),
        ("2026-12-01T17:00", 1, "2026-12-01T18:00"),
        ("2026-12-23T17:30", 8, "2026-12-28T11:30"),
        ("2026-12-04T17:00", 6, "2026-12-07T09:00"),
    ],
    ids=["over-night", "at-closing-time", "over-christmas", "over-a-weekend"],
)
def test_a_deadline_counts_open_time_alone(start: str, hours: int, due: str) -> None:
    """An hour before closing time ends then, not the next morning."""
    assert calendars.after_open(SHOP, there(start), timedelta(hours=hours)) == there(due)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)]
)
def test_a_day_is_as_long_as_it_is_there(day: str, hours: int) -> None:
    """Clocks go forward in March and back in October."""
    start = there(f"{day}T00:00")
    end = there(f"{date.fromisoformat(day) + calendars.DAY}T00:00")
    assert calendars.open_between(ROUND_THE_CLOCK, start, end) == timedelta(hours=hours)
    assert calendars.closes(ROUND_THE_CLOCK, start) == start + FARTHEST


def test_a_time_that_the_clock_shows_twice_or_skips() -> None:
    """Half past two comes twice in October, and what is open until then closes at the second. March leaves it out."""
    assert calendars.closes(NIGHT, there("2026-10-25T01:00")) == there("2026-10-25T06:00")
    night = calendars.open_between(NIGHT, there("2026-10-25T00:00"), there("2026-10-25T12:00"))
    assert night == timedelta(hours=7)
    night = calendars.open_between(NIGHT, there("2026-03-29T00:00"), there("2026-03-29T12:00"))
    assert night == timedelta(hours=5)


@given(CALENDARS, INSTANTS, TIMES)
@example(NIGHT, there("2026-10-25T00:30"), timedelta(hours=3))
def test_a_deadline_is_when_its_open_time_has_passed(
    calendar: Calendar, start: datetime, time: timedelta
) -> None:
    """So much, no more and no less; and somebody was there just before it."""
    due = calendars.after_open(calendar, start, time)
    assert calendars.open_between(calendar, start, due) == time
    assert calendars.is_open(calendar, due - timedelta(microseconds=1))


@given(CALENDARS, INSTANTS, TIMES, TIMES)
def test_open_time_adds_up(
    calendar: Calendar, start: datetime, first: timedelta, second: timedelta
) -> None:
    """Whoever pauses and goes on has the same deadline."""
    middle = calendars.after_open(calendar, start, first)
    assert calendars.after_open(calendar, middle, second) == calendars.after_open(
        calendar, start, first + second
    )
    end = start + first + second
    parts = calendars.open_between(calendar, start, start + first)
    parts += calendars.open_between(calendar, start + first, end)
    assert parts == calendars.open_between(calendar, start, end)


@given(CALENDARS, INSTANTS)
def test_it_is_open_from_opening_until_closing_time(calendar: Calendar, at: datetime) -> None:
    """Closed until it opens, open until it closes, closed then."""
    opens = calendars.opens(calendar, at)
    closes = calendars.closes(calendar, opens)
    assert calendars.is_open(calendar, at) == (opens == at)
    assert calendars.open_between(calendar, at, opens) == timedelta(0)
    assert calendars.open_between(calendar, opens, closes) == closes - opens > timedelta(0)
    assert closes == opens + FARTHEST or not calendars.is_open(calendar, closes)


@given(INSTANTS, TIMES)
def test_without_a_calendar_all_time_is_open(start: datetime, time: timedelta) -> None:
    """A policy that says nothing of hours counts as before."""
    assert calendars.after_open(ALWAYS, start, time) == start + time


def test_what_stays_shut_opens_at_last() -> None:
    """A deadline is never without end."""
    shut = Calendar(
        open={"mon": ("08:00-09:00",)},
        exceptions=(SpecialDay(day=date(2026, 1, 1), until=date(2029, 1, 1)),),
    )
    at = there("2026-12-01T10:00")
    assert calendars.opens(shut, at) == at + FARTHEST
    assert calendars.after_open(shut, at, calendars.DAY) == at + FARTHEST + calendars.DAY


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (Calendar(zone="Europe/Warschau", open=SHOP.open), "no time zone Europe/Warschau"),
        (Calendar(open={"mon-wed": ("08:00-09:00",), "wed": ()}), "wed stands twice"),
        (Calendar(open={"mon": ("18:00-08:00",)}), "mon: 18:00-08:00 ends before it begins"),
        (Calendar(open={"mon": ("08:00-12:00", "11:00-13:00")}), "mon: 11:00-13:00 begins before"),
        (Calendar(open=SHOP.open, holidays="PL-XX"), "no public holidays of PL-XX are known"),
        (Calendar(open=dict.fromkeys(DAYS, ())), "it is never open"),
        (
            Calendar(
                open=SHOP.open,
                exceptions=(SpecialDay(day=date(2026, 2, 1), until=date(2026, 1, 1)),),
            ),
            "2026-02-01: it ends before it begins",
        ),
    ],
)
def test_a_calendar_that_cannot_be_meant_says_why(wrong: Calendar, complaint: str) -> None:
    """And a good one says nothing."""
    assert [each for each in calendars.complaints(wrong) if each.startswith(complaint)]
    assert calendars.complaints(SHOP) == []
