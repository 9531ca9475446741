"""What this process knows of the projection: how far it is, and whether it was made of the ledger that stands here.

Queries wait for the one and are refused without the other.
"""

import asyncio
import contextlib

from shared import metrics


class Positions:
    """The last position committed by this process; 0 while the process stands by.

    `agreed`: the tables and the ledger were compared since the last drift, and agree. Only then do they bear witness.
    """

    def __init__(self, *, agreed: bool = False) -> None:
        self.agreed = agreed
        self._position = 0
        self._moved = asyncio.Event()

    def reached(self, position: int) -> None:
        """Rows up to `position` are committed."""
        self._position = position
        metrics.POSITION.set(position)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    @property
    def position(self) -> int:
        """The last position committed by this process; 0 while the process stands by."""
        return self._position

    def holds(self, position: int) -> bool:
        """Whether this process itself committed rows up to `position`."""
        return self._position >= position

    async def next_move(self, timeout_seconds: float) -> None:
        """Wait until something was committed here, or for `timeout_seconds`: another process may have done it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), timeout_seconds)
