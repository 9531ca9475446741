"""What became of each delivery, computed from the delivery and the ids that history knows (I12)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from shared.queries import SetAsideState

Fate = Literal["accepted", "duplicate", "ignored", "quarantined", "parked", "skipped", "missing"]


def counted(fates: Counter[Fate]) -> dict[str, int]:
    """Return the fields of `queries.Counts`: how many deliveries were received and what became of them."""
    return {"received": fates.total(), **{str(fate): number for fate, number in fates.items()}}


def fate_of(
    sequence: int,
    ids: Sequence[str],
    first_seen: Mapping[str, int],
    set_aside: Mapping[str, SetAsideState],
    *,
    quarantined: bool,
) -> Fate:
    """Return what became of the delivery at a position of RAW.

    `ids`: of the events it makes, [] when it is ignored; `first_seen`: id -> position in RAW of the delivery that the
    ledger's event came from, be it a fact or parked; `set_aside`: how those stand that were parked and became no fact.
    It is missing while the ledger lacks one of its ids, a duplicate when all were first seen elsewhere; else parked or
    skipped when one of those first seen here is, and accepted when none is.
    """
    if not ids:
        return "ignored"
    if any(event_id not in first_seen for event_id in ids):
        return "missing"
    here = [event_id for event_id in ids if first_seen[event_id] == sequence]
    if not here:
        return "duplicate"
    states = {set_aside[event_id] for event_id in here if event_id in set_aside}
    if states:
        return "parked" if "parked" in states else "skipped"
    return "quarantined" if quarantined else "accepted"
