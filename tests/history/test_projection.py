"""The projection: what was applied one by one equals what was rebuilt from all, and nothing moves by half."""

import random
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from services.history import generations, projection, sql
from services.history.digest import Digest, digest_of
from services.history.project import Changes, project, wanted
from services.history.projection import FenceLost, Projection
from services.history.store import NUL_STANDS_AS, Session, owner_session
from services.history.tables import TABLES, conversation
from shared import conversation as conversations
from shared.errors import EventNotApplied, StreamDrift
from shared.ledger import Recorded, Write
from tests.history.handwritten_ledger import (
    BEGIN,
    HandwrittenLedger,
    TickingClock,
    handwritten_in_memory,
)
from tests.history.parcel_story import CONV, CONVERSATION, NUL_TEXT, ParcelStory
from tests.support.memory_ledger import MemoryLedger

EVERY_TABLE = ("checkpoint", *(each.row.table for each in TABLES))


async def applied(dsn: str, batches: list[list[Recorded]]) -> Digest:
    """Return the digest of a fresh generation after the batches; the generation is dropped again."""
    async with owner_session(dsn, watched=False) as session:
        built = await generations.make_building(session)
        projection = await Projection.take_over(session)
        for batch in batches:
            await projection.apply(batch)
        digest = await digest_of(session)
        await generations.drop(session, built)
    return digest


