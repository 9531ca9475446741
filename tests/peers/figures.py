"""Alternating rounds of several stores, and the table that is made of them. Only ratios within a round travel."""

import os
import resource
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Figure:
    """One store doing one thing. `seconds`, `cpu`: of an operation, per round; CPU of this process and servers."""

    store: str
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


@dataclass
class Workload:
    """One thing that stores were asked to do, ours first. `unit`: what an operation is."""

    what: str
    unit: str
    figures: Sequence[Figure]

    def of(self, store: str) -> Figure:
        """Return the first figure of a store."""
        return next(figure for figure in self.figures if figure.store.startswith(store))

    def lines(self) -> list[str]:
        """Return a line a store: operations a second, how many times as many ours are, CPU of an operation."""
        ours = self.figures[0]
        shown = [f"{self.what} ({self.unit})"]
        for figure in self.figures:
            rate = 1 / statistics.median(figure.seconds)
            times = "" if figure is ours else _spread(ratios(ours, figure))
            cpu = statistics.median(figure.cpu) * 1e6
            shown.append(f"    {figure.store:<42} {rate:>10,.0f} {times:>24} {cpu:>10,.0f}")
        return shown


HEAD = f"{'':<46} {'a second':>10} {'ours / theirs':>24} {'CPU us':>10}"


def ratios(ours: Figure, theirs: Figure) -> list[float]:
    """Return per round how many times as quick ours was, sorted."""
    pairs = zip(ours.seconds, theirs.seconds, strict=True)
    return sorted(other / mine for mine, other in pairs)


def _spread(found: Sequence[float]) -> str:
    return f"{found[0]:6.2f} {statistics.median(found):7.2f} {found[-1]:7.2f}"


def asked(what: str, wanted: float, ours: Figure, theirs: Figure) -> str:
    """Return the line of a goal: what was wanted, what is there."""
    there = statistics.median(ratios(ours, theirs))
    said = "met" if there >= wanted else "MISSED"
    return f"{what}: asked {wanted:g}, is {there:.2f}, {said}"


@dataclass(frozen=True, slots=True)
class Side:
    """One store in one workload. `pids`: its servers.

    `share` makes the part of a round ready before the clock runs, and returns what does it and says how many operations
    that were.
    """

    store: str
    pids: Sequence[int]
    share: Callable[[int], Callable[[], Awaitable[int]]]


async def alternate(what: str, unit: str, rounds: int, sides: Sequence[Side]) -> Workload:
    """Let every store do its share once a round, forth and back in turns; round 0 is not counted."""
    found = Workload(what, unit, [Figure(side.store) for side in sides])
    for number in range(rounds + 1):
        order = list(zip(sides, found.figures, strict=True))
        for side, figure in order if number % 2 else reversed(order):
            work = side.share(number)
            spent, began = cpu_seconds(side.pids), time.perf_counter()
            count = await work()
            seconds = time.perf_counter() - began
            if number:
                figure.seconds.append(seconds / count)
                figure.cpu.append((cpu_seconds(side.pids) - spent) / count)
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU that this process, the children it has waited for, and servers with theirs have used."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime + _servers(pids)


def _servers(pids: Sequence[int]) -> float:
    """Return the CPU of processes and all below them; 0 where there is no /proc."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        stats[int(path.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    wanted = set(pids)
    while below := {pid for pid, (parent, _) in stats.items() if parent in wanted} - wanted:
        wanted |= below
    return sum(stats[pid][1] for pid in wanted if pid in stats) / TICKS_A_SECOND


TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
