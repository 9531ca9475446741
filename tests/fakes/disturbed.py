"""What becomes of a provider's deliveries on their way: told twice, out of order, late, cut, or never."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """How often each happens to a delivery, from 0 to 1. `late_by`: so many others pass a late one at most."""

    twice: float = 0.3
    late: float = 0.3
    cut: float = 0.0
    lost: float = 0.0
    late_by: int = 5


def disturbed(
    deliveries: Sequence[T],
    seed: int,
    how: Disturbance,
    cut: Callable[[T], T] | None = None,
) -> list[T]:
    """Return deliveries as they arrive. What arrives cut was not acknowledged, and comes again whole."""
    chance = random.Random(seed)
    arriving: list[tuple[float, T]] = []

    def arrives(place: int, what: T) -> None:
        late = chance.uniform(0.0, how.late_by) if chance.random() < how.late else 0.0
        arriving.append((place + late, what))

    for place, each in enumerate(deliveries):
        if chance.random() < how.lost:
            continue
        if cut is not None and chance.random() < how.cut:
            arrives(place, cut(each))
        arrives(place, each)
        if chance.random() < how.twice:
            arrives(place, each)
    return [each for _, each in sorted(arriving, key=lambda timed: timed[0])]
