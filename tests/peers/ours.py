"""Our ledger on one embedded nats-server, and history's rebuild from it."""

import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import ClassVar, Self

from services.history import generations
from services.history.app import rebuild_once
from services.history.projection import Projection
from services.history.rebuild import adopt
from services.history.store import owner_session
from shared import subjects
from shared.bus import Bus, connect
from shared.bus.storing import submit_batch
from shared.codec import PlainCodec, encode
from shared.events import AnyEvent
from shared.ledger import Recorded, Write
from shared.ledger.jetstream import NatsLedger
from shared.ledger.plan import EXPECTED, MESSAGE_ID
from shared.settings import Settings
from shared.streams import LEDGER, stream_configs
from tests.bench.place import nats_told
from tests.peers.events import Decision
from tests.peers.store import LAID_AT_ONCE, Store, pieces, side_by_side
from tests.support.servers import EmbeddedNats

TENANT = "demo"
LAY_SECONDS = 30.0


class Ours:
    """The ledger as the services use it. `told`: what its server says of itself."""

    name: ClassVar[str] = "Tellonce"
    promises: ClassVar[str] = (
        "expected sequence of each aggregate; all or nothing over aggregates; one order without gaps; "
        "the same append again stores nothing"
    )

    def __init__(self, server: EmbeddedNats, bus: Bus, told: str) -> None:
        self.told = told
        self.url = server.url
        self.ledger = NatsLedger(bus, PlainCodec())
        self._server = server
        self._bus = bus
        self._last: dict[str, int] = {}
        self._laid = itertools.count(1)

    @classmethod
    async def open(cls, held: AsyncExitStack, folder: Path) -> Self:
        """Start a server with an empty ledger."""
        server = await held.enter_async_context(EmbeddedNats(folder))
        bus = await connect([server.url], "peers")
        held.push_async_callback(bus.close)
        config = next(each for each in stream_configs() if each["name"] == LEDGER)
        await bus.api(f"STREAM.CREATE.{LEDGER}", config)
        return cls(server, bus, await nats_told(server.monitor_url))

    @property
    def pids(self) -> Sequence[int]:
        assert self._server.pid is not None
        return [self._server.pid]

    async def lay(self, events: Sequence[AnyEvent]) -> None:
        for piece in pieces(events, LAID_AT_ONCE):
            await self._lay(piece)

    async def _lay(self, events: Sequence[AnyEvent]) -> None:
        """Store events as one batch in their own order; an append would put those of an aggregate together."""
        position = await self.ledger.position()
        written: set[str] = set()
        messages = []
        for event in events:
            headers = {MESSAGE_ID: str(event.id)}
            if event.aggregate not in written:
                headers[EXPECTED] = str(self._last.get(event.aggregate, 0))
            written.add(event.aggregate)
            position += 1
            self._last[event.aggregate] = position
            messages.append((subjects.ledger(TENANT, event.aggregate), encode(event), headers))
        ack = await submit_batch(self._bus, f"lay-{next(self._laid)}", messages, LAY_SECONDS)
        assert ack.seq == position, ack

    async def append(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            expected = self._last.get(event.aggregate, 0)
            write = Write(event.aggregate, expected, [event])
            appended = await self.ledger.append(TENANT, [write])
            self._last[event.aggregate] = appended.position

    async def decide(self, decisions: Sequence[Decision]) -> None:
        async def writer(share: Iterable[Decision]) -> None:
            for decision in share:
                writes = [Write(aggregate, 0, events) for aggregate, events in decision]
                await self.ledger.append(TENANT, writes)

        await side_by_side(decisions, writer)

    async def batches(self) -> AsyncIterator[Sequence[Recorded]]:
        end = await self.ledger.position()
        async for batch in self.ledger.follow(0):
            yield batch
            if batch[-1].sequence >= end:
                return

    async def read(self, aggregates: Sequence[str]) -> int:
        return sum([len(await self.ledger.read(TENANT, aggregate)) for aggregate in aggregates])


class History:
    """History's own projector in a database of its own: over our ledger, and over the events of any other store.

    `environment`: where the processes that a rebuild starts find both.
    """

    def __init__(self, ours: Ours, dsn: str) -> None:
        self._settings = Settings(nats_url=ours.url, postgres_dsn=dsn)
        self.environment = {"TELLONCE_NATS_URL": ours.url, "TELLONCE_POSTGRES_DSN": dsn}
        self._ledger = ours.ledger

    async def build(self) -> None:
        """Make the live tables, with which every rebuild compares its own."""
        async with owner_session(self._settings.postgres_dsn, watched=False) as session:
            await generations.migrate(session)
        batch_max = self._settings.projection_batch
        await adopt(self._settings.postgres_dsn, self._ledger, batch_max=batch_max)

    async def rebuild(self) -> int:
        """Rebuild and compare, as `python -m services.history rebuild` does; how many events."""
        outcome = await rebuild_once(self._settings, switch=False)
        assert outcome.live == outcome.rebuilt, outcome.differing
        return outcome.position

    async def project(self, store: Store) -> int:
        """Let our projector write all its tables from another store's events, into an empty generation; how many."""
        count = 0
        async with owner_session(self._settings.postgres_dsn, watched=False) as session:
            await generations.make_building(session)
            projection = await Projection.take_over(session)
            async for batch in store.batches():
                for piece in pieces(batch, self._settings.projection_batch):
                    await projection.apply(piece)
                    count += len(piece)
        return count
