"""Alternating rounds and what they say: every figure is a ratio of two things measured in the same round."""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

LEAST_ROUNDS = 3
BUDGET_SECONDS = 12.0
"""No comparison begins another round after this, so that all of it ends in less than 90 s on a busy machine too."""

Side = Callable[[int], Awaitable[float]]
"""Measures one side in the round of that number; returns seconds."""


@dataclass
class Ratios:
    """A comparison. `ours` and `bare`: seconds per round; `operations`: how many each of them did in a round."""

    what: str
    operations: int
    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Return min, median and max of the rounds' ratios, and what both sides took in the middle."""
        ratios = sorted(a / b for a, b in zip(self.ours, self.bare, strict=True))
        ours, bare = (
            statistics.median(side) / self.operations * 1_000 for side in (self.ours, self.bare)
        )
        return (
            f"{self.what:<44} {ratios[0]:6.2f} {statistics.median(ratios):7.2f} {ratios[-1]:7.2f}"
            f"   {ours:8.3f} ms {bare:8.3f} ms   {len(ratios)} x {self.operations}"
        )


HEAD = f"{'':<44} {'min':>6} {'median':>7} {'max':>7}   {'ours':>11} {'bare':>11}   rounds x operations"


async def alternate(what: str, rounds: int, operations: int, ours: Side, bare: Side) -> Ratios:
    """Measure both sides once per round, the one that begins changing each time; round 0 is not counted."""
    found = Ratios(what, operations)
    pace = Pace()
    for number in range(rounds + 1):
        if pace.spent(number - 1):
            break
        sides = [(found.ours, ours), (found.bare, bare)]
        for seconds, side in sides if number % 2 else reversed(sides):
            taken = await side(number)
            if number:
                seconds.append(taken)
    return found


class Pace:
    """Says when a comparison has taken long enough."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def spent(self, rounds: int) -> bool:
        """Tell whether the budget is spent; never before LEAST_ROUNDS."""
        return rounds >= LEAST_ROUNDS and time.monotonic() - self._began > BUDGET_SECONDS


async def timed(work: Awaitable[object]) -> float:
    """Return how many seconds something took."""
    began = time.perf_counter()
    await work
    return time.perf_counter() - began
