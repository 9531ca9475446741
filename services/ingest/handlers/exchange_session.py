"""What a connection to an exchange gives, until it breaks: its events, in order, and what calls there are now."""

import abc
import asyncio
from collections import deque
from collections.abc import Sequence

from services.ingest.domain.pbx_memory import RawRecord, RecordCodec
from shared import errors
from shared.clock import Clock

TIMEOUT_SECONDS = 10.0
"""For connecting and for each answer."""
SILENCE_SECONDS = 10.0
"""After so long a silence the exchange is asked whether it is there."""
GATHER_SECONDS = 0.03
"""How long a delivery waits for more events: one call's come in bursts."""
BATCH_MAX_BYTES = 131_072
WAITING_MAX_BYTES = 8_388_608
"""What waits to be stored; beyond it nothing is read, and the exchange keeps it, or ends the connection."""


class ExchangeSession(abc.ABC):
    """An open connection. `opened`: from when on it tells its events; `heard`: when it said something last."""

    codec: RecordCodec

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.opened = self.heard = clock.now()
        self._pieces: deque[RawRecord] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._failure: errors.TellonceError | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @abc.abstractmethod
    async def present(self) -> Sequence[RawRecord] | None:
        """Return the legs and bridges that there are now; `None`: our user may not ask. Raises: ProviderUnavailable."""

    @abc.abstractmethod
    async def close(self) -> None:
        """End the connection."""

    @property
    def waiting(self) -> Sequence[RawRecord]:
        """What has come and was not taken yet."""
        return list(self._pieces)

    async def more(self, seconds: float) -> list[RawRecord]:
        """Return the next events, in order, once there are some; none after so many seconds.

        Raises: ProviderUnavailable, ProviderNotUnderstood when the connection broke and all was taken.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self._pieces:
                    if self._failure is not None:
                        raise self._failure
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return []
        if self._failure is None and self._bytes < BATCH_MAX_BYTES:
            await asyncio.sleep(GATHER_SECONDS)
        return self._taken()

    def _taken(self) -> list[RawRecord]:
        taken: list[RawRecord] = []
        size_bytes = 0
        while self._pieces:
            size_bytes += len(self._pieces[0].raw)
            if taken and size_bytes > BATCH_MAX_BYTES:
                break
            taken.append(self._pieces.popleft())
            self._bytes -= len(taken[-1].raw)
        self._changed.set()
        return taken

    @property
    def _full(self) -> bool:
        return self._bytes > WAITING_MAX_BYTES

    async def _room(self) -> None:
        """Wait until what has come is no longer too much."""
        while self._full:
            self._changed.clear()
            await self._changed.wait()

    def _came(self, piece: RawRecord) -> None:
        self._pieces.append(piece)
        self._bytes += len(piece.raw)
        self._changed.set()

    def _fail(self, error: errors.TellonceError) -> None:
        self._failure = self._failure or error
        self._changed.set()

    async def _end_tasks(self) -> None:
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
