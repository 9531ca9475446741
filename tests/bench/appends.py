"""The ledger's append against a bare JetStream publish.

Both sides use the same server, connection, stream settings, bodies and concurrency.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import nats

from shared import aggregates, subjects
from shared.bus import Bus
from shared.codec import PlainCodec, encode
from shared.ids import scoped_id
from shared.ledger import Write
from shared.ledger.jetstream import NatsLedger
from shared.streams import LEDGER, stream_configs
from tests.bench.figures import Ratios, alternate, timed
from tests.bench.place import Beside, make_streams_beside, nats_told
from tests.support.ledger import TENANT, event
from tests.support.servers import EmbeddedNats

ROUNDS = 15
ONE_AT_A_TIME = 100
IN_FLIGHT = 32
MANY = 480
BATCHES = 60

One = Callable[[str], Awaitable[object]]


class Appends:
    """Both sides, on aggregates that nobody wrote before."""

    def __init__(self, bus: Bus, beside: Bus, seed: int) -> None:
        self._ledger = NatsLedger(bus, PlainCodec())
        self._beside = beside
        self._seed = seed
        self._number = 0

    def new_aggregate(self) -> str:
        self._number += 1
        return aggregates.AGENT.of(scoped_id("bench", str(self._seed), str(self._number)))

    async def append(self, aggregate: str) -> object:
        """Append one event."""
        return await self._ledger.append(TENANT, [Write(aggregate, 0, [event(aggregate, "one")])])

    async def publish(self, aggregate: str) -> object:
        """Publish the same body with the same message id; no expectation, nothing verified."""
        return await self._publish(aggregate, "one")

    async def append_pair(self, aggregate: str) -> object:
        """Append two events of two aggregates as one atomic batch."""
        pair = (aggregate, self.new_aggregate())
        writes = [Write(each, 0, [event(each, "one")]) for each in pair]
        return await self._ledger.append(TENANT, writes)

    async def publish_pair(self, aggregate: str) -> object:
        """Publish two bodies one after another, nothing atomic."""
        await self._publish(aggregate, "one")
        return await self._publish(self.new_aggregate(), "one")

    async def _publish(self, aggregate: str, name: str) -> object:
        made = event(aggregate, name)
        subject = subjects.ledger(TENANT, aggregate)
        return await self._beside.submit(subject, encode(made), {"Nats-Msg-Id": made.id})

    def side(self, one: One, count: int, in_flight: int) -> Callable[[int], Awaitable[float]]:
        """Return a side that does `count` of them, `in_flight` at a time."""

        async def worker(aggregates: list[str]) -> None:
            for aggregate in aggregates:
                await one(aggregate)

        async def measure(_: int) -> float:
            aggregates = [self.new_aggregate() for _ in range(count)]
            shares = [aggregates[first::in_flight] for first in range(in_flight)]
            return await timed(asyncio.gather(*(worker(share) for share in shares)))

        return measure


async def compare(folder: Path, seed: int) -> tuple[list[Ratios], str]:
    """Return the comparisons (one at a time, many in flight, an atomic batch of two) and what they ran on."""
    async with EmbeddedNats(folder / "nats") as server:
        ran_on = await nats_told(server.monitor_url)
        client = await nats.connect(server.url)
        bus, beside = Bus.of(client), Beside.of(client)
        config = next(each for each in stream_configs() if each["name"] == LEDGER)
        await bus.api(f"STREAM.CREATE.{LEDGER}", config)
        await make_streams_beside(bus)
        both = Appends(bus, beside, seed)
        plan = (
            ("append / publish, one at a time", both.append, both.publish, ONE_AT_A_TIME, 1),
            (
                f"append / publish, {IN_FLIGHT} in flight",
                both.append,
                both.publish,
                MANY,
                IN_FLIGHT,
            ),
            ("atomic batch of 2 / 2 publishes", both.append_pair, both.publish_pair, BATCHES, 1),
        )
        found = [
            await alternate(
                what, ROUNDS, count, both.side(ours, count, width), both.side(bare, count, width)
            )
            for what, ours, bare, count, width in plan
        ]
        await client.close()
    return found, ran_on
