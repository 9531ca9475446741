"""A database of its own for every test, on the session's Postgres."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.history import generations
from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Session, owner_session
from tests.history.caller import Caller, answers_over
from tests.history.handwritten_ledger import HandwrittenLedger, handwritten_in_memory
from tests.history.parcel_story import ParcelStory


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
    pool = Pool(dsn)
    yield pool
    await pool.close()


@pytest.fixture
def handwritten() -> HandwrittenLedger:
    """A ledger in memory."""
    return handwritten_in_memory()


@pytest_asyncio.fixture
async def parcel(handwritten: HandwrittenLedger) -> ParcelStory:
    """The whole story, written."""
    parcel = ParcelStory(handwritten)
    await parcel.play()
    return parcel


@pytest_asyncio.fixture
async def projection(session: Session, parcel: ParcelStory) -> Projection:
    """The story, projected."""
    projection = await Projection.take_over(session)
    await projection.apply(await parcel.handwritten.all())
    return projection


@pytest_asyncio.fixture
async def ask(pool: Pool, parcel: ParcelStory, projection: Projection) -> AsyncIterator[Caller]:
    """Asks about the story."""
    yield Caller(answers_over(pool, parcel.handwritten, Positions(agreed=True)))
