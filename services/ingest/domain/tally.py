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
    of those of which the ledger lacks an event, be it late or lost; `parked`: of those that an operator may still have
    decided, or give up. Both are looked at again.
    """

    raw: str
    position: int = 0
    fates: dict[Fate, int] = {}
    undecided: tuple[int, ...] = ()
    parked: tuple[int, ...] = ()

    @property
    def unsettled(self) -> tuple[int, ...]:
        """The positions that are looked at again, in order."""
        return tuple(sorted((*self.undecided, *self.parked)))

    def counts(self) -> dict[str, Any]:
        """Return the fields of `queries.Counts`: what is undecided is missing."""
        open_ones: dict[Fate, int] = {"missing": len(self.undecided), "parked": len(self.parked)}
        return counted(Counter(self.fates) + Counter(open_ones))


def take(tally: Tally, found: Iterable[tuple[int, Fate]]) -> Tally:
    """Return the tally with deliveries, by position, and their fates: new ones, or such as were unsettled."""
    fates, undecided, parked = Counter(tally.fates), set(tally.undecided), set(tally.parked)
    position = tally.position
    for sequence, fate in found:
        undecided.discard(sequence)
        parked.discard(sequence)
        match fate:
            case "missing":
                undecided.add(sequence)
            case "parked":
                parked.add(sequence)
            case _:
                fates[fate] += 1
        position = max(position, sequence)
    return _standing(replace(tally, position=position), fates, undecided, parked)


def lose(tally: Tally, gone: Iterable[int]) -> Tally:
    """Return the tally after RAW let go of deliveries that were unsettled: what they were they stay."""
    gone, fates = set(gone), Counter(tally.fates)
    fates["missing"] += len(gone.intersection(tally.undecided))
    fates["parked"] += len(gone.intersection(tally.parked))
    return _standing(tally, +fates, set(tally.undecided) - gone, set(tally.parked) - gone)


def _standing(tally: Tally, fates: Counter[Fate], undecided: set[int], parked: set[int]) -> Tally:
    return replace(
        tally,
        fates=dict(fates),
        undecided=tuple(sorted(undecided)),
        parked=tuple(sorted(parked)),
    )
