"""When customers come, by which way, and who comes back: a day of a shop, planned from a seed."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

CONTACTS_PER_HOUR = 5_000
"""A day of a large shop in an hour, 1.4 a second on average: an assumption, so that two cores hold five times of it."""
CONTACTS_MAX = 50_000

Way = Literal["chat", "mail", "phone", "social", "form"]
WAYS: dict[Way, float] = {"chat": 0.40, "mail": 0.35, "phone": 0.15, "social": 0.05, "form": 0.05}
"""What part of the contacts comes by which way."""
BACK = 0.35
"""What part comes from somebody who came before, by whatever way: an assumption, as there is no figure of any shop."""
RECENT_PEOPLE = 400

HOURS = (
    *(0.4, 0.2, 0.15, 0.1, 0.1, 0.2),
    *(0.5, 1.0, 1.8, 2.6, 3.0, 2.9),
    *(2.4, 2.3, 2.5, 2.6, 2.4, 2.1),
    *(1.9, 1.9, 1.8, 1.5, 1.0, 0.65),
)
"""How busy each hour of the day is. Published counts of a bank's calls rise steeply from eight, are highest before
noon, dip at lunch and rise again (Brown, Zhao, Shen, Mandelbaum, "Multifactor Poisson and Gamma-Poisson models for call
center arrival times", 2004, which also finds that an inhomogeneous Poisson process describes them well). The shop's
evening is an assumption: people write when they are at home."""
EVEN = (1.0,)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody comes. `seconds`: since the day began; `person`: her number, lower ones have come before."""

    number: int
    seconds: float
    way: Way
    person: int

    @property
    def marker(self) -> str:
        """What her words hold, and the id of her call."""
        return f"m{self.number}x"


def planned(
    chance: random.Random,
    wanted: float,
    seconds: float,
    hours: Sequence[float] = HOURS,
    before: Sequence[Arrival] = (),
    ways: Mapping[Way, float] = WAYS,
) -> list[Arrival]:
    """Return some `wanted` arrivals within `seconds`, in order, as the weights of `hours` spread them.

    `before`: who came on the same day already: numbers go on from there, and people come back. At most CONTACTS_MAX
    come.
    """
    numbers = itertools.count(len(before) + 1)
    recent = [each.person for each in before][-RECENT_PEOPLE:]
    people = max((each.person for each in before), default=0)
    found = []
    for at in itertools.islice(_moments(chance, wanted, seconds, hours), CONTACTS_MAX):
        if recent and chance.random() < BACK:
            person = chance.choice(recent)
        else:
            person = people = people + 1
        recent = [*recent[-RECENT_PEOPLE + 1 :], person]
        (way,) = chance.choices(list(ways), list(ways.values()))
        found.append(Arrival(next(numbers), at, way, person))
    return found


def _moments(
    chance: random.Random, wanted: float, seconds: float, hours: Sequence[float]
) -> Iterator[float]:
    """Yield the moments of a Poisson process whose rate follows `hours`: those of an even one, on a bent clock."""
    total, step = math.fsum(hours), seconds / len(hours)
    ends = list(itertools.accumulate(each * wanted / total for each in hours))
    passed = 0.0
    while (passed := passed + chance.expovariate(1.0)) < ends[-1]:
        hour = next(n for n, end in enumerate(ends) if passed < end)
        began = ends[hour - 1] if hour else 0.0
        yield step * (hour + (passed - began) / (ends[hour] - began))
