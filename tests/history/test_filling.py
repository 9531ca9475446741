"""A filled generation holds what a projection writes, or is left to one; on real servers, in real processes."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace

from services.history import filling, generations, rebuild
from services.history.digest import Digest, digest_of
from services.history.filling import Filler, FillFailed, Share, fill_share
from services.history.pool import Pool
from services.history.projection import FenceLost, Projection
from services.history.store import RowRepeated, Session, owner_session
from shared import errors, subjects
from shared.bus.bulk import Raw
from shared.codec import PlainCodec
from shared.ledger.bulk import BulkReader
from shared.ledger.jetstream import NatsLedger
from tests.history.handwritten_ledger import TENANT, recorded
from tests.history.running_history import RunningHistory
from tests.support.waiting import eventually

HOUR_NANOSECONDS = 3_600 * 10**9
INDEXES = """
SELECT replace(indexdef, schemaname, '') FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1
"""


@pytest_asyncio.fixture
async def history(
    tmp_path: Path, postgres_template: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningHistory]:
    """Servers, and the story in the ledger; whoever fills is told by the environment where they are."""
    history = RunningHistory(tmp_path, postgres_template)
    await history.open()
    for name, value in history.environment.items():
        monkeypatch.setenv(name, value)
    await history.parcel.play()
    yield history
    await history.close()


@contextlib.asynccontextmanager
async def building(history: RunningHistory, *, indexed: bool = False) -> AsyncIterator[Session]:
    """A session in a new generation."""
    async with owner_session(history.postgres.dsn, watched=False) as session:
        await generations.migrate(session)
        await generations.make_building(session, indexed=indexed)
        yield session


def ledger_of(history: RunningHistory) -> NatsLedger:
    ledger = history.handwritten.ledger
    assert isinstance(ledger, NatsLedger)
    return ledger


def reader_of(history: RunningHistory) -> BulkReader:
    return ledger_of(history).in_bulk()


def filler_of(history: RunningHistory, processes: int) -> Filler:
    return Filler(history.postgres.dsn, reader_of(history), processes, batch_max=20)


async def told(session: Session) -> tuple[Digest, list[str]]:
    """Return the digest of a generation and its indexes."""
    async with session.transaction("repeatable_read", readonly=True):
        digest = await digest_of(session)
    rows = await session._connection.fetch(INDEXES)  # noqa: SLF001  no question that the service has
    return digest, [row[0] for row in rows]


async def projected(history: RunningHistory) -> tuple[Digest, list[str]]:
    async with building(history, indexed=True) as session:
        projection = await Projection.take_over(session, ledger_of(history))
        await projection.apply(
            await recorded(ledger_of(history), await ledger_of(history).position())
        )
        return await told(session)


async def test_a_filled_generation_is_a_projected_one(history: RunningHistory) -> None:
    """The same rows, checkpoint and indexes, by one process and by three; a projection goes on from there."""
    end = await ledger_of(history).position()
    wanted = await projected(history)
    assert wanted[0].position == end
    for processes in (1, 3):
        async with building(history) as session:
            await filler_of(history, processes).fill(session, end)
            assert await told(session) == wanted
    async with building(history) as session:
        await filler_of(history, 1).fill(session, end - 9)
        projection = await Projection.take_over(session, ledger_of(history))
        every = await recorded(ledger_of(history), end)
        await projection.apply(every[end - 9 :])
        assert await told(session) == wanted


class Rewound(BulkReader):
    """As a ledger whose leader's clock was behind the last one's, now and then."""

    async def messages(self, until: int) -> AsyncGenerator[list[Raw], None]:
        async with contextlib.aclosing(super().messages(until)) as batches:
            async for messages in batches:
                yield [
                    (number, nanoseconds - number % 3 * HOUR_NANOSECONDS, subject, body)
                    for number, nanoseconds, subject, body in messages
                ]


async def test_what_settles_an_event_may_be_of_another_share(history: RunningHistory) -> None:
    """The latest store time of all events up to one counts, whoever writes them."""
    end = await ledger_of(history).position()
    reader = Rewound(history.bus, PlainCodec())
    every: list[Raw] = []
    async with contextlib.aclosing(reader.messages(end)) as batches:
        async for messages in batches:
            every += messages
    async with building(history, indexed=True) as session:
        projection = await Projection.take_over(session)
        await projection.apply(await reader.events(every))
        wanted = await told(session)
    async with building(history) as session:
        start = await session.fetch_one("take_over")
        held = await session.fetch_one("checkpoint_held")
        assert start is not None
        assert held is not None
        whole = filling.RollingDigest(start["rolling"])
        for number in range(2):
            share = Share(**held, until=end, number=number, of=2, batch_max=20)
            take = None if number else whole.take
            await fill_share(history.postgres.dsn, reader, share, take)
        await generations.index(session)
        moving = end, whole.rolling, whole.settled, start["position"], start["fence"]
        assert await session.fetch_one("move_checkpoint", *moving)
        assert await told(session) == wanted


async def test_a_rebuild_fills_and_finds_no_difference(
    history: RunningHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switched while a projector runs: it goes on in the filled generation."""
    monkeypatch.setattr(rebuild, "FILLED_FROM_EVENTS", 1)
    await history.start()
    await history.ask("position", min_seq=history.parcel.at["missed"])
    pool = Pool(history.postgres.dsn)
    outcome = await rebuild.rebuild(
        history.postgres.dsn,
        pool,
        ledger_of(history),
        batch_max=20,
        switch=True,
        filler=filler_of(history, 2),
    )
    await pool.close()
    assert (outcome.differing, outcome.switched) == ([], True)
    await history.parcel.go_on()
    await history.answered("position", min_seq=await ledger_of(history).position())
    await history.digests_agree()


