"""What a table is: a row, and how an event changes rows or a fold is kept in them; what an answer reads. Pure."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import UnionType
from typing import Any, Generic, TypeVar

import msgspec

from services.history.tables import paging
from services.history.tables.row import AddedRow, Key, ReplacedRow
from shared.aggregates import Kind
from shared.events import Event
from shared.ledger import Recorded
from shared.policy import Policy
from shared.queries import Answer, AskPosition, ListQuestion

K = TypeVar("K")
V = TypeVar("V")
State = TypeVar("State")
Line = TypeVar("Line", bound=msgspec.Struct)


class Step(msgspec.Struct, Generic[State], frozen=True, gc=False):
    """An event and the row of the fold that the event belongs to, before and after the event.

    `settled`: the latest store time of all events up to this one.
    """

    recorded: Recorded
    settled: datetime
    key: Key
    before: State
    after: State


@dataclass(frozen=True, slots=True, eq=False)
class Fold(Generic[State]):
    """A table that keeps a fold per row: read before a batch, gone on with, and written as the batch leaves it.

    Attributes:
        kind: of the aggregates whose events are folded.
        key: which row an event belongs to, `None` for none; without it that of the aggregate.
        empty: the state before the first event; it is never written.
        evolve: the state after an event.
        write: the row of a state.
        read: the state in the `state` that the query `<table>_before` returns.
        beside: the fold of the same aggregates beside which it is kept; then no table is made of it.
        on: of such a fold the types of the events that change it.
    """

    row: type[ReplacedRow]
    kind: Kind
    empty: State
    evolve: Callable[[State, Recorded], State]
    write: Callable[[Key, State], ReplacedRow]
    read: Callable[[bytes], State]
    key: Callable[[Recorded], Key | None] | None = None
    beside: "Fold[Any] | None" = None
    on: frozenset[type] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Table(Generic[State]):
    """A table with the rows that each event of a fold changes; of every event, where `of` is `None`.

    `on`: the only events that change it.
    """

    row: type[AddedRow | ReplacedRow]
    rows: Callable[[Step[State]], Iterable[AddedRow | ReplacedRow]]
    of: Fold[State] | None = None
    on: type | UnionType = Event


def changed(before: Mapping[K, V], after: Mapping[K, V]) -> list[V]:
    """Return the values that an event changed; a fold shares the others."""
    if before is after:
        return []
    return [value for key, value in after.items() if before.get(key) is not value]


# -- answers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """One tenant's snapshot of the tables, for one answer.

    `fetch`: the rows of a named query with its arguments; `count`: how many these are, as its only row's `count`, or
    how many values of a column `distinct` they have; `position`: the ledger position that the snapshot is true for;
    `rows_max`: how many an answer may have.
    """

    fetch: Callable[..., Awaitable[Sequence[Mapping[str, Any]]]]
    count: Callable[..., Awaitable[Sequence[Mapping[str, Any]]]]
    position: Callable[[], Awaitable[int]]
    policy: Policy
    rows_max: int

    async def rows(self, name: str, *arguments: Any) -> Sequence[Mapping[str, Any]]:
        """Return the rows of a named query about the tenant."""
        return await self.fetch(name, self.policy.tenant, *arguments)

    async def first(self, name: str, *arguments: Any) -> Mapping[str, Any] | None:
        """Return the first row of a named query about the tenant; `None` when there is none."""
        rows = await self.rows(name, *arguments)
        return rows[0] if rows else None

    def limit(self, asked: ListQuestion[Any]) -> int:
        """Return how many lines a page may have."""
        return min(asked.limit or self.rows_max, self.rows_max)

    async def page(
        self,
        kind: type[Line],
        name: str,
        *filters: Any,
        asked: ListQuestion[Any],
        distinct: str | None = None,
    ) -> paging.Page[Line]:
        """Return the lines that a list question asks for.

        The page's `count` is of all lines, or of the values of a column `distinct` in them.
        Raises: CommandUnreadable for an `after` that no answer gave.
        """
        place, limit = paging.place(asked.after, name), self.limit(asked)
        count = await self.counted(name, *filters, distinct=distinct)
        rows = await self.behind(place, name, *filters, limit=limit)
        return paging.page(kind, name, rows, limit, count)

    async def counted(self, name: str, *filters: Any, distinct: str | None = None) -> int:
        """Return how many rows a list has, or values of its column `distinct`."""
        everything = (None, None, None)
        (row,) = await self.count(
            name, self.policy.tenant, *filters, *everything, distinct=distinct
        )
        return int(row["count"])

    async def behind(
        self, place: paging.Place | None, name: str, *filters: Any, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """Return the rows of a list behind a place, one more than a page has; from the beginning with `None`.

        The named query takes the tenant, its filters, the place behind which it begins (`page_at`, `page_id`, both
        NULL at the beginning), and the limit.
        """
        return await self.rows(name, *filters, *(place or (None, None)), limit + 1)


async def position(reading: Reading, _: AskPosition) -> Answer:
    """Answer how far the tables are."""
    return Answer(position=await reading.position())
