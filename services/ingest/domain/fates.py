"""What became of each delivery, computed from the delivery and the ids that history knows (I12)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

Fate = Literal["accepted", "duplicate", "ignored", "quarantined", "missing"]


def counted(fates: Counter[Fate]) -> dict[str, int]:
    """Return the fields of `queries.Counts`: how many deliveries were received and what became of them."""
    return {"received": fates.total(), **{str(fate): number for fate, number in fates.items()}}


def fate_of(
    sequence: int, ids: Sequence[str], first_seen: Mapping[str, int], *, quarantined: bool
) -> Fate:
    """Return what became of the delivery at a position of RAW.

    `ids`: of the events it makes, [] when it is ignored; `first_seen`: id -> position in RAW of the delivery that
    the ledger's event came from. It is accepted when one of its ids was first seen here, a duplicate when all were
    seen elsewhere, missing while the ledger lacks one.
    """
    if not ids:
        return "ignored"
    if any(event_id not in first_seen for event_id in ids):
        return "missing"
    if all(first_seen[event_id] != sequence for event_id in ids):
        return "duplicate"
    return "quarantined" if quarantined else "accepted"
