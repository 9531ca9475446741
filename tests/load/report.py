"""The report of a day as plain text: a table by the minute, its plot, and what it comes to."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from tests.load.floor import Delays
from tests.load.minutes import COUNTS, MIB, Minute, Minutes
from tests.load.verdicts import halves

LEVELS = " ▁▂▃▄▅▆▇█"
PROGRAMS = ("ingest", "router", "history", "notify", "nats", "postgres")
PLOT_COLUMNS = 100


def table(minutes: Sequence[Minute]) -> list[str]:
    """Return a line for every minute. `oldest`: how long the oldest undecided contact had waited, in seconds.

    The programs' columns are their memory in MiB.
    """
    head = [*COUNTS, "undecided", "oldest s", *PROGRAMS]
    lines = ["minute " + " ".join(f"{name:>9}" for name in head)]
    for number, minute in enumerate(minutes, 1):
        counts = [f"{minute.counted.get(name, 0):9}" for name in COUNTS]
        most = f"{_most_undecided(minute):9}"
        memory = [f"{_memory(minute, name) / MIB:9.0f}" for name in PROGRAMS]
        row = " ".join([*counts, most, f"{_oldest(minute):9.1f}", *memory])
        lines.append(f"{number:>4}{' *' if minute.burst else '  '} {row}")
    return [*lines, "* the burst, and what comes after it; of the programs MiB"]


def plot(minutes: Sequence[Minute]) -> list[str]:
    """Return a line of columns for each figure, from nothing to its highest."""
    figures: dict[str, Callable[[Minute], float]] = {
        **{name: _count(name) for name in COUNTS},
        "oldest s": _oldest,
        **{f"{name} MiB": _megabytes(name) for name in PROGRAMS},
    }
    return [_columns(name, [of(each) for each in minutes]) for name, of in figures.items()]


def _columns(name: str, values: Sequence[float]) -> str:
    """Return one line of a plot; of a long time several minutes share a column, which shows their highest."""
    wide = -(-len(values) // PLOT_COLUMNS) if values else 1
    shown = [max(values[at : at + wide]) for at in range(0, len(values), wide)]
    top = max(shown, default=0.0)
    scale = (len(LEVELS) - 1) / top if top else 0.0
    marks = "".join(LEVELS[-(-int(each * scale * 1_000) // 1_000)] for each in shown)
    return f"{name:>12} |{marks}| up to {top:.1f}"


def _count(name: str) -> Callable[[Minute], float]:
    return lambda minute: float(minute.counted.get(name, 0))


def _megabytes(name: str) -> Callable[[Minute], float]:
    return lambda minute: _memory(minute, name) / MIB


def _oldest(minute: Minute) -> float:
    return max((each.oldest_seconds for each in minute.looks), default=0.0)


def _most_undecided(minute: Minute) -> int:
    return max((each.undecided for each in minute.looks), default=0)


def _memory(minute: Minute, name: str) -> float:
    found = [each.memory[name] for each in minute.looks if name in each.memory]
    return statistics.median(found) if found else 0.0


def sums(minutes: Minutes, delays: Delays) -> list[str]:
    """Return what the whole time comes to."""
    told = {
        name: f"{name} {before / MIB:.0f} -> {after / MIB:.0f}"
        for name, (before, after) in halves(minutes.of_day(), minutes.half_came()).items()
    }
    return [
        f"decided after {_spread(delays.decided)}; told after {_spread(delays.told)}",
        f"memory of a warm day, first half and second, MiB: {', '.join(told.values())}",
    ]


def _spread(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return "-"
    percentiles: Mapping[int, float] = dict(
        enumerate(statistics.quantiles(seconds, n=100, method="inclusive"), 1)
    )
    middle, high = percentiles[50], percentiles[99]
    return f"p50 {middle * 1e3:.0f} ms, p99 {high * 1e3:.0f} ms, at most {max(seconds):.1f} s"
