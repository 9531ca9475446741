"""What the driver raises when Postgres dies under it, as history's store tells it."""

import asyncio
import gc
from typing import Any

import asyncpg
import pytest

from services.history.store import Pool, Session, Snapshot
from shared.errors import ViewUnavailable
from tests.support.waiting import WITHIN_SECONDS


class Torn:
    """A connection whose server died within an operation: the driver finds its own state impossible."""

    async def fetchrow(self, *_: Any) -> Any:
        raise asyncpg.InternalClientError(
            "cannot switch to state 15; another operation is in progress"
        )


async def test_a_connection_torn_by_a_death_is_a_view_that_is_away() -> None:
    """It is mended like any lost connection, by a new one: readiness is kept, nothing halts."""
    with pytest.raises(ViewUnavailable):
        await Session(Torn()).fetch_one("position")


async def test_a_pool_that_closes_waits_for_no_reader_and_leaves_none(pool: Pool) -> None:
    """A reader that takes too long loses its connection; that it gives it back nonetheless is no fault."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    began = asyncio.Event()

    async def takes_long(_: Snapshot) -> None:
        began.set()
        await asyncio.Event().wait()

    reading = asyncio.create_task(pool.read(takes_long))
    await began.wait()
    await asyncio.wait_for(pool.close(), WITHIN_SECONDS)
    reading.cancel()
    await asyncio.wait({reading})
    for _ in range(10):
        await asyncio.sleep(0)  # the connection is given back
    assert reading.cancelled()
    del reading  # it holds on to what it did
    gc.collect()
    assert faults == []


async def test_a_reader_that_is_cancelled_leaves_no_transaction(pool: Pool) -> None:
    """Wherever it was, also while its transaction began: the driver has nothing to clean up, or to complain of."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    async def position(snapshot: Snapshot) -> int:
        return await snapshot.position()

    assert await asyncio.gather(*(pool.read(position) for _ in range(20))) == [0] * 20
    for turns in range(60):
        reading = asyncio.create_task(pool.read(position))
        for _ in range(turns % 20):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})
    assert await asyncio.gather(*(pool.read(position) for _ in range(20))) == [0] * 20
    assert [each["message"] for each in faults if "transaction" in each["message"]] == []
