"""A projector that runs in this process, and its rows compared with a rebuild."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

from services.history.digest import Digest, digest_of
from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projector import Projector
from services.history.rebuild import rebuild
from shared import aggregates
from shared.events import LedgerAdopted
from shared.ledger import LedgerReader
from tests.history.handwritten_ledger import (
    TENANT,
    HandwrittenLedger,
)
from tests.support.waiting import eventually


@dataclass
class Sign:
    """Readiness as the bus would show it, and everything it ever said."""

    said: list[bool] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    async def ready(self) -> None:
        if self.said[-1:] != [True]:
            self.said.append(True)

    async def not_ready(self, reason: str) -> None:
        self.reasons.append(reason)
        if self.said[-1:] != [False]:
            self.said.append(False)

    async def told(self, code: str) -> bool:
        """Whether it halted last for a reason with this code."""
        return self.reasons[-1:] != [] and self.reasons[-1].startswith(code)

    @property
    def shown(self) -> bool:
        return self.said[-1:] == [True]


@dataclass
class Running:
    """A projector that runs in this process."""

    positions: Positions
    sign: Sign
    task: asyncio.Task[None]

    async def until(self, position: int) -> None:
        async def there() -> bool:
            assert not self.task.done()
            return self.positions.holds(position)

        await eventually(there)

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@contextlib.asynccontextmanager
async def projecting(dsn: str, ledger: object, batch_max: int = 4) -> AsyncIterator[Running]:
    """Run a projector until the block ends."""
    positions, sign, reader = Positions(), Sign(), cast("LedgerReader", ledger)

    async def adopted() -> LedgerAdopted | None:
        found = await reader.read_leader(TENANT, aggregates.LEDGER_IDENTITY)
        return next((e.event for e in found[::-1] if isinstance(e.event, LedgerAdopted)), None)

    projector = Projector(dsn, reader, positions, sign, adopted=adopted, batch_max=batch_max)
    running = Running(positions, sign, asyncio.create_task(projector.run()))
    try:
        yield running
    finally:
        await running.stop()


async def live_digest(dsn: str) -> Digest:
    pool = Pool(dsn)
    digest: Digest = await pool.read(digest_of)
    await pool.close()
    return digest


async def digests_agree(dsn: str, handwritten: HandwrittenLedger) -> None:
    """The live rows are those that a rebuild from the ledger makes."""
    pool = Pool(dsn)
    outcome = await rebuild(dsn, pool, handwritten.ledger, batch_max=1_000)
    await pool.close()
    assert outcome.differing == []
    assert outcome.live == outcome.rebuilt
    assert outcome.position == await handwritten.ledger.position()