async def test_what_a_fill_trips_over_is_projected(
    history: RunningHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event id that comes twice, on aggregates of two shares: the first counts, as the live projector has it."""
    monkeypatch.setattr(rebuild, "FILLED_FROM_EVENTS", 1)
    handwritten = history.handwritten
    for agent in ("a", "b"):
        signed = handwritten.event(
            f"agent-{agent}", "agent.signed_in", {"agent": agent}, id_="cametwice"
        )
        stored = msgspec.json.encode(signed)
        await history.bus.store(subjects.ledger(TENANT, f"agent-{agent}"), stored)
    end = await ledger_of(history).position()
    async with building(history) as session:
        with pytest.raises(RowRepeated):
            await filler_of(history, 2).fill(session, end)
    await history.start()
    await history.ask("position", min_seq=end)
    pool = Pool(history.postgres.dsn)
    filler = filler_of(history, 2)
    outcome = await rebuild.rebuild(
        history.postgres.dsn, pool, ledger_of(history), batch_max=20, filler=filler
    )
    await pool.close()
    assert (outcome.position, outcome.differing) == (end, [])


async def test_a_share_of_a_dropped_generation_writes_nothing(history: RunningHistory) -> None:
    """Its parent was killed and the next rebuild has made a generation of the same name."""
    end = await ledger_of(history).position()
    async with building(history) as session:
        held = await session.fetch_one("checkpoint_held")
    assert held is not None
    share = Share(**held, until=end, number=0, of=1, batch_max=20)
    async with building(history) as session:
        assert (await session.fetch_one("checkpoint_held") or {})["schema"] == share.schema
        with pytest.raises(FenceLost):
            await fill_share(history.postgres.dsn, reader_of(history), share)
        assert await session.fetch_one("last_event") is None


async def test_a_fill_ends_with_its_processes_and_they_with_it(history: RunningHistory) -> None:
    """A process that fails stops the others; one whose parent was killed ends, though it could go on."""
    end = await ledger_of(history).position()
    async with building(history) as session:
        await session.execute("take_over")
        held = await session.fetch_one("checkpoint_held")
        assert held is not None
        waits = Share(**held, until=end + 1, number=0, of=1, batch_max=20)
        with pytest.raises(FillFailed):
            await filling._in_a_process(replace(waits, fence=99, until=end))  # noqa: SLF001
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.history.filling",
            msgspec.json.encode(waits).decode(),
            stdin=asyncio.subprocess.PIPE,
        )
        assert child.stdin is not None
        child.stdin.close()
        assert await asyncio.wait_for(child.wait(), 20) == 1


async def test_in_bulk_ends_with_its_server(history: RunningHistory) -> None:
    """Nobody mends the connection: whoever reads is told, and what came before is whole."""
    end = await ledger_of(history).position()
    came: list[Raw] = []
    with pytest.raises(errors.BusUnavailable):  # noqa: PT012  what is read before is looked at, too
        async with contextlib.aclosing(reader_of(history).messages(end + 1)) as batches:
            async for messages in batches:
                came += messages
                if len(came) == end:
                    await history.nats.kill()
    assert [each[0] for each in came] == list(range(1, end + 1))
    await history.nats.start()

    async def back() -> bool:
        return history.bus.connected

    await eventually(back)
    assert [
        (each.sequence, each.stored, each.event) for each in await reader_of(history).events(came)
    ] == [
        (each.sequence, each.stored, each.event) for each in await recorded(ledger_of(history), end)
    ]


def shares(of: int) -> Iterator[Share]:
    for number in range(of):
        yield Share(schema="", checkpoint=0, fence=0, until=0, number=number, of=of, batch_max=1)


def test_an_aggregate_is_of_one_share_wherever_it_was_published() -> None:
    """Whoever names another partition writes to the same aggregate all the same."""
    for name in ("conv-a", "conv-b", "notif-a", "cust-c"):
        right = subjects.ledger(TENANT, name).encode()
        wrong = right.replace(right.split(b".")[1], b"7", 1)
        holding = [[share.holds(subject) for share in shares(3)] for subject in (right, wrong)]
        assert holding[0] == holding[1]
        assert sum(holding[0]) == 1
    held = [
        share.holds(subjects.ledger(TENANT, f"conv-{n}").encode())
        for n in range(300)
        for share in [next(shares(2))]
    ]
    assert 100 < sum(held) < 200
