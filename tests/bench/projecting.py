"""History's projector against COPY of the rows it wrote: same server, same tables, same indexes, one transaction."""

import io
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from services.history import generations
from services.history.projection import Projection
from services.history.store import Session, owner_session
from shared.ledger import Recorded
from shared.settings import Settings
from tests.bench.figures import Ratios, alternate, timed
from tests.bench.place import postgres_told
from tests.support.servers import EmbeddedPostgres

ROUNDS = 7
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


async def _empty_generation(session: Session) -> generations.Generation:
    await generations.migrate(session)
    return await generations.make_building(session)


async def compare(folder: Path, events: Sequence[Recorded]) -> tuple[Ratios, str]:
    """Return the comparison over these events, and what it ran on."""
    async with EmbeddedPostgres(folder / "postgres") as server:
        both = Projecting(server.dsn, events)
        what = f"projection / COPY, {len(events)} events"
        ran_on = await postgres_told(server.dsn)
        return await alternate(what, ROUNDS, 1, both.project, both.copy), ran_on
