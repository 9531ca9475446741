"""Tells whether the projection does its work: it is not halted, and it is within its lag."""

import asyncio

from services.history import store
from services.history.pool import Pool
from services.history.positions import Positions
from shared import errors
from shared.ledger import LedgerReader
from shared.readiness import Backlog

LAG_SECONDS = 10.0
"""What stood in the ledger so long ago is projected."""
STARTING = "starting"


class ProjectionState:
    """What the projector says of itself, and how far it is."""

    def __init__(self, pool: Pool, ledger: LedgerReader, positions: Positions) -> None:
        self._pool = pool
        self._ledger = ledger
        self._positions = positions
        self._reason: str | None = STARTING
        self._target = 0
        self._since = 0.0

    async def ready(self) -> None:
        """The projection goes on, here or in the process that this one stands by for."""
        self._reason = None

    async def not_ready(self, reason: str) -> None:
        """The projection has halted. `reason`: a stable word."""
        self._reason = reason

    async def check(self) -> None:
        """Raises: ViewUnavailable when the projection is halted, or behind what stood LAG_SECONDS ago."""
        if self._reason is not None:
            raise errors.ViewUnavailable(reason=self._reason)
        position, now = self._positions.position, asyncio.get_running_loop().time()
        if position == 0 or position >= self._target:
            self._target, self._since = await self._ledger.position(), now
        elif now - self._since > LAG_SECONDS:
            raise errors.ViewUnavailable(reason="behind", position=position, wanted=self._target)

    async def backlog(self) -> Backlog:
        """Return how many events are not projected, while this process projects, and how much is parked.

        Raises: LedgerUnavailable, ViewUnavailable.
        """
        position = self._positions.position
        lag_events = await self._ledger.position() - position if position else None
        return Backlog(lag_events=lag_events, parked=await self._pool.read(_parked))


async def _parked(session: store.Session) -> int:
    row = await session.fetch_one("parked_total")
    assert row is not None
    return int(row["parked"])
