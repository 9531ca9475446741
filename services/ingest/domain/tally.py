"""What was counted of an account's deliveries so far: kept beside RAW, and gone on with."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from services.ingest.domain.fates import Fate, counted


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The fates of an account's deliveries up to a position of RAW, that one included.

    `raw`: which RAW, by the time of its making; `fates`: of those that are settled, by number; `undecided`: positions
    of those of which the ledger lacks an event, be it late or lost: they are looked at again.
    """

    raw: str
    position: int = 0
    fates: dict[Fate, int] = {}
    undecided: tuple[int, ...] = ()

    def counts(self) -> dict[str, Any]:
        """Return the fields of `queries.Counts`: what is undecided is missing."""
        return counted(Counter(self.fates) + Counter({"missing": len(self.undecided)}))


def take(tally: Tally, found: Iterable[tuple[int, Fate]]) -> Tally:
    """Return the tally with deliveries, by position, and their fates: new ones, or such as were undecided."""
    fates, undecided, position = Counter(tally.fates), set(tally.undecided), tally.position
    for sequence, fate in found:
        if fate == "missing":
            undecided.add(sequence)
        else:
            undecided.discard(sequence)
            fates[fate] += 1
        position = max(position, sequence)
    return replace(tally, position=position, fates=dict(fates), undecided=tuple(sorted(undecided)))


def lose(tally: Tally, gone: Iterable[int]) -> Tally:
    """Return the tally after RAW let go of deliveries that were undecided: they stay missing."""
    lost = set(gone) & set(tally.undecided)
    if not lost:
        return tally
    fates = dict(tally.fates)
    fates["missing"] = fates.get("missing", 0) + len(lost)
    return replace(tally, fates=fates, undecided=tuple(s for s in tally.undecided if s not in lost))