async def test_one_by_one_equals_all_at_once(
    dsn: str, session: Session, parcel: ParcelStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the ledger is cut into batches, and by whichever way these are written, the rows are the same."""
    monkeypatch.setattr(projection, "TOGETHER_MAX_EVENTS", 5)
    every = await parcel.handwritten.all()
    at_once = await applied(dsn, [every])
    one_by_one = await applied(dsn, [[each] for each in every])
    assert one_by_one.differing(at_once) == []
    assert one_by_one == at_once
    for seed in range(5):
        cuts = sorted(random.Random(seed).sample(range(1, len(every)), 6))
        pieces = [every[a:b] for a, b in zip([0, *cuts], [*cuts, len(every)], strict=True)]
        assert await applied(dsn, pieces) == at_once, f"seed {seed}"


async def test_the_digest_depends_on_the_events(
    dsn: str, session: Session, parcel: ParcelStory
) -> None:
    """One event less is another digest, in every table that the event touches."""
    every = await parcel.handwritten.all()
    fewer, more = await applied(dsn, [every[:-1]]), await applied(dsn, [every])
    assert {"checkpoint", "event", "timeline", "conversation", "callback"} == set(
        fewer.differing(more)
    )


async def test_the_story_fills_every_table(session: Session, parcel: ParcelStory, dsn: str) -> None:
    """The other tests prove something about each table only if the story writes to it."""
    await (await Projection.take_over(session)).apply(await parcel.handwritten.all())
    server = await asyncpg.connect(dsn)
    for table in EVERY_TABLE:
        assert await server.fetchval(f"SELECT count(*) FROM history_g1.{table}") > 0, table
    await server.close()


async def test_a_row_changed_by_hand_is_noticed(
    dsn: str, session: Session, parcel: ParcelStory
) -> None:
    """Every column of every table but the fence is in the digest: one changed value changes it."""
    await (await Projection.take_over(session)).apply(await parcel.handwritten.all())
    before = await digest_of(session)
    server = await asyncpg.connect(dsn)
    await server.execute("SET search_path TO history_g1")
    columns = await server.fetch(
        "SELECT table_name AS t, column_name AS c, data_type AS d FROM information_schema.columns "
        "WHERE table_schema = 'history_g1' AND (table_name, column_name) NOT IN "
        "(('checkpoint', 'fence'), ('checkpoint', 'one'))"
    )
    assert {row["t"] for row in columns} == set(EVERY_TABLE)
    for row in columns:
        change = server.transaction()
        await change.start()
        await server.execute(_changed(row))
        assert (await digest_of(Session(server))).differing(before) == [row["t"]], dict(row)
        await change.rollback()
    assert await digest_of(session) == before
    await server.close()


def _changed(column: Any) -> str:
    """Return a statement that changes one value of a column."""
    new = {
        "bigint": "coalesce({c}, 0) + 1000000",
        "integer": "coalesce({c}, 0) + 1",
        "text": "coalesce({c}, '') || 'x'",
        "boolean": "NOT {c}",
        "bytea": "{c} || '\\x00'::bytea",
        "timestamp with time zone": "coalesce({c} + interval '1 microsecond', now())",
    }[column["d"]].format(c=column["c"])
    table = column["t"]
    return (
        f"UPDATE {table} SET {column['c']} = {new} "
        f"WHERE ctid = (SELECT min(ctid) FROM {table} WHERE {column['c']} IS NOT NULL) "
        f"OR (NOT EXISTS (SELECT FROM {table} WHERE {column['c']} IS NOT NULL) "
        f"AND ctid = (SELECT min(ctid) FROM {table}))"
    )


async def test_a_row_removed_by_hand_is_noticed(
    dsn: str, session: Session, parcel: ParcelStory
) -> None:
    """A missing row changes the digest of its table, in each table."""
    await (await Projection.take_over(session)).apply(await parcel.handwritten.all())
    before = await digest_of(session)
    server = await asyncpg.connect(dsn)
    await server.execute("SET search_path TO history_g1")
    for table in EVERY_TABLE[1:]:
        change = server.transaction()
        await change.start()
        await server.execute(f"DELETE FROM {table} WHERE ctid = (SELECT min(ctid) FROM {table})")
        assert (await digest_of(Session(server))).differing(before) == [table]
        await change.rollback()
    await server.close()


FAILING = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'at %', TG_TABLE_NAME; END $$;
CREATE TRIGGER failing AFTER INSERT OR UPDATE ON {table} EXECUTE FUNCTION fail()
"""


@pytest.mark.parametrize("together_max", [0, 1_000])
@pytest.mark.parametrize("fails_at", ["event", "conversation", "checkpoint"])
async def test_rows_and_checkpoint_move_together(
    session: Session,
    dsn: str,
    parcel: ParcelStory,
    fails_at: str,
    together_max: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A failure leaves no row and no checkpoint of the batch, be it written by one statement or by several."""
    monkeypatch.setattr(projection, "TOGETHER_MAX_EVENTS", together_max)
    every = await parcel.handwritten.all()
    failing = await Projection.take_over(session)
    await failing.apply(every[:4])
    before = await digest_of(session)

    server = await asyncpg.connect(dsn)
    await server.execute("SET search_path TO history_g1")
    await server.execute(FAILING.format(table=fails_at))
    with pytest.raises(EventNotApplied) as failed:
        await failing.apply(every[4:])
    assert str(failed.value.__cause__) == f"at {fails_at}"
    assert await digest_of(session) == before
    assert failing.position == 4
    await server.execute(f"DROP TRIGGER failing ON {fails_at}")
    await server.close()
    await failing.apply(every[4:])
    assert (await digest_of(session)).position == len(every)


@pytest.mark.parametrize("together_max", [0, 1_000])
async def test_an_older_projector_is_refused(
    dsn: str,
    session: Session,
    parcel: ParcelStory,
    together_max: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that was frozen until it was replaced writes nothing when it thaws."""
    monkeypatch.setattr(projection, "TOGETHER_MAX_EVENTS", together_max)
    every = await parcel.handwritten.all()
    old = await Projection.take_over(session)
    await old.apply(every[:3])
    async with owner_session(dsn, watched=False) as other:
        await generations.migrate(other)
        new = await Projection.take_over(other)
        await new.apply(every[3:6])
        before = await digest_of(other)
        with pytest.raises(FenceLost):
            await old.apply(every[3:6])
        with pytest.raises(FenceLost):
            await old.apply(every[3:4])
        assert await digest_of(other) == before
        await new.apply(every[6:])


async def test_a_replaced_projector_is_refused_even_before_the_new_one_wrote(
    dsn: str, session: Session, parcel: ParcelStory
) -> None:
    """The fence alone refuses: no position needs to have moved."""
    every = await parcel.handwritten.all()
    old = await Projection.take_over(session)
    async with owner_session(dsn, watched=False) as other:
        await generations.migrate(other)
        await Projection.take_over(other)
        with pytest.raises(FenceLost):
            await old.apply(every)
        assert (await digest_of(other)).position == 0


async def test_a_gap_stops_it(session: Session, parcel: ParcelStory) -> None:
    """A missing sequence is never skipped: nothing of such a batch is written."""
    every = await parcel.handwritten.all()
    projection = await Projection.take_over(session)
    await projection.apply(every[:2])
    before = await digest_of(session)
    for batch in (every[3:], [*every[2:4], *every[5:]], every[1:]):
        with pytest.raises(StreamDrift):
            await projection.apply(batch)
    assert await digest_of(session) == before


async def test_an_id_that_the_ledger_holds_twice_counts_once(
    session: Session, parcel: ParcelStory
) -> None:
    """One timeline row and one effect per event id; the position moves on all the same."""
    projection = await Projection.take_over(session)
    ledger = parcel.handwritten.ledger
    assert isinstance(ledger, MemoryLedger)
    first = (await ledger.read(parcel.handwritten.tenant, CONV))[0]
    last = max(each.sequence for each in await ledger.read(parcel.handwritten.tenant, CONV))
    await projection.apply(await parcel.handwritten.all())
    before = await digest_of(session)
    ledger.forget_ids()
    await ledger.append(parcel.handwritten.tenant, [Write(CONV, last, [first.event])])
    await projection.apply((await parcel.handwritten.all())[projection.position :])
    after = await digest_of(session)
    assert after.position == before.position + 1
    assert after.differing(before) == ["checkpoint"]


async def test_the_rows_are_the_fold(session: Session, parcel: ParcelStory) -> None:
    """The conversation's row says what the router's own fold says."""
    await (await Projection.take_over(session)).apply(await parcel.handwritten.all())
    events = await parcel.handwritten.ledger.read(parcel.handwritten.tenant, CONV)
    folded = conversations.fold((each.sequence, each.event) for each in events)
    row = await session.fetch_one("conversation", parcel.handwritten.tenant, CONVERSATION)
    assert row is not None
    kept = conversation.read(row["state"])
    talk = replace(folded.talk, said=(), said_before=0)
    matter = replace(folded.matter, done=(), done_before=0)
    assert kept == replace(folded, seen={}, talk=talk, matter=matter)


async def test_nul_bytes_survive(session: Session, parcel: ParcelStory, dsn: str) -> None:
    """Postgres text holds a visible sign for a NUL byte; the stored message holds the byte itself."""
    await (await Projection.take_over(session)).apply(await parcel.handwritten.all())
    server = await asyncpg.connect(dsn)
    shown = await server.fetchval(
        "SELECT text FROM history_g1.timeline WHERE type = 'fact.stated' ORDER BY sequence LIMIT 1"
    )
    body = await server.fetchval(
        "SELECT body FROM history_g1.event WHERE type = 'fact.stated' ORDER BY sequence LIMIT 1"
    )
    await server.close()
    assert shown == NUL_TEXT.replace("\x00", NUL_STANDS_AS)
    assert msgspec.json.decode(body)["data"]["personal"]["value"] == NUL_TEXT


async def test_store_times_that_go_back_do_not_order(session: Session) -> None:
    """`settled` is the running maximum of store times, also across batches."""
    clock = TickingClock()
    handwritten = handwritten_in_memory(clock)
    for seconds in (0, 10, 5, 7, 20):
        clock.set(BEGIN + timedelta(seconds=seconds))
        await handwritten.write(*_status(handwritten))
    every = await handwritten.all()
    projection = await Projection.take_over(session)
    await projection.apply(every[:3])
    await projection.apply(every[3:])
    for seconds, sequence in ((0, 1), (9, 1), (10, 4), (19, 4), (20, 5), (99, 5)):
        row = await session.fetch_one("sequence_at", BEGIN + timedelta(seconds=seconds))
        assert row is not None
        assert row["sequence"] == sequence, seconds


def _status(handwritten: HandwrittenLedger) -> tuple[str, Any]:
    opened = {"agent": "ewa", "status": "away"}
    return "agent-ewa", handwritten.event("agent-ewa", "agent.status_set", opened)


async def test_projecting_is_pure(parcel: ParcelStory) -> None:
    """The same events and the same views before give the same rows."""
    every = await parcel.handwritten.all()

    def rows() -> Changes:
        return project(every, wanted(every), BEGIN)

    assert rows() == rows()


def test_every_query_says_why() -> None:
    """Named queries each have one sentence on why; a name or a reason missing is an error."""
    assert len(sql.queries()) > 30
    assert all(len(each.why) > 15 and each.text for each in sql.queries().values())
    with pytest.raises(ValueError, match="one"):
        sql.parse("-- name: one\nSELECT 1\n")
    with pytest.raises(ValueError, match="one"):
        sql.parse("-- name: one\n-- Why: a.\nSELECT 1\n-- name: one\n-- Why: b.\nSELECT 2\n")
