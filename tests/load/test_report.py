"""The report: every minute has a line, and every figure a plot from nothing to its highest."""

import os
from mmap import MAP_PRIVATE, mmap

from tests.load.floor import Delays
from tests.load.minutes import MIB, Look, Minute, Minutes, resident
from tests.load.report import PLOT_COLUMNS, plot, sums, table


def minute(came: int, oldest: float = 0.0, *, burst: bool = False) -> Minute:
    look = Look(1.0, 3, oldest, {"router": 64 * MIB})
    return Minute({"came": came, "decided": came}, [look], burst=burst)


def test_every_minute_has_a_line() -> None:
    """With what happened in it; the burst is marked."""
    head, first, second, _ = table([minute(7, 1.25), minute(40, burst=True)])
    assert len(head.split("  ")) > 1
    assert first.split()[:3] == ["1", "7", "7"]
    assert "1.2" in first.split()
    assert "64" in first.split()
    assert second.split()[:3] == ["2", "*", "40"]


def test_a_plot_shows_the_highest_and_nothing() -> None:
    """A minute in which anything happened shows a mark."""
    came = plot([minute(0), minute(1), minute(500), minute(1_000)])[0]
    assert came == "        came | ▁▄█| up to 1000.0"
    assert plot([minute(0)])[0] == "        came | | up to 0.0"


def test_a_long_day_fits_a_line() -> None:
    """Minutes share a column, which shows their highest."""
    day = [minute(1) for _ in range(5 * PLOT_COLUMNS)]
    day[123] = minute(900)
    marks = plot(day)[0].split("|")[1]
    assert len(marks) == PLOT_COLUMNS
    assert marks.count("█") == 1


def test_delays_are_told_by_their_middle_and_their_end() -> None:
    """In the units that are read."""
    delays = Delays([0.010 * each for each in range(1, 101)], [])
    assert sums(Minutes(60.0, [minute(1)]), delays)[0] == (
        "decided after p50 505 ms, p99 990 ms, at most 1.0 s; told after -"
    )


def test_a_day_is_warm_when_half_of_it_has_come() -> None:
    """In whole minutes; the burst is none of the day."""
    day = [minute(10), minute(10), minute(30), minute(30), minute(500, burst=True)]
    assert Minutes(240.0, day).half_came() == 120.0


def test_the_memory_of_a_program_is_what_it_and_its_children_hold() -> None:
    """What is allocated here is seen here, and none is where no process is."""
    before = resident(os.getpid())
    with mmap(-1, 32 * MIB, MAP_PRIVATE) as held:  # new to the program; what it has freed is not
        held.write(b"x" * len(held))
        assert resident(os.getpid()) - before > len(held) // 2
    assert resident(0) == 0
