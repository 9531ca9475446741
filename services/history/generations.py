"""Generations: each is a schema of its own; `public.generation` says which one answers.

A new one is built beside the live one and takes its place in one transaction; the old one is kept.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.history.store import Session
from services.history.tables import TABLES, VERSION
from services.history.tables.row import AddedRow
from shared.errors import ViewUnavailable


@dataclass(frozen=True, slots=True)
class Generation:
    """One set of tables: its number, its schema, and the version of the code that made its rows."""

    number: int
    schema: str
    version: int


async def migrate(session: Session) -> Generation:
    """Make what is missing and return the live generation. Any number of processes may do so at once.

    Raises: ViewUnavailable.
    """
    async with session.transaction():
        await session.execute("migration_lock")
        await session.execute("create_generation")
        live = await find_live(session)
        if live is None:
            live = await _make(session, "live")
        else:
            await session.execute("enter_for_good", live.schema)
    return live


async def find_live(session: Session) -> Generation | None:
    """Return the generation that answers; `None` before the first was made."""
    row = await session.fetch_one("generation_live")
    return None if row is None else _read(row)


async def make_building(session: Session, *, indexed: bool = True) -> Generation:
    """Drop what earlier rebuilds left, then make an empty generation and enter it. Raises: ViewUnavailable.

    `indexed`: with the keys and indexes that `index` makes.
    """
    async with session.transaction():
        await session.execute("migration_lock")
        for row in await session.fetch("generations_building"):
            await _drop(session, _read(row))
        return await _make(session, "building", indexed=indexed)


async def index(session: Session) -> None:
    """Make the keys and indexes of the tables that events add rows to. Raises: RowRepeated, ViewUnavailable."""
    for table in TABLES:
        if issubclass(table.row, AddedRow):
            await session.index(table.row.table)


async def drop(session: Session, generation: Generation) -> None:
    """Drop a generation that is not live. Raises: ViewUnavailable."""
    async with session.transaction():
        await session.execute("migration_lock")
        await _drop(session, generation)


async def promote(session: Session, generation: Generation) -> None:
    """Let `generation` answer from now on; call it inside a transaction. The old one is kept."""
    await session.execute("generation_retire")
    await session.execute("generation_promote", generation.number)


@contextlib.asynccontextmanager
async def rebuild_lock(session: Session) -> AsyncIterator[None]:
    """Hold the right to rebuild. Raises: ViewUnavailable when another rebuild holds it."""
    if not await _taken(session, "rebuild_lock"):
        raise ViewUnavailable("another rebuild is running", reason="rebuild_running")
    yield


async def take_lock(session: Session, generation: Generation) -> bool:
    """Try to become the one projector of a generation; the lock ends with the session."""
    return await _taken(session, "generation_lock", generation.number)


async def _taken(session: Session, name: str, *arguments: int) -> bool:
    row = await session.fetch_one(name, *arguments)
    return row is not None and bool(row["taken"])


async def _make(session: Session, state: str, *, indexed: bool = True) -> Generation:
    row = await session.fetch_one("generation_next")
    assert row is not None
    number = int(row["number"])
    generation = Generation(number, f"history_g{number}", VERSION)
    await session.create_schema(generation.schema)
    for name in ("checkpoint", *(table.row.table for table in TABLES)):
        await session.execute(f"create_{name}")
    if indexed:
        await index(session)
    await session.execute("generation_add", number, generation.schema, VERSION, state)
    return generation


def _read(row: Mapping[str, Any]) -> Generation:
    return Generation(row["number"], row["schema"], row["version"])


async def _drop(session: Session, generation: Generation) -> None:
    await session.drop_schema(generation.schema)
    await session.execute("generation_remove", generation.number)
