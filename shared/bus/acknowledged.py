"""A stream's acknowledgements go up. One that goes back shows an older copy in the stream's place (docs/adr/0030)."""

import asyncio
from typing import Protocol

from shared import errors


class Connection(Protocol):
    """`generation`: how often it was made again; `Bus` is one."""

    @property
    def generation(self) -> int: ...


class AcknowledgedPosition:
    """Checks what one stream acknowledges to one client.

    A copy takes the stream's place only while the server is away. So what was acknowledged before the connection was
    made again lies below what is stored now; within one connection answers may overtake each other. A stream that went
    back once is not believed any more: it grows, also by what is not acknowledged.
    """

    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection = connection
        self._stream = stream
        self._generation = connection.generation
        self._newest = 0
        self._before = 0
        self._back = asyncio.Event()

    def check(self, sequence: int) -> None:
        """Take note of a message that was stored just now, and is no repetition. Raises: StreamDrift."""
        if self._connection.generation != self._generation:
            self._generation = self._connection.generation
            self._before = self._newest
        if sequence <= self._before:
            self._back.set()
        if self._back.is_set():
            raise self._drift()
        self._newest = max(self._newest, sequence)

    def lost(self, sequence: int) -> None:
        """Take note that what was read at a sequence, or stored there, is no longer in the stream."""
        self._before = max(self._before, sequence)
        self._back.set()

    async def watch(self) -> None:
        """Wait until the stream goes back. Raises: StreamDrift, then the service must end."""
        await self._back.wait()
        raise self._drift()

    def _drift(self) -> errors.StreamDrift:
        return errors.StreamDrift(stream=self._stream, field="last_seq", wanted=self._before)
