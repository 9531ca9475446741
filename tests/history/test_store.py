"""What the driver raises when Postgres dies under it, as history's store tells it."""

import asyncio
import gc
from typing import Any

import asyncpg
import pytest

from services.history import pool as pools
from services.history.pool import Pool, Snapshot
from services.history.store import Session
from shared.errors import ConversationUnknown, ViewUnavailable
from tests.support.waiting import WITHIN_SECONDS, eventually


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

    assert await asyncio.gather(*(pool.read(_position) for _ in range(20))) == [0] * 20
    for turns in range(60):
        reading = asyncio.create_task(pool.read(_position))
        for _ in range(turns % 20):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})
    assert await asyncio.gather(*(pool.read(_position) for _ in range(20))) == [0] * 20
    assert [each["message"] for each in faults if "transaction" in each["message"]] == []


async def test_readers_share_a_few_connections(dsn: str, pool: Pool) -> None:
    """One after another they read by the same one; many at once by no more than the pool may have."""
    first = await pool.read(_position, at_a_glance=True)
    alone = await _backends(dsn)
    for _ in range(20):
        assert await pool.read(_position, at_a_glance=True) == first
    assert await _backends(dsn) == alone
    assert len(alone) == 1
    await asyncio.gather(*(pool.read(_position, at_a_glance=True) for _ in range(40)))
    assert len(await _backends(dsn)) == pools.POOL_CONNECTIONS_MAX


async def test_a_refusal_costs_no_connection_and_a_cancelled_reader_its_own(
    dsn: str, pool: Pool
) -> None:
    """What the driver was doing for it is done with, whatever that was."""

    async def refused(_: Snapshot) -> None:
        raise ConversationUnknown(conversation="nosuch")

    began = asyncio.Event()

    async def takes_long(snapshot: Snapshot) -> None:
        await snapshot.position()
        began.set()
        await asyncio.Event().wait()

    await pool.read(_position)
    before = await _backends(dsn)
    for at_a_glance in (True, False):
        with pytest.raises(ConversationUnknown):
            await pool.read(refused, at_a_glance=at_a_glance)
    assert await _backends(dsn) == before
    reading = asyncio.create_task(pool.read(takes_long))
    await began.wait()
    reading.cancel()
    await asyncio.wait({reading})

    async def ended() -> bool:
        return not await _backends(dsn)

    await eventually(ended)
    assert await pool.read(_position) == 0


async def test_who_finds_no_connection_free_is_told(
    dsn: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, and at once when the pool is closed."""
    monkeypatch.setattr(pools, "POOL_CONNECTIONS_MAX", 1)
    monkeypatch.setattr(pools, "ACQUIRE_TIMEOUT_SECONDS", 0.05)
    pool, began, go_on = Pool(dsn), asyncio.Event(), asyncio.Event()

    async def takes_long(_: Snapshot) -> bool:
        began.set()
        return await go_on.wait()

    reading = asyncio.create_task(pool.read(takes_long))
    await began.wait()
    with pytest.raises(ViewUnavailable):
        await pool.read(_position)
    go_on.set()
    assert await reading
    assert await pool.read(_position) == 0
    await pool.close()
    with pytest.raises(ViewUnavailable):
        await pool.read(_position)


@pytest.mark.parametrize("at_a_glance", [True, False])
async def test_a_read_that_takes_too_long_is_ended(
    dsn: str, pool: Pool, monkeypatch: pytest.MonkeyPatch, at_a_glance: bool
) -> None:
    """Whatever Postgres waits for: its process ends, too. The next read has another connection."""
    monkeypatch.setattr(pools, "READ_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(pools, "LOOK_SECONDS", 0.02)
    await pool.read(_position)
    other = await asyncpg.connect(dsn)
    async with other.transaction():
        await other.execute("LOCK TABLE public.generation IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ViewUnavailable):
            await pool.read(_position, at_a_glance=at_a_glance)

        async def ended() -> bool:
            return not await _backends(dsn)

        await eventually(ended)
    await other.close()
    monkeypatch.setattr(pools, "READ_TIMEOUT_SECONDS", WITHIN_SECONDS)
    assert await pool.read(_position, at_a_glance=at_a_glance) == 0


async def test_who_reads_for_long_may_say_so(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the digest of a large generation does."""
    monkeypatch.setattr(pools, "READ_TIMEOUT_SECONDS", 0.02)
    monkeypatch.setattr(pools, "LOOK_SECONDS", 0.01)

    async def takes_long(snapshot: Snapshot) -> int:
        await asyncio.sleep(0.1)  # the fault itself: a read that takes longer than most may
        return await snapshot.position()

    with pytest.raises(ViewUnavailable):
        await pool.read(takes_long)
    assert await pool.read(takes_long, timeout_seconds=WITHIN_SECONDS) == 0


async def _position(snapshot: Snapshot) -> int:
    return await snapshot.position()


async def _backends(dsn: str) -> set[int]:
    """Return the processes of Postgres that serve queries of this database."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'tellonce-history-query'"
    )
    await connection.close()
    return {row["pid"] for row in rows}
