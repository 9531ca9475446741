"""From events to rows: pure, and the same whether events come one by one or all at once.

Conversations and customers go through the folds that the router decides with; the rows are what those folds say.
"""

import functools
import hashlib
import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from services.history.tables import TABLES
from services.history.tables.row import Key, Row
from services.history.tables.table import Fold, Step, Table
from shared import aggregates, events
from shared.ledger import Recorded

States = dict[Fold[Any], dict[Key, Any]]
"""The state of each fold's rows, as far as a batch touches them."""

Changes = dict[type[Row], dict[Hashable, Row]]
"""The rows that a batch writes, by table and key: of several for one key the last one counts."""

Written = list[
    tuple[Callable[[Step[Any]], Iterable[Row]], dict[Hashable, Row], Callable[[Row], Hashable]]
]
"""What an event writes: how its rows are made, where they are collected, and under which key."""

AGGREGATES_AT_HAND = 4_096
_EVERY_FOLD = [table for table in TABLES if isinstance(table, Fold)]
_FOLDS = {fold.kind.prefix: fold for fold in _EVERY_FOLD if fold.beside is None}
_KEY_OF = {table.row: attrgetter(*table.row.key) for table in TABLES}


def wanted(batch: Iterable[Recorded]) -> States:
    """Return the states that a batch touches, each as if it were new."""
    states: States = {fold: {} for fold in _EVERY_FOLD}
    for recorded in batch:
        fold, key = _belongs_to(recorded)
        if fold is not None:
            states[fold][key] = fold.empty
            for other in _kept_beside(fold, type(recorded.event)):
                states[other][key] = other.empty
    return states


def project(batch: Sequence[Recorded], states: States, settled: datetime) -> Changes:
    """Return the rows that a batch changes. Moves `states` from before the batch to after it, in place.

    `settled`: the latest store time of all events before the batch.
    """
    latest = itertools.accumulate((recorded.stored for recorded in batch), max, initial=settled)
    return project_settled(batch, states, list(latest)[1:])


def project_settled(
    batch: Sequence[Recorded], states: States, settled: Iterable[datetime]
) -> Changes:
    """As `project`; `settled`: for each event the latest store time up to it, of those outside the batch, too."""
    changes: Changes = {table.row: {} for table in TABLES}
    given = {fold: dict(touched) for fold, touched in states.items()}
    written_by: dict[tuple[Fold[Any] | None, type], Written] = {}
    for recorded, latest in zip(batch, settled, strict=True):
        fold, key = _belongs_to(recorded)
        before = after = None
        if fold is not None:
            before = states[fold][key]
            after = states[fold][key] = fold.evolve(before, recorded)
            for other in _kept_beside(fold, type(recorded.event)):
                states[other][key] = other.evolve(states[other][key], recorded)
        step = Step(recorded, latest, key, before, after)
        place = fold, type(recorded.event)
        if place not in written_by:
            tables = _changed_by(*place)
            written_by[place] = [(t.rows, changes[t.row], _KEY_OF[t.row]) for t in tables]
        for rows_of, rows, key_of in written_by[place]:
            for row in rows_of(step):
                rows[key_of(row)] = row
    for fold, touched in states.items():
        for key, state in touched.items():
            if state is not given[fold][key]:
                changes[fold.row][key] = fold.write(key, state)
    return changes


@functools.cache
def _changed_by(fold: Fold[Any] | None, kind: type) -> list[Table[Any]]:
    """Return the tables that an event of this type changes, when it belongs to this fold."""
    tables = (table for table in TABLES if isinstance(table, Table) and table.of in {None, fold})
    return [table for table in tables if issubclass(kind, table.on)]


def _belongs_to(recorded: Recorded) -> tuple[Fold[Any] | None, Key]:
    """Return the fold that an event changes and the key of its row there; `None` for an event of no fold."""
    fold, own = _owner_of(recorded.event.tenant, recorded.aggregate)
    if isinstance(recorded.event, events.EntryRejected):
        return None, own  # what was rejected changes no row, wherever it stands
    if fold is None or fold.key is None:
        return fold, own
    key = fold.key(recorded)
    return (None, own) if key is None else (fold, key)


@functools.cache
def _kept_beside(fold: Fold[Any], kind: type) -> list[Fold[Any]]:
    """Return the folds beside this one that an event of this type changes, in the row with the same key."""
    return [each for each in _EVERY_FOLD if each.beside is fold and kind in each.on]


@functools.lru_cache(AGGREGATES_AT_HAND)
def _owner_of(tenant: str, aggregate: str) -> tuple[Fold[Any] | None, Key]:
    """Return the fold of an aggregate's kind and the aggregate's own key."""
    prefix, name = aggregates.split(aggregate)
    return _FOLDS.get(prefix), (tenant, name)


def chain(rolling: bytes, batch: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the rolling digest after (sequence, body) of each: SHA-256 over the digest before, sequence and body."""
    for sequence, stored in batch:
        body = hashlib.sha256(stored).digest()
        rolling = hashlib.sha256(rolling + sequence.to_bytes(8, "big") + body).digest()
    return rolling
