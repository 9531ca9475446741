"""Decisions, four events on three aggregates, all or nothing: against a transaction of four inserts, and on three nodes
against bare atomic batches of the same messages.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg

from shared import aggregates, subjects
from shared.bus import Bus, connect
from shared.bus.storing import submit_batch
from shared.codec import PlainCodec, encode
from shared.errors import BusUnavailable
from shared.ids import scoped_id
from shared.ledger import Write
from shared.ledger.jetstream import NatsLedger
from shared.ledger.plan import EXPECTED, MESSAGE_ID
from shared.streams import LEDGER, stream_configs
from tests.bench.figures import Ratios, Side, alternate, timed
from tests.bench.place import nats_told, postgres_told
from tests.support.ledger import TENANT, event
from tests.support.servers import EmbeddedNats, EmbeddedNatsCluster, EmbeddedPostgres
from tests.support.waiting import eventually

ROUNDS = 7
ALONE = 60
WRITERS = 32
MANY = 640
TABLE = """
CREATE TABLE event (
    position bigserial PRIMARY KEY, aggregate text NOT NULL, number integer NOT NULL, id text NOT NULL UNIQUE,
    body bytea NOT NULL, UNIQUE (aggregate, number)
)"""
INSERT = "INSERT INTO event (aggregate, number, id, body) VALUES ($1, $2, $3, $4)"

Decision = Sequence[Write]
One = Callable[[Decision], Awaitable[object]]


class Decisions:
    """Decisions on aggregates that nobody wrote before, and who may make them."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._number = itertools.count()

    def new(self) -> Decision:
        first, second, third = (self._aggregate() for _ in range(3))
        return [
            Write(first, 0, [event(first, "one"), event(first, "two")]),
            Write(second, 0, [event(second, "one")]),
            Write(third, 0, [event(third, "one")]),
        ]

    def _aggregate(self) -> str:
        return aggregates.AGENT.of(scoped_id("bench", str(self._seed), str(next(self._number))))

    def side(self, one: One, count: int, writers: int) -> Side:
        """Return a side in which writers make `count` decisions in all."""

        async def worker(decisions: Sequence[Decision]) -> None:
            for decision in decisions:
                await one(decision)

        async def measure(_: int) -> float:
            decisions = [self.new() for _ in range(count)]
            shares = [decisions[first::writers] for first in range(writers)]
            return await timed(asyncio.gather(*(worker(share) for share in shares)))

        return measure


def _append(bus: Bus) -> One:
    ledger = NatsLedger(bus, PlainCodec())
    return lambda decision: ledger.append(TENANT, decision)


def _batch(bus: Bus) -> One:
    """Send a decision as a batch of its own, as many at once as there are writers; nothing is verified."""
    numbers = itertools.count()
    scope = bus.new_inbox()

    async def one(decision: Decision) -> object:
        messages = [
            (
                subjects.ledger(TENANT, write.aggregate),
                encode(each),
                {MESSAGE_ID: each.id, **({} if number else {EXPECTED: "0"})},
            )
            for write in decision
            for number, each in enumerate(write.events)
        ]
        return await submit_batch(bus, f"{scope}-{next(numbers)}", messages, 5.0)

    return one


def _transaction(pool: "asyncpg.Pool[asyncpg.Record]") -> One:
    async def one(decision: Decision) -> object:
        async with pool.acquire() as connection, connection.transaction():
            for write in decision:
                for number, each in enumerate(write.events):
                    await connection.execute(INSERT, write.aggregate, number, each.id, encode(each))
        return None

    return one


async def compare(folder: Path, seed: int) -> tuple[list[Ratios], str]:
    """Return the comparisons, and what they ran on."""
    decisions = Decisions(seed)
    found: list[Ratios] = []
    async with AsyncExitStack() as held:
        server = await held.enter_async_context(EmbeddedNats(folder / "one"))
        postgres = await held.enter_async_context(EmbeddedPostgres(folder / "postgres"))
        bus = await _with_ledger(held, [server.url], 1)
        pool = await held.enter_async_context(
            asyncpg.create_pool(postgres.dsn, min_size=WRITERS, max_size=WRITERS)
        )
        await pool.execute(TABLE)
        ran_on = f"{await nats_told(server.monitor_url)}, {await postgres_told(postgres.dsn)}"
        for what, count, writers in (("1 writer", ALONE, 1), (f"{WRITERS} writers", MANY, WRITERS)):
            ours = decisions.side(_append(bus), count, writers)
            theirs = decisions.side(_transaction(pool), count, writers)
            name = f"decision / SQL transaction, {what}"
            found.append(await alternate(name, ROUNDS, count, ours, theirs))
    async with AsyncExitStack() as held:
        cluster = await held.enter_async_context(EmbeddedNatsCluster(folder / "three"))
        bus = await _with_ledger(held, cluster.urls, 3)
        ours = decisions.side(_append(bus), MANY, WRITERS)
        bare = decisions.side(_batch(bus), MANY, WRITERS)
        name = f"decision / bare batch, 3 nodes, {WRITERS} writers"
        found.append(await alternate(name, ROUNDS, MANY, ours, bare))
    return found, ran_on


async def _with_ledger(held: AsyncExitStack, urls: Sequence[str], replicas: int) -> Bus:
    """Return a connection to servers that have the ledger's stream."""
    bus = await connect(urls, "bench")
    held.push_async_callback(bus.close)
    config = next(each for each in stream_configs(replicas=replicas) if each["name"] == LEDGER)

    async def made() -> bool:
        try:
            await bus.api(f"STREAM.CREATE.{LEDGER}", config)
        except BusUnavailable:
            return False
        return True

    await eventually(made)
    return bus
