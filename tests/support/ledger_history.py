"""What writers did and what the ledger holds: one checker tells whether the two agree."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shared.ledger import Guard, Recorded, Write

Outcome = Literal["acknowledged", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One append as its writer saw it. Event ids are used by one attempt only."""

    writes: Sequence[Write]
    guards: Sequence[Guard]
    outcome: Outcome
    sequences: Sequence[int] = ()

    @property
    def ids(self) -> list[str]:
        return [str(event.id) for write in self.writes for event in write.events]


@dataclass(slots=True)
class History:
    """All attempts of one run. `seed` makes the run again."""

    seed: int
    attempts: list[Attempt] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        """Return how many attempts ended so."""
        return sum(attempt.outcome == outcome for attempt in self.attempts)


def check(history: History, stored: Sequence[Recorded]) -> list[str]:
    """Return every violation, each as one line; [] when the ledger is what the writers were told.

    `stored`: everything the ledger holds from before the first attempt on, or at least every written aggregate.
    """
    at = {str(recorded.event.id): recorded for recorded in stored}
    violations = [*_contiguous(stored)]
    if len(at) != len(stored):
        violations.append("an event is stored twice")
    for attempt in history.attempts:
        violations += _attempt(attempt, at, stored)
    return violations


def _contiguous(stored: Sequence[Recorded]) -> Iterable[str]:
    for before, after in itertools.pairwise(stored):
        if after.sequence != before.sequence + 1:
            yield f"sequence {before.sequence} is followed by {after.sequence}"


def _attempt(
    attempt: Attempt, at: dict[str, Recorded], stored: Sequence[Recorded]
) -> Iterable[str]:
    found = [at[i] for i in attempt.ids if i in at]
    lost = [recorded.sequence for recorded in found] != list(attempt.sequences)
    if attempt.outcome == "acknowledged" and lost:
        yield f"acknowledged at {list(attempt.sequences)} and not there"
    if attempt.outcome == "refused" and found:
        yield f"refused and stored at {found[0].sequence}"
    if not found:
        return
    if len(found) != len(attempt.ids):
        yield f"a part of a batch is stored at {found[0].sequence}"
    first = min(recorded.sequence for recorded in found)
    if sorted(r.sequence for r in found) != list(range(first, first + len(found))):
        yield f"a batch is interrupted at {first}"
    beliefs = [(write.aggregate, write.expected) for write in attempt.writes]
    beliefs += [(guard.aggregate, guard.expected) for guard in attempt.guards]
    for aggregate, expected in beliefs:
        stood = max(
            (r.sequence for r in stored if r.aggregate == aggregate and r.sequence < first),
            default=0,
        )
        if stood != expected:
            yield f"stored at {first} although {aggregate} stood at {stood}, not {expected}"
