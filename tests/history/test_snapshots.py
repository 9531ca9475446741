"""Which state a reader of the tables sees, be it by a single SELECT or in a transaction."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.history import generations
from services.history import pool as pools
from services.history.pool import Glance, Pool, Snapshot
from services.history.projection import Projection
from services.history.store import Session, owner_session
from tests.history.parcel_story import ParcelStory


@pytest_asyncio.fixture
async def pool(dsn: str, session: Session, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """A pool of one connection: whoever reads next reads by the same one."""
    monkeypatch.setattr(pools, "POOL_CONNECTIONS_MAX", 1)
    pool = Pool(dsn)
    yield pool
    await pool.close()


async def test_a_glance_is_at_the_generation_that_answers(
    dsn: str, session: Session, parcel: ParcelStory, pool: Pool
) -> None:
    """A connection that was in an older one goes on in the new one, and neither is taken for the other."""
    every = await parcel.handwritten.all()
    await (await Projection.take_over(session)).apply(every)

    async def position(snapshot: Snapshot) -> int:
        return await snapshot.position()

    for _ in range(2):
        assert await pool.read(position, at_a_glance=True) == len(every)
    async with owner_session(dsn, watched=False) as other:
        built = await generations.make_building(other)
        await (await Projection.take_over(other)).apply(every[:3])
        assert await pool.read(position, at_a_glance=True) == len(every)
        async with other.transaction():
            await generations.promote(other, built)
    for _ in range(2):
        assert await pool.read(position, at_a_glance=True) == 3


async def test_more_than_a_glance_is_one_snapshot(
    session: Session, parcel: ParcelStory, pool: Pool
) -> None:
    """Who wants a second SELECT begins again, and sees in both what stood at the first."""
    every = await parcel.handwritten.all()
    projection = await Projection.take_over(session)
    await projection.apply(every[:3])
    begun = 0

    async def twice(snapshot: Snapshot) -> list[int]:
        nonlocal begun
        begun += 1
        first = await snapshot.rows("last_event")
        await projection.apply(every[projection.position :][:1])
        return [each["sequence"] for each in (*first, *await snapshot.rows("last_event"))]

    assert await pool.read(twice, at_a_glance=True) == [3, 3]  # in no generation yet: no glance
    assert await pool.read(twice, at_a_glance=True) == [5, 5]
    assert begun == 4


async def test_what_is_not_found_has_a_position(
    session: Session, parcel: ParcelStory, pool: Pool
) -> None:
    """It comes with no row as with rows, by the same SELECT."""
    await (await Projection.take_over(session)).apply((await parcel.handwritten.all())[:3])

    async def nobody(snapshot: Snapshot) -> tuple[type, list[Any], int]:
        rows = await snapshot.rows("customer", parcel.handwritten.tenant, "nosuch")
        return type(snapshot), rows, await snapshot.position()

    assert await pool.read(nobody, at_a_glance=True) == (Snapshot, [], 3)
    assert await pool.read(nobody, at_a_glance=True) == (Glance, [], 3)
