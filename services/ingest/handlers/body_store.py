"""Bodies that are too large for one message of RAW: chunks in the stream BODIES, under the body's hash (docs/adr/0037).

The same body again takes the place of its own chunks, so it stands there once, and for as long as the delivery that
brought it last.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from services.ingest.domain.delivery import BodyReference, RawDelivery
from shared import backoff, errors, ids, streams, subjects
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage

CHUNK_BYTES = 229_376
"""Never changed: chunks that were cut otherwise would take the place of some, and break what names the others."""
STORING_BYTES = 8
AT_ONCE = 4
"""Chunks of a body on their way at once; more would make small deliveries wait behind them."""


READ_TRIES = 5
READ_RETRY = backoff.Backoff(first_seconds=0.05, longest_seconds=0.5)

T = TypeVar("T")


async def _each(count: int, call: Callable[[int], Awaitable[T]]) -> list[T]:
    """Return what the calls for 0 to `count` give, of which AT_ONCE run at once."""
    found: list[T] = []
    for first in range(0, count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, count))
        found += await asyncio.gather(*(call(number) for number in numbers))
    return found


class BodyStore:
    """Stores bodies, and gives them back one at a time: a process holds one of them beside what its doors hold."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1)

    async def apart(self, call: Callable[..., T], *args: object) -> T:
        """Return what a call on a large body gives, off the event loop.

        In one thread of its own: each thread that ever had large bodies keeps memory for them.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def put(self, tenant: str, body: bytes) -> BodyReference:
        """Store a body, chunk by chunk: what others store comes in between.

        Raises: BusUnavailable, JetStreamRefused; what is stored then is named by nobody, and goes with its age.
        """
        sha256 = await self.apart(ids.body_sha256, body)
        storing = secrets.token_hex(STORING_BYTES)

        async def store(number: int) -> None:
            chunk = body[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
            subject = subjects.body(tenant, sha256, number)
            await self._bus.store(subject, chunk, msg_id=f"{storing}-{number}")

        chunks = -(-len(body) // CHUNK_BYTES)
        await _each(chunks, store)
        return BodyReference(sha256=sha256, size_bytes=len(body), chunks=chunks)

    @contextlib.asynccontextmanager
    async def whole(self, raw: RawDelivery) -> AsyncIterator[RawDelivery]:
        """Give a delivery with its body; without one where the body is lost, and then it says why.

        Raises: BusUnavailable, JetStreamRefused.
        """
        async with self._turn:
            yield await self._whole(raw)

    async def _whole(self, raw: RawDelivery) -> RawDelivery:
        ref = raw.elsewhere
        if ref is None:
            return raw

        async def chunk(number: int) -> bytes | None:
            subject = subjects.body(raw.tenant, ref.sha256, number)
            found = await self._found(subject)
            return None if found is None else found.body

        chunks = await _each(ref.chunks, chunk)
        there = [each for each in chunks if each is not None]
        if len(there) < len(chunks):
            return replace(raw, lost=errors.BodyMissing.code)
        body = b"".join(there)
        del chunks, there
        if await self.apart(ids.body_sha256, body) != ref.sha256:
            return replace(raw, lost=errors.BodyDamaged.code)
        return replace(raw, body=body)

    async def _found(self, subject: str) -> StoredMessage | None:
        """Return a chunk; one answer of many that is late does not make all of them be asked for anew."""
        for tries in range(1, READ_TRIES):
            try:
                return await self._bus.leader_get(streams.BODIES, last_by_subject=subject)
            except errors.BusUnavailable:
                await READ_RETRY.pause(tries)
        return await self._bus.leader_get(streams.BODIES, last_by_subject=subject)
