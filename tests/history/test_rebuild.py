"""The rebuild: rows made anew from the ledger are compared with the live ones, or take over."""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg
import pytest

from services.history import pool as pools
from services.history.digest import Digest, digest_of
from services.history.pool import Pool
from services.history.rebuild import rebuild
from services.history.store import Session
from shared.errors import ViewUnavailable
from tests.history.parcel_story import ParcelStory
from tests.history.projecting import digests_agree, projecting
from tests.support.waiting import eventually


async def test_a_rebuild_compares_and_leaves_nothing(dsn: str, parcel: ParcelStory) -> None:
    """Equal: the rebuilt generation is dropped and the live one still answers."""
    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(parcel.at["missed"])
        pool = Pool(dsn)
        for _ in range(2):
            outcome = await rebuild(dsn, pool, parcel.handwritten.ledger, batch_max=7)
            assert (outcome.live, outcome.differing) == (outcome.rebuilt, [])
            assert (outcome.kept, outcome.switched, outcome.generation) == (False, False, 2)
        await pool.close()
    server = await asyncpg.connect(dsn)
    assert await server.fetchval("SELECT array_agg(schema) FROM public.generation") == [
        "history_g1"
    ]
    await server.close()


async def test_the_live_rows_may_take_longer_to_read_than_any_query(
    dsn: str, parcel: ParcelStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their digest reads every table whole."""
    monkeypatch.setattr(pools, "READ_TIMEOUT_SECONDS", 0.02)
    monkeypatch.setattr(pools, "LOOK_SECONDS", 0.01)
    copy_out = Session.copy_out

    async def slowly(session: Session, statement: str, take: Callable[[bytes], None]) -> None:
        await asyncio.sleep(0.02)  # the fault itself: a table of many rows
        await copy_out(session, statement, take)

    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(parcel.at["missed"])
    monkeypatch.setattr(Session, "copy_out", slowly)
    pool = Pool(dsn)
    outcome = await rebuild(dsn, pool, parcel.handwritten.ledger, batch_max=100)
    assert outcome.live == outcome.rebuilt
    await pool.close()


async def test_a_rebuild_finds_what_was_changed_by_hand(dsn: str, parcel: ParcelStory) -> None:
    """The digests differ, the table is named, and the live generation is neither healed nor switched."""
    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(parcel.at["missed"])
    server = await asyncpg.connect(dsn)
    await server.execute("UPDATE history_g1.fact SET value = 'KRA02M' WHERE name = 'locker'")
    pool = Pool(dsn)
    for switch in (False, True):
        outcome = await rebuild(dsn, pool, parcel.handwritten.ledger, batch_max=100, switch=switch)
        assert outcome.live != outcome.rebuilt
        assert (outcome.differing, outcome.kept, outcome.switched) == (["fact"], True, False)
    assert await server.fetchval("SELECT schema FROM public.generation WHERE state = 'live'") == (
        "history_g1"
    )
    await server.close()
    await pool.close()


async def test_a_rebuild_on_request_takes_over(dsn: str, parcel: ParcelStory) -> None:
    """Switched in one transaction while the projector runs: it goes on in the new generation, the old one is kept."""
    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(parcel.at["missed"])
        pool = Pool(dsn)
        outcome = await rebuild(dsn, pool, parcel.handwritten.ledger, batch_max=100, switch=True)
        assert (outcome.switched, outcome.generation) == (True, 2)
        await parcel.go_on()
        end = await parcel.handwritten.ledger.position()

        async def new_one_answers() -> bool:
            digest: Digest = await pool.read(digest_of)
            return digest.position == end

        await eventually(new_one_answers)
        await pool.close()
    server = await asyncpg.connect(dsn)
    states = await server.fetch("SELECT schema, state FROM public.generation ORDER BY number")
    assert [tuple(row) for row in states] == [("history_g1", "kept"), ("history_g2", "live")]
    old = await server.fetchval("SELECT position FROM history_g1.checkpoint")
    await server.close()
    assert old == parcel.at["missed"]
    await digests_agree(dsn, parcel.handwritten)


async def test_only_one_rebuild_at_a_time(dsn: str, parcel: ParcelStory) -> None:
    """The second is refused, or it would drop the first one's tables."""
    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(parcel.at["missed"])
    pool = Pool(dsn)
    server = await asyncpg.connect(dsn)
    assert await server.fetchval("SELECT pg_try_advisory_lock(1414288453, -1)")
    with pytest.raises(ViewUnavailable, match="another rebuild"):
        await rebuild(dsn, pool, parcel.handwritten.ledger, batch_max=100)
    await server.close()

    async def free_again() -> bool:
        with contextlib.suppress(ViewUnavailable):
            await rebuild(dsn, pool, parcel.handwritten.ledger, batch_max=100)
            return True
        return False

    await eventually(free_again)
    await pool.close()
