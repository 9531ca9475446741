"""Contents that are too large for one message: in chunks under their hash, one message per chunk (docs/adr/0037).

The same content again takes the place of its own chunks, so it stands there once.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from services.ingest.domain.delivery import BodyReference
from shared import backoff, errors, ids
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage

CHUNK_BYTES = 229_376
"""Never changed: chunks that were cut otherwise would take the place of some, and break what names the others."""
STORING_BYTES = 8
AT_ONCE = 4
"""Chunks of a content on their way at once; more would make small deliveries wait behind them."""
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


class Chunks:
    """The contents of one stream. `subject`: of a chunk, by tenant, hash and number; `apart`: calls off the loop."""

    def __init__(
        self,
        bus: Bus,
        stream: str,
        subject: Callable[[str, str, int], str],
        apart: Callable[[Callable[[bytes], str], bytes], Awaitable[str]],
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._subject = subject
        self._apart = apart

    async def put(self, tenant: str, content: bytes) -> BodyReference:
        """Store a content, chunk by chunk: what others store comes in between.

        Raises: BusUnavailable, JetStreamRefused; what is stored then is named by nobody.
        """
        sha256 = await self._apart(ids.body_sha256, content)
        storing = secrets.token_hex(STORING_BYTES)

        async def store(number: int) -> None:
            chunk = content[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
            subject = self._subject(tenant, sha256, number)
            await self._bus.store(subject, chunk, msg_id=f"{storing}-{number}")

        chunks = max(1, -(-len(content) // CHUNK_BYTES))
        await _each(chunks, store)
        return BodyReference(sha256=sha256, size_bytes=len(content), chunks=chunks)

    async def whole(self, tenant: str, ref: BodyReference) -> bytes:
        """Return a content. Raises: BodyMissing, BodyDamaged, BusUnavailable, JetStreamRefused."""

        async def chunk(number: int) -> bytes | None:
            found = await self._found(self._subject(tenant, ref.sha256, number))
            return None if found is None else found.body

        chunks = await _each(ref.chunks, chunk)
        there = [each for each in chunks if each is not None]
        if len(there) < len(chunks):
            raise errors.BodyMissing
        content = b"".join(there)
        del chunks, there
        if await self._apart(ids.body_sha256, content) != ref.sha256:
            raise errors.BodyDamaged
        return content

    async def pieces(self, tenant: str, ref: BodyReference) -> AsyncIterator[bytes]:
        """Give a content chunk by chunk; the last one when all have the hash, so that what is damaged never ends.

        Raises: BodyMissing, BodyDamaged, BusUnavailable, JetStreamRefused.
        """
        digest, held = hashlib.sha256(), b""
        for number in range(ref.chunks):
            found = await self._found(self._subject(tenant, ref.sha256, number))
            if found is None:
                raise errors.BodyMissing
            digest.update(found.body)
            if held:
                yield held
            held = found.body
        if digest.hexdigest() != ref.sha256:
            raise errors.BodyDamaged
        yield held

    async def _found(self, subject: str) -> StoredMessage | None:
        """Return a chunk; one answer of many that is late does not make all of them be asked for anew."""
        for tries in range(1, READ_TRIES):
            try:
                return await self._bus.leader_get(self._stream, last_by_subject=subject)
            except errors.BusUnavailable:
                await READ_RETRY.pause(tries)
        return await self._bus.leader_get(self._stream, last_by_subject=subject)
