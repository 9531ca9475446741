"""History's projector and its rebuild against COPY of the rows they wrote: same server, same tables, same indexes.

COPY is one transaction. The projector is given events that were read and opened; a rebuild reads the ledger itself.
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import asyncpg

from services.history import generations
from services.history.filling import Filler
from services.history.projection import Projection
from services.history.store import Session, owner_session
from shared.bus import Bus, connect
from shared.bus.storing import submit_batch
from shared.codec import PlainCodec
from shared.ledger import Recorded
from shared.ledger.bulk import BulkReader
from shared.settings import Settings
from shared.streams import LEDGER, stream_configs
from shared.subjects import ledger
from tests.bench.figures import Ratios, alternate, timed
from tests.bench.place import nats_told, postgres_told
from tests.support.servers import EmbeddedNats, EmbeddedPostgres

ROUNDS = 7
FILLED_ROUNDS = 3
PROCESSES = 2
STORED_TOGETHER = 250
STORE_SECONDS = 30.0
TABLES = (
    "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'checkpoint' ORDER BY 1"
)


class Projecting:
    """Both sides, each time into an empty generation."""

    def __init__(self, dsn: str, events: Sequence[Recorded]) -> None:
        self._dsn = dsn
        self._events = events
        self._rows: dict[str, bytes] = {}

    @property
    def rows(self) -> int:
        """How many bytes the rows take in COPY's binary form."""
        return sum(map(len, self._rows.values()))

    async def project(self, _: int) -> float:
        """Let the projector write all events, in its own batches."""
        batch_max = Settings().projection_batch
        batches = [
            self._events[first : first + batch_max]
            for first in range(0, len(self._events), batch_max)
        ]
        async with owner_session(self._dsn, watched=False) as session:
            generation = await _empty_generation(session)
            projection = await Projection.take_over(session)

            async def write() -> None:
                for batch in batches:
                    await projection.apply(batch)

            taken = await timed(write())
        if not self._rows:
            self._rows = await self._read(generation.schema)
        return taken

    async def copy(self, _: int) -> float:
        """COPY the same rows in one transaction."""
        if not self._rows:
            await self.project(0)
        async with owner_session(self._dsn, watched=False) as session:
            generation = await _empty_generation(session)
        connection = await asyncpg.connect(self._dsn)

        async def write() -> None:
            async with connection.transaction():
                for table, rows in self._rows.items():
                    await connection.copy_to_table(
                        table,
                        schema_name=generation.schema,
                        source=io.BytesIO(rows),
                        format="binary",
                    )

        taken = await timed(write())
        await connection.close()
        return taken

    async def _read(self, schema: str) -> dict[str, bytes]:
        connection = await asyncpg.connect(self._dsn)
        found = {}
        for row in await connection.fetch(TABLES, schema):
            rows = io.BytesIO()
            await connection.copy_from_table(
                row["tablename"], schema_name=schema, output=rows, format="binary"
            )
            found[row["tablename"]] = rows.getvalue()
        await connection.close()
        return found


class Filling:
    """A rebuild's way from the ledger to a generation as it may answer: processes are started, indexes made."""

    def __init__(self, dsn: str, bus: Bus, until: int) -> None:
        self._dsn = dsn
        self._reader = BulkReader(bus, PlainCodec())
        self._until = until

    async def by(self, processes: int) -> float:
        """Fill a new generation."""
        async with owner_session(self._dsn, watched=False) as session:
            await generations.migrate(session)
            await generations.make_building(session, indexed=False)
            filler = Filler(self._dsn, self._reader, processes)
            return await timed(filler.fill(session, self._until))


async def _empty_generation(session: Session) -> generations.Generation:
    await generations.migrate(session)
    return await generations.make_building(session)


async def _store(bus: Bus, events: Sequence[Recorded]) -> None:
    """Put events into a new ledger."""
    (config,) = [each for each in stream_configs() if each["name"] == LEDGER]
    await bus.api(f"STREAM.CREATE.{LEDGER}", config)
    for first in range(0, len(events), STORED_TOGETHER):
        messages = [
            (ledger(each.event.tenant, each.aggregate), each.body, dict[str, str]())
            for each in events[first : first + STORED_TOGETHER]
        ]
        ack = await submit_batch(bus, f"bench-{first}", messages, STORE_SECONDS)
        assert ack.count == len(messages), ack


async def compare(folder: Path, events: Sequence[Recorded]) -> tuple[Ratios, str]:
    """Return the comparison over these events, and what it ran on."""
    async with EmbeddedPostgres(folder / "postgres") as server:
        both = Projecting(server.dsn, events)
        what = f"projection / COPY, {len(events)} events"
        ran_on = await postgres_told(server.dsn)
        return await alternate(what, ROUNDS, 1, both.project, both.copy), ran_on


async def compare_filled(folder: Path, events: Sequence[Recorded]) -> tuple[list[Ratios], str]:
    """Return a rebuild by several processes against COPY and against one process, and what it ran on."""
    async with (
        EmbeddedPostgres(folder / "filled") as server,
        EmbeddedNats(folder / "filled-nats") as nats,
    ):
        bus = await connect(nats.url, "bench")
        await _store(bus, events)
        copied, filling = Projecting(server.dsn, events), Filling(server.dsn, bus, len(events))
        size = len(events)
        # Whoever shares the work is told by the environment where the servers are.
        places = {"TELLONCE_NATS_URL": nats.url, "TELLONCE_POSTGRES_DSN": server.dsn}
        with mock.patch.dict(os.environ, places):
            found = [
                await alternate(
                    f"rebuild, {processes} processes / {name}, {size} events",
                    FILLED_ROUNDS,
                    1,
                    lambda _, processes=processes: filling.by(processes),  # type: ignore[misc]
                    bare,
                )
                for processes, name, bare in (
                    (1, "COPY", copied.copy),
                    (PROCESSES, "COPY", copied.copy),
                    (PROCESSES, "by one", lambda _: filling.by(1)),
                )
            ]
        ran_on = f"{await nats_told(nats.monitor_url)}, {await postgres_told(server.dsn)}"
        await bus.close()
        return found, ran_on
