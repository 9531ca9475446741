"""A database of its own for every test, on the session's Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.history import generations
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Pool, Session, owner_session
from tests.history.asking import Asker, answers_over
from tests.history.book import Book, memory_book
from tests.history.parcel import Parcel


@pytest_asyncio.fixture
async def dsn(postgres_dsn: str) -> AsyncIterator[str]:
    """The address of an empty database."""
    name = f"history_{uuid4().hex}"
    server = await asyncpg.connect(postgres_dsn)
    await server.execute(f'CREATE DATABASE "{name}"')
    yield postgres_dsn.rsplit("/", 1)[0] + f"/{name}"
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


@pytest_asyncio.fixture
async def session(dsn: str) -> AsyncIterator[Session]:
    """A connection that has entered the live generation."""
    async with owner_session(dsn, watched=False) as session:
        await generations.migrate(session)
        yield session


@pytest_asyncio.fixture
async def pool(dsn: str, session: Session) -> AsyncIterator[Pool]:
    """Connections for queries, on a migrated database."""
    pool = await Pool.open(dsn)
    yield pool
    await pool.close()


@pytest.fixture
def book() -> Book:
    """A ledger in memory."""
    return memory_book()


@pytest_asyncio.fixture
async def parcel(book: Book) -> Parcel:
    """The whole story, written."""
    parcel = Parcel(book)
    await parcel.play()
    return parcel


@pytest_asyncio.fixture
async def projection(session: Session, parcel: Parcel) -> Projection:
    """The story, projected."""
    projection = await Projection.take_over(session)
    await projection.apply(await parcel.book.all())
    return projection


@pytest_asyncio.fixture
async def ask(pool: Pool, parcel: Parcel, projection: Projection) -> AsyncIterator[Asker]:
    """Asks about the story."""
    yield Asker(answers_over(pool, parcel.book, Positions()))
