"""Bodies that are too large for one message of RAW: chunks in the stream BODIES, under the body's hash (docs/adr/0037).

The same body again takes the place of its own chunks, so it stands there once, and for as long as the delivery that
brought it last.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from services.ingest.domain.delivery import BodyReference, RawDelivery
from services.ingest.handlers.chunks import Chunks
from shared import errors, streams, subjects
from shared.bus import Bus

T = TypeVar("T")


class BodyStore:
    """Stores bodies, and gives them back one at a time: a process holds one of them beside what its doors hold."""

    def __init__(self, bus: Bus) -> None:
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1)
        self._chunks = Chunks(bus, streams.BODIES, subjects.body, self.apart)

    async def apart(self, call: Callable[..., T], *args: object) -> T:
        """Return what a call on a large body gives, off the event loop.

        In one thread of its own: each thread that ever had large bodies keeps memory for them.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def put(self, tenant: str, body: bytes) -> BodyReference:
        """Store a body. Raises: as `Chunks.put`."""
        return await self._chunks.put(tenant, body)

    @contextlib.asynccontextmanager
    async def whole(self, raw: RawDelivery) -> AsyncIterator[RawDelivery]:
        """Give a delivery with its body; without one where the body is lost, and then it says why.

        Raises: BusUnavailable, JetStreamRefused.
        """
        async with self._turn:
            yield await self._whole(raw)

    async def _whole(self, raw: RawDelivery) -> RawDelivery:
        if raw.elsewhere is None:
            return raw
        try:
            return replace(raw, body=await self._chunks.whole(raw.tenant, raw.elsewhere))
        except (errors.BodyMissing, errors.BodyDamaged) as error:
            return replace(raw, lost=error.code)
