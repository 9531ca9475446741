"""A deadline of open time without pauses, over changed clocks and holidays, and the steps that show it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared import calendars
from shared.calendars import Calendar
from shared.service_levels import Calculation, Pause, calculate, deadline
from tests.shared.test_calendars import CALENDARS, INSTANTS, SHOP, there

SECONDS = st.integers(1, 20 * 86_400).map(float)
LENGTHS = st.lists(st.integers(0, 5 * 86_400), max_size=8).map(sorted)


def pauses_after(since: datetime, lengths: list[int]) -> list[Pause]:
    """Return pauses in order, none of which overlaps another; an odd one out is left."""
    at = [since + timedelta(seconds=each) for each in lengths]
    return [Pause(since=a, until=b) for a, b in zip(at[::2], at[1::2], strict=False)]


def running(
    since: datetime, until: datetime, pauses: list[Pause]
) -> list[tuple[datetime, datetime]]:
    """Return the spans in which the clock runs."""
    edges = [since]
    for each in pauses:
        assert each.until is not None
        edges += [min(each.since, until), min(each.until, until)]
    edges.append(until)
    return list(zip(edges[::2], edges[1::2], strict=True))


@given(CALENDARS, INSTANTS, SECONDS, LENGTHS)
@example(SHOP, there("2026-10-24T12:30"), 3_600.0, [0, 86_400])
@example(SHOP, there("2026-12-24T11:00"), 7_200.0, [60, 120])
def test_the_time_is_over_when_so_much_open_time_has_passed_without_a_pause(
    calendar: Calendar, since: datetime, seconds: float, lengths: list[int]
) -> None:
    """No more and no less; the steps say each span once, in order, and end with the deadline."""
    pauses = pauses_after(since, lengths)
    calculation = calculate(calendar, since, seconds, pauses)
    due, counted = calculation.due, calculation.counted
    assert due is not None
    assert deadline(calendar, since, seconds, pauses) == due == counted[-1].until
    passed = sum(
        (calendars.open_between(calendar, *span) for span in running(since, due, pauses)),
        timedelta(0),
    )
    assert passed == timedelta(seconds=seconds)
    assert sum(each.seconds for each in counted) == pytest.approx(seconds)
    edges = [at for each in counted for at in (each.since, each.until)]
    assert edges == sorted(edges)


@given(CALENDARS, INSTANTS, SECONDS)
def test_without_a_pause_it_is_the_calendars_deadline(
    calendar: Calendar, since: datetime, seconds: float
) -> None:
    """Two ways to one instant."""
    due = calendars.after_open(calendar, since, timedelta(seconds=seconds))
    assert deadline(calendar, since, seconds) == due


@given(CALENDARS, INSTANTS, SECONDS, LENGTHS)
def test_a_pause_brings_no_deadline_forward(
    calendar: Calendar, since: datetime, seconds: float, lengths: list[int]
) -> None:
    """One more pause is as long or longer."""
    pauses = pauses_after(since, lengths)
    for fewer in (pauses[:-1], []):
        assert deadline(calendar, since, seconds, fewer) <= deadline(
            calendar, since, seconds, pauses
        )


def test_a_pause_that_goes_on_has_no_deadline() -> None:
    """What has passed until then stands there."""
    began = datetime(2026, 12, 1, 9, tzinfo=UTC)
    paused = Pause(since=began + timedelta(minutes=10))
    calculation = calculate(SHOP, began, 3_600.0, [paused])
    assert calculation.due is None
    assert [each.seconds for each in calculation.counted] == [600.0]
    assert calculate(SHOP, began, 600.0, [paused]) == Calculation(
        counted=calculation.counted, due=paused.since
    )
