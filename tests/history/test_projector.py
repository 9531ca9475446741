"""The projector: one per generation, it mends itself, and it stops at what it does not know."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from typing_extensions import override

from services.history.digest import Digest, digest_of
from services.history.following import followed
from services.history.pool import Pool
from services.history.tables import VERSION
from shared.errors import EventTypeUnknown, ViewUnavailable
from shared.ledger import Recorded
from tests.history.caller import Caller, answers_over
from tests.history.handwritten_ledger import (
    Future,
    HandwrittenLedger,
    handwritten_in_memory,
)
from tests.history.parcel_story import ParcelStory
from tests.history.projecting import Sign, digests_agree, live_digest, projecting
from tests.support.memory_ledger import MemoryLedger
from tests.support.servers import EmbeddedPostgres
from tests.support.waiting import eventually

WITHIN_SECONDS = 15.0


async def test_it_follows_the_ledger(dsn: str, parcel: ParcelStory) -> None:
    """What is there and what comes later is projected, and the service is ready."""
    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(parcel.at["missed"])
        await parcel.go_on()
        await running.until(await parcel.handwritten.ledger.position())
        assert running.sign.said == [True]
    await digests_agree(dsn, parcel.handwritten)


async def test_one_goes_on_where_another_was_stopped(dsn: str, parcel: ParcelStory) -> None:
    """The checkpoint is in Postgres: a new process needs nothing else."""
    async with projecting(dsn, parcel.handwritten.ledger) as first:
        await first.until(parcel.at["missed"])
    await parcel.go_on()
    async with projecting(dsn, parcel.handwritten.ledger) as second:
        await second.until(await parcel.handwritten.ledger.position())
    await digests_agree(dsn, parcel.handwritten)


async def test_a_standby_takes_over(dsn: str, parcel: ParcelStory) -> None:
    """Two run, one writes; when it goes, the other goes on. Both are ready: both answer."""
    async with (
        projecting(dsn, parcel.handwritten.ledger) as first,
        projecting(dsn, parcel.handwritten.ledger) as second,
    ):
        both = [first, second]

        async def one_writes() -> bool:
            return any(each.positions.holds(parcel.at["missed"]) for each in both)

        async def both_ready() -> bool:
            return all(each.sign.shown for each in both)

        await eventually(one_writes)
        await eventually(both_ready)
        assert [each.positions.holds(1) for each in both].count(True) == 1
        active = next(each for each in both if each.positions.holds(1))
        standby = next(each for each in both if each is not active)
        await active.stop()
        await parcel.go_on()
        await standby.until(await parcel.handwritten.ledger.position())
    await digests_agree(dsn, parcel.handwritten)


async def test_an_unknown_type_stops_it_until_a_version_knows_it(dsn: str) -> None:
    """Everything before the unknown event is projected, nothing after; readiness is off until it goes on."""
    codec = Future("fact.corrected")
    handwritten = HandwrittenLedger(MemoryLedger(codec))
    parcel = ParcelStory(handwritten)
    await parcel.register()
    await parcel.call()
    codec.unknown.clear()
    await parcel.offer_and_accept()
    await parcel.tell_facts()
    unknown = parcel.at["told"]
    await parcel.go_on()
    codec.unknown.add("fact.corrected")
    async with projecting(dsn, handwritten.ledger) as running:
        await running.until(unknown - 1)

        async def said(*wanted: bool) -> bool:
            return running.sign.said == [*wanted]

        await eventually(partial(said, False))
        assert (await live_digest(dsn)).position == unknown - 1
        codec.unknown.clear()
        await eventually(partial(said, False, True))
        codec.unknown.add("promise.made")
        await parcel.promise_and_write()
        await eventually(partial(said, False, True, False))
        codec.unknown.clear()
        await eventually(partial(said, False, True, False, True))
        await running.until(await handwritten.ledger.position())
    await digests_agree(dsn, handwritten)


async def test_a_halted_one_stays_halted_after_a_restart(dsn: str) -> None:
    """A new process of the same version stops at the same event; it never says that it is ready."""
    codec = Future()
    handwritten = HandwrittenLedger(MemoryLedger(codec))
    parcel = ParcelStory(handwritten)
    await parcel.register()
    codec.unknown.add("order.changed")
    for _ in range(2):
        async with projecting(dsn, handwritten.ledger) as running:
            await running.until(1)

            async def halted(sign: Sign = running.sign) -> bool:
                return sign.said == [False]

            await eventually(halted)
    assert (await live_digest(dsn)).position == 1


class Holed(MemoryLedger):
    """A ledger that lost an event, as no ledger should."""

    hole = 0

    @override
    async def follow(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        async for batch in super().follow(after):
            yield [each for each in batch if each.sequence != self.hole]


async def test_a_gap_stops_it(dsn: str) -> None:
    """Nothing after a missing event is written; readiness is off."""
    ledger = Holed()
    parcel = ParcelStory(HandwrittenLedger(ledger))
    await parcel.play()
    ledger.hole = 7
    async with projecting(dsn, ledger, batch_max=3) as running:
        await running.until(6)

        async def halted() -> bool:
            return running.sign.said == [False]

        await eventually(halted)
        assert (await live_digest(dsn)).position == 6
        ledger.hole = 0
        await running.until(parcel.at["missed"])
    await digests_agree(dsn, parcel.handwritten)


async def test_another_ledger_under_the_same_rows_stops_it(dsn: str, parcel: ParcelStory) -> None:
    """A backup was restored and has grown beyond the checkpoint: its events are not those of the rows."""
    async with projecting(dsn, parcel.handwritten.ledger) as first:
        await first.until(parcel.at["missed"])
    await parcel.go_on()
    replaced = handwritten_in_memory()
    for _ in range(await parcel.handwritten.ledger.position() + 3):
        await replaced.write(
            "agent-ewa", replaced.event("agent-ewa", "agent.signed_in", {"agent": "ewa"})
        )
    async with projecting(dsn, replaced.ledger) as second:

        async def halted() -> bool:
            return second.sign.said == [False]

        await eventually(halted)
    assert (await live_digest(dsn)).position == parcel.at["missed"]


async def test_a_ledger_that_is_shorter_than_the_rows_stops_it(
    dsn: str, parcel: ParcelStory
) -> None:
    """An older backup was restored: that is drift, not "caught up", and no question is answered any more."""
    async with projecting(dsn, parcel.handwritten.ledger) as first:
        await first.until(parcel.at["missed"])
        assert first.positions.agreed
    shorter = handwritten_in_memory()
    prefix = ParcelStory(shorter)
    await prefix.register()
    await prefix.call()
    pool = Pool(dsn)
    async with projecting(dsn, shorter.ledger) as second, projecting(dsn, shorter.ledger) as third:

        async def halted() -> bool:
            return (False in second.sign.said) and (False in third.sign.said)

        await eventually(halted)
        assert not second.positions.agreed
        for running in (second, third):
            with pytest.raises(ViewUnavailable):
                await Caller(answers_over(pool, shorter, running.positions))(
                    "known", ids=["startedcall1"]
                )
    await pool.close()
    assert (await live_digest(dsn)).position == parcel.at["missed"]


async def test_what_is_read_ahead_keeps_its_order_and_its_limit() -> None:
    """Batches are at most as large as asked, without a gap, and the error comes after the last good event."""
    codec = Future()
    handwritten = HandwrittenLedger(MemoryLedger(codec))
    parcel = ParcelStory(handwritten)
    await parcel.play()
    seen: list[int] = []
    codec.unknown.add("callback.requested")

    async def read() -> None:
        async with contextlib.aclosing(followed(handwritten.ledger, 0, 5)) as batches:
            async for batch in batches:
                assert 1 <= len(batch) <= 5
                seen.extend(each.sequence for each in batch)

    with pytest.raises(EventTypeUnknown):
        await read()
    assert seen == list(range(1, parcel.at["missed"] - 1))


async def test_a_lost_session_is_replaced(dsn: str, parcel: ParcelStory) -> None:
    """Postgres ends the projector's session, as it does to a frozen one: it comes back and goes on."""
    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(parcel.at["missed"])
        server = await asyncpg.connect(dsn)
        ended = await server.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'tellonce-history-projector'"
        )
        await server.close()
        assert ended == 1
        await parcel.go_on()
        await running.until(await parcel.handwritten.ledger.position())
    await digests_agree(dsn, parcel.handwritten)


