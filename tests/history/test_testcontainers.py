"""The projection on the database's container image, as operators run it."""

from collections.abc import Iterator

import pytest
from testcontainers.community.postgres import PostgresContainer

from services.history import generations
from services.history.digest import digest_of
from services.history.pool import Pool
from services.history.projection import Projection
from services.history.rebuild import rebuild
from services.history.store import owner_session
from tests.history.parcel_story import ParcelStory
from tests.support.containers import skip_without_engine

IMAGE = "postgres:18"


@pytest.fixture
def container_dsn() -> Iterator[str]:
    """The address of a Postgres in a container; skips with its reason where there is no engine."""
    skip_without_engine()
    with PostgresContainer(IMAGE, driver=None) as container:
        yield container.get_connection_url()


async def projected_and_rebuilt(dsn: str, parcel: ParcelStory) -> None:
    """Project the story one by one, compare with a rebuild at once."""
    every = await parcel.handwritten.all()
    async with owner_session(dsn, watched=False) as session:
        await generations.migrate(session)
        projection = await Projection.take_over(session)
        for each in every:
            await projection.apply([each])
        live = await digest_of(session)
    assert live.position == len(every)
    pool = Pool(dsn)
    outcome = await rebuild(dsn, pool, parcel.handwritten.ledger, batch_max=1_000)
    await pool.close()
    assert outcome.differing == []
    assert outcome.rebuilt == live.whole


@pytest.mark.testcontainers
async def test_the_projection_holds_in_a_container(container_dsn: str, parcel: ParcelStory) -> None:
    """One by one equals a rebuild, on the image."""
    await projected_and_rebuilt(container_dsn, parcel)


async def test_what_the_container_runs_holds_here(dsn: str, parcel: ParcelStory) -> None:
    """Where no engine is, the same steps run on the embedded server, so that they cannot rot."""
    await projected_and_rebuilt(dsn, parcel)
