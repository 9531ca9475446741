"""Each table is what its row struct says: the struct, the database's own catalogue and the stored rows agree."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import asdict

from services.history.project import project, wanted
from services.history.projection import Projection
from services.history.store import NUL_STANDS_AS, Session
from services.history.tables import ANSWERED_BY, TABLES
from services.history.tables.callback import CallbackRow
from services.history.tables.row import ReplacedRow, Row, columns
from services.history.tables.timeline import WORDS
from shared.queries import QUERIES, AskAsOf
from tests.history.handwritten_ledger import part_types
from tests.history.parcel_story import ParcelStory

EPOCH = datetime.fromtimestamp(0, UTC)
HOLDS: Mapping[type, set[str]] = {
    str: {"text"},
    int: {"bigint", "integer"},
    bool: {"boolean"},
    bytes: {"bytea"},
    datetime: {"timestamp with time zone"},
}
CATALOGUE = """
SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
    NOT a.attnotnull AS nullable, array_position(i.indkey::int2[], a.attnum) AS key
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = 'history_g1'::regnamespace AND c.relkind = 'r'
ORDER BY c.relname, a.attnum
"""

Catalogue = Mapping[str, Sequence[Mapping[str, Any]]]


@pytest_asyncio.fixture
async def server(dsn: str, session: Session) -> AsyncIterator[asyncpg.Connection]:
    """A connection past the service, in its first generation."""
    server = await asyncpg.connect(dsn)
    await server.execute("SET search_path TO history_g1")
    yield server
    await server.close()


@pytest_asyncio.fixture
async def catalogue(server: asyncpg.Connection) -> Catalogue:
    """The columns of every table, as Postgres knows them."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in await server.fetch(CATALOGUE):
        found[row["table"]].append(row)
    return found


def differing(row: type[Row], catalogue: Catalogue) -> list[str]:
    """Return what a row struct says otherwise than the catalogue."""
    found = catalogue[row.table]
    if row.__struct_fields__ != tuple(each["name"] for each in found):
        return ["names"]
    wrong = []
    for column, known in zip(columns(row), found, strict=True):
        wrong += [f"{column.name}: type"] * (known["type"] not in HOLDS[column.kind])
        wrong += [f"{column.name}: null"] * (known["nullable"] != column.nullable)
    keys = sorted((each["key"], each["name"]) for each in found if each["key"] is not None)
    return wrong + ["key"] * (row.key != tuple(name for _, name in keys))


async def test_every_row_struct_is_its_table(catalogue: Catalogue) -> None:
    """Names, their order, types, what may be null, and the primary key."""
    assert set(catalogue) == {"checkpoint", *(each.row.table for each in TABLES)}
    assert {each.row.table: differing(each.row, catalogue) for each in TABLES} == {
        each.row.table: [] for each in TABLES
    }


class Callback(ReplacedRow, frozen=True, kw_only=True):
    table = "callback"
    key = CallbackRow.key

    tenant: str
    conversation: str
    callback_id: str


class Swapped(Callback, frozen=True, kw_only=True):
    queue: str
    contact_id: str
    due: datetime
    reason: str
    attempts: int
    status: str


class Loose(Callback, frozen=True, kw_only=True):
    key = ("conversation", "tenant", "callback_id")

    contact_id: str
    queue: str | None
    due: str
    reason: str
    attempts: int
    status: str
    outcome: str | None
    promised: datetime | None
    settled: datetime | None
    closed_for: str | None
    goes_on_as: str | None


async def test_a_row_struct_that_is_not_its_table_is_found(catalogue: Catalogue) -> None:
    """Two columns of one type that changed places, another type, a null that cannot be, another key."""
    assert differing(CallbackRow, catalogue) == []
    assert differing(Swapped, catalogue) == ["names"]
    assert differing(Loose, catalogue) == ["queue: null", "due: type", "key"]


@pytest.mark.parametrize("batch_size", [1, 7, 1_000])
async def test_what_is_projected_is_what_is_stored(
    server: asyncpg.Connection, session: Session, parcel: ParcelStory, batch_size: int
) -> None:
    """Every value stands in the column of its name, whether its row was added, written first or written again."""
    every = await parcel.handwritten.all()
    projection = await Projection.take_over(session)
    for first in range(0, len(every), batch_size):
        await projection.apply(every[first : first + batch_size])
    changes = project(every, wanted(every), EPOCH)
    for row, rows in changes.items():
        stored = [dict(each) for each in await server.fetch(f"SELECT * FROM {row.table}")]
        assert sorted(stored, key=str) == sorted(
            (_plain(asdict(each)) for each in rows.values()), key=str
        )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as Postgres can hold it."""
    return {
        name: value.replace("\0", NUL_STANDS_AS) if isinstance(value, str) else value
        for name, value in row.items()
    }


def test_every_question_has_its_answer() -> None:
    """What the contract gives to history is answered from the tables, but for what is folded from the ledger."""
    served = {kind for kind in QUERIES.values() if kind.served_by == "history"}
    assert {*ANSWERED_BY, AskAsOf} == served


def test_words_stand_in_the_personal_part_of_their_event() -> None:
    """A field that is not there would make a timeline without words."""
    for kind, field in WORDS.items():
        _, personal = part_types(kind.__struct_config__.tag)  # type: ignore[attr-defined]
        assert field in personal.__struct_fields__, kind