async def test_a_silent_ledger_does_not_cost_the_session(
    dsn: str, parcel: ParcelStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing happens, heartbeats keep the session; without them Postgres would end it."""
    monkeypatch.setattr("services.history.following.HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr("services.history.store._WATCHED", {"idle_session_timeout": "500ms"})
    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(parcel.at["missed"])
        server = await asyncpg.connect(dsn)
        sessions = (
            "SELECT pid, now() - backend_start > interval '1.5 s' AS old FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'tellonce-history-projector'"
        )
        first = await server.fetchval(sessions)

        async def old_enough() -> bool:
            row = await server.fetchrow(sessions)
            assert row is not None
            assert row["pid"] == first
            return bool(row["old"])

        await eventually(old_enough)
        await server.close()


@pytest_asyncio.fixture
async def own_postgres(tmp_path: Path, postgres_template: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A Postgres that a test may kill."""
    async with EmbeddedPostgres(
        tmp_path / "data", template=postgres_template, syncs=False
    ) as server:
        yield server


async def test_postgres_killed_and_back(own_postgres: EmbeddedPostgres) -> None:
    """Signal 9 to Postgres while batches are written: nothing is lost or doubled; queries fail clearly and recover."""
    dsn = own_postgres.dsn
    handwritten = handwritten_in_memory()
    parcel = ParcelStory(handwritten)
    await parcel.play()
    pool = Pool(dsn)
    async with projecting(dsn, handwritten.ledger, batch_max=1) as running:
        await running.until(1)
        for _ in range(3):
            writing = asyncio.create_task(parcel.go_on())
            await own_postgres.kill()
            with pytest.raises(ViewUnavailable):
                await pool.read(digest_of)
            await writing
            await own_postgres.start()
            await running.until(await handwritten.ledger.position())
            digest: Digest = await pool.read(digest_of)
            assert digest.position == await handwritten.ledger.position()
    await pool.close()
    await digests_agree(dsn, handwritten)


async def test_stopping_does_not_wait_for_a_dead_postgres(own_postgres: EmbeddedPostgres) -> None:
    """Projector and pool end within their limits when Postgres is gone."""
    handwritten = handwritten_in_memory()
    await ParcelStory(handwritten).play()
    pool = Pool(own_postgres.dsn)
    async with projecting(own_postgres.dsn, handwritten.ledger) as running:
        await running.until(1)
        await pool.read(digest_of)
        await own_postgres.kill()
        async with asyncio.timeout(WITHIN_SECONDS):
            await running.stop()
            await pool.close()


async def test_many_processes_may_migrate_at_once(dsn: str) -> None:
    """All start on an empty database together; one generation comes out."""
    ledgers = [handwritten_in_memory() for _ in range(5)]
    async with contextlib.AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(projecting(dsn, handwritten.ledger))
            for handwritten in ledgers
        ]

        async def all_ready() -> bool:
            return all(each.sign.shown for each in running)

        await eventually(all_ready)
    assert (await live_digest(dsn)).position == 0


