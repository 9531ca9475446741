"""The balance: what became of each delivery, computed from the delivery and the ids that history knows (I12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

Fate = Literal["accepted", "duplicate", "ignored", "quarantined", "missing"]


class Counts(msgspec.Struct, kw_only=True):
    """How many deliveries were received and what became of them; without a loss `missing` is 0."""

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    ignored: int = 0
    quarantined: int = 0
    missing: int = 0

    def count(self, fate: Fate) -> None:
        self.received += 1
        setattr(self, fate, getattr(self, fate) + 1)

    def add(self, other: Counts) -> None:
        for name in Counts.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def fate(
    sequence: int, ids: Sequence[str], first_seen: Mapping[str, int], *, quarantined: bool
) -> Fate:
    """Return what became of the delivery at a position of RAW.

    `ids`: of the events it makes, [] when it is ignored; `first_seen`: id -> position in RAW of the delivery that
    the ledger's event came from. It is accepted when one of its ids was first seen here, a duplicate when all were
    seen elsewhere, missing while the ledger lacks one.
    """
    if not ids:
        return "ignored"
    if any(each not in first_seen for each in ids):
        return "missing"
    if all(first_seen[each] != sequence for each in ids):
        return "duplicate"
    return "quarantined" if quarantined else "accepted"
