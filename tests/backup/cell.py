"""A cell of its own with all streams, and what stands in one of its streams."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from deploy import bootstrap
from deploy import ledger as ledgers
from deploy.backup import restoring, taking
from deploy.backup.manifest import Manifest
from shared import ensuring, policy, settings, streams
from shared.bus import Bus, connect
from shared.bus.deliveries import StoredMessage
from shared.codec import PlainCodec
from shared.ledger.jetstream import NatsLedger
from tests.support.ledger import TENANT, new_aggregate, write
from tests.support.servers import EmbeddedNats

REASON = "the disk is gone"
NOWHERE = "postgresql://tellonce@127.0.0.1:1/none"
"""No projection can be asked."""


@dataclass
class Cell:
    """Streams and consumers as the bootstrap job makes them, and a ledger that grows. `said`: by backup and restore."""

    bus: Bus
    chosen: settings.Settings
    said: list[str] = field(default_factory=list)

    @property
    def everything(self) -> streams.WantedStreams:
        return bootstrap.wanted(self.chosen, [policy.load(self.chosen.policy)])

    @property
    def ledger(self) -> NatsLedger:
        return NatsLedger(self.bus, PlainCodec())

    async def found(self) -> None:
        """Make everything, as the bootstrap job does."""
        await ensuring.ensure(self.bus, self.everything)
        await ledgers.found(self.bus, self.chosen, TENANT)

    async def grow(self, events: int) -> int:
        """Append so many events and return the last sequence."""
        for _ in range(events):
            await self.ledger.append(TENANT, [write(new_aggregate(), 0, "a")])
        return await self.ledger.position()

    async def end(self, stream: str) -> int:
        info = await self.bus.api(f"STREAM.INFO.{stream}")
        return int(info["state"]["last_seq"])

    async def contents(self, stream: str) -> list[StoredMessage]:
        """Return all that a stream holds."""
        stored = [
            await self.bus.leader_get(stream, sequence=sequence)
            for sequence in range(1, await self.end(stream) + 1)
        ]
        return [each for each in stored if each is not None]

    async def take(self, folder: Path) -> Manifest:
        return await taking.take(self.bus, folder, self.said.append)

    async def restore(self, folder: Path) -> ledgers.Findings:
        return await restoring.restore(
            self.bus, self.chosen, TENANT, self.everything, folder, REASON, self.said.append
        )


@contextlib.asynccontextmanager
async def cell(folder: Path) -> AsyncIterator[Cell]:
    """Give a cell on a server of its own, in which nothing is made yet."""
    async with EmbeddedNats(folder) as server:
        async with cell_at(server.url, folder) as made:
            yield made
        await server.kill()  # an end in order takes seconds, and nobody looks at it any more


@contextlib.asynccontextmanager
async def cell_at(url: str, folder: Path, replicas: int = 1) -> AsyncIterator[Cell]:
    """Give a cell on servers that are there. `folder`: for its mark."""
    bus = await connect(url, "test")
    mark = str(folder / "ledger.json")
    yield Cell(
        bus,
        settings.Settings(nats_url=url, postgres_dsn=NOWHERE, ledger_mark=mark, replicas=replicas),
    )
    await bus.close()