async def test_tables_of_an_older_version_are_built_anew(dsn: str, parcel: ParcelStory) -> None:
    """An upgrade that makes other rows is no difference to explain: the new rows take over, the old ones are kept."""
    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(parcel.at["missed"])
    server = await asyncpg.connect(dsn)
    await server.execute("UPDATE public.generation SET version = version - 1")
    await server.execute("UPDATE history_g1.conversation SET status = 'open'")
    await parcel.go_on()
    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(await parcel.handwritten.ledger.position())
        assert running.sign.said == [True]
    found = await server.fetch("SELECT schema, state, version FROM public.generation ORDER BY 1")
    assert [tuple(row) for row in found] == [
        ("history_g1", "kept", VERSION - 1),
        ("history_g2", "live", VERSION),
    ]
    await server.close()
    await digests_agree(dsn, parcel.handwritten)


async def test_tables_of_a_newer_version_are_left_alone(dsn: str, parcel: ParcelStory) -> None:
    """After a roll-back of the code the older one writes nothing and is not ready."""
    async with projecting(dsn, parcel.handwritten.ledger) as running:
        await running.until(parcel.at["missed"])
    server = await asyncpg.connect(dsn)
    await server.execute("UPDATE public.generation SET version = version + 1")
    before = await live_digest(dsn)
    await parcel.go_on()
    async with projecting(dsn, parcel.handwritten.ledger) as running:

        async def halted() -> bool:
            return running.sign.said == [False]

        await eventually(halted)
        assert await live_digest(dsn) == before
        await server.execute("UPDATE public.generation SET version = version - 1")
        await running.until(await parcel.handwritten.ledger.position())
    await server.close()
