"""What is looked at while a day goes on: counts by the minute, who waits, and the memory of every program."""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from tests.faults.asking import wait
from tests.faults.proving import family
from tests.load.floor import Floor

LOOK_SECONDS = 2.0
COUNTS = ("came", "decided", "offered", "told", "taken", "resolved")
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Look:
    """One look. `seconds`: since the day began; `undecided`: how many, `oldest_seconds`: the longest of them;
    `memory`: bytes by program."""

    seconds: float
    undecided: int
    oldest_seconds: float
    memory: Mapping[str, int]


@dataclass
class Minute:
    """A line of the report. `counted`: how often what happened; `looks`: those of this minute.

    `burst`: whether it is of the burst, or of what comes after it.
    """

    counted: Mapping[str, int]
    looks: Sequence[Look]
    burst: bool = False


@dataclass
class Minutes:
    """The whole time, by the minute. `day_seconds`: how long the day is; the burst comes after it."""

    day_seconds: float
    lines: list[Minute] = field(default_factory=list)

    async def watch(self, floor: Floor) -> None:
        """Look again and again; until cancelled."""
        began, before = time.monotonic(), Counter[str]()
        looks: list[Look] = []
        while True:
            seconds = time.monotonic() - began
            if seconds >= 60.0 * (len(self.lines) + 1):
                now = self._counts(floor)
                burst = 60.0 * len(self.lines) >= self.day_seconds
                self.lines.append(Minute(now - before, looks, burst))
                before, looks = now, []
            looks.append(look(floor, seconds))
            await wait(LOOK_SECONDS)

    def of_day(self) -> list[Look]:
        """Return the looks of the day, without the burst and what comes after it."""
        return [look for line in self.lines if not line.burst for look in line.looks]

    def half_came(self) -> float:
        """Return after how many seconds half of the day's contacts had come."""
        came = [line.counted["came"] for line in self.lines if not line.burst]
        return 60.0 * sum(2 * each <= sum(came) for each in accumulate(came))

    def _counts(self, floor: Floor) -> Counter[str]:
        came = len(floor.observed.acknowledged)
        return Counter({**{name: floor.counted[name] for name in COUNTS}, "came": came})


def look(floor: Floor, seconds: float) -> Look:
    """Look once."""
    undecided = floor.undecided()
    memory = {name: resident(pid) for name, pid in floor.stack.status().pids.items()}
    return Look(seconds, len(undecided), floor.oldest_seconds(), memory)


def resident(pid: int) -> int:
    """Return the resident memory of a program and all that it has started, in bytes.

    Memory that processes share is left out: Postgres fills a cache there, whose size is set. A mapped file counts once.
    """
    own, mapped = 0, 0
    for each in family(pid):
        try:
            lines = Path(f"/proc/{each}/status").read_text("ascii").splitlines()
        except OSError:
            continue
        kib = {name: int(value.split()[0]) for name, value in _fields(lines)}
        own += kib.get("RssAnon", 0)
        mapped = max(mapped, kib.get("RssFile", 0))
    return (own + mapped) * 1024


def _fields(lines: list[str]) -> list[tuple[str, str]]:
    pairs = (line.partition(":")[::2] for line in lines)
    return [(name, value) for name, value in pairs if name.startswith("Rss")]


def load_average() -> float:
    """Return how many processes wanted a core in the last minute, ours and others'."""
    return os.getloadavg()[0]
