"""Serves the files of messages: the query gives an address, and whoever has the address is given the file."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta

import structlog
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from services.ingest.domain import file_address
from services.ingest.domain.attachments import StoredFile
from services.ingest.handlers import logged, problems
from services.ingest.handlers.file_store import FileStore
from services.ingest.handlers.tallies import stream_state
from shared import errors, queries, requests, streams
from shared.bus import Bus
from shared.clock import Clock
from shared.policies import ByTenant, Policies
from shared.policy import Policy

READERS_MAX = 32
"""So many are given files at once; of each file two pieces are held, however slowly it is read."""
PIECE_SECONDS = 30.0
"""Within this time a reader takes a piece, or her connection ends."""

HARMLESS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cache-control": "private, no-store",
    "referrer-policy": "no-referrer",
}
"""A customer chose what the file is: a browser neither runs it nor guesses, and keeps no copy."""

log = structlog.get_logger("ingest")


def keys_of(policies: Policies, secrets: Mapping[str, str]) -> Mapping[str, bytes | None]:
    """Return by tenant the key of its addresses; a tenant without its lookup key has none, and its doors work on."""

    def make(policy: Policy) -> bytes | None:
        secret = secrets.get(policy.lookup_secret)
        return file_address.key_of(secret) if secret else None

    return ByTenant(policies, make)


class FileDoors:
    """Gives files to whoever has their address."""

    def __init__(self, files: FileStore, keys: Mapping[str, bytes | None], clock: Clock) -> None:
        self._files = files
        self._keys = keys
        self._clock = clock
        self._readers = 0

    async def serve(self, tenant: str, ticket: str) -> Response:
        """Answer a request."""
        try:
            stored = await self._stored(tenant, ticket)
            with self._reading():
                # Compared before any of it is given: what is sent cannot be taken back.
                await self._files.compare(tenant, stored)
        except errors.TellonceError as error:
            log.info(logged.ATTACHMENT_SERVED, code=error.code)
            return problems.problem(error)
        log.info(logged.ATTACHMENT_SERVED, tenant=tenant, size_bytes=stored.content.size_bytes)
        headers = {
            **HARMLESS,
            "content-disposition": file_address.disposition(stored.name),
            "content-length": str(stored.content.size_bytes),
        }
        given = self._files.pieces(tenant, stored)
        return _Given(self._reading, given, headers=headers, media_type=stored.media_type)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Count a reader. Raises: AttachmentsBusy."""
        if self._readers >= READERS_MAX:
            raise errors.AttachmentsBusy
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1

    async def _stored(self, tenant: str, ticket: str) -> StoredFile:
        """Raises: AttachmentUnknown, BusUnavailable, JetStreamRefused."""
        key = self._keys.get(tenant)
        name = key and file_address.attachment_in(key, tenant, ticket, self._clock.now())
        stored = await self._files.find(tenant, name) if name else None
        if stored is None:
            raise errors.AttachmentUnknown
        return stored


class _Given(Response):
    """A file on its way to its reader, piece by piece, each within its time; what ends before its length is no file."""

    def __init__(
        self,
        reading: Callable[[], contextlib.AbstractContextManager[None]],
        pieces: AsyncIterator[bytes],
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        super().__init__(headers=headers, media_type=media_type)
        self._reading = reading
        self._pieces = pieces

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._reading():
                await self._give(send)
        except errors.AttachmentsBusy as error:
            await problems.problem(error)(scope, receive, send)
        except (errors.TellonceError, TimeoutError) as error:
            # The server ends the connection, for the length that was named is not reached.
            log.info(logged.ATTACHMENT_SERVED, code=getattr(error, "code", "slow_reader"))

    async def _give(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await _within_time(send, start)
        async for piece in self._pieces:
            body = {"type": "http.response.body", "body": piece, "more_body": True}
            await _within_time(send, body)
        await _within_time(send, {"type": "http.response.body", "body": b""})


async def _within_time(send: Send, message: Message) -> None:
    """Raises: TimeoutError when what was sent before is not taken."""
    async with asyncio.timeout(PIECE_SECONDS):
        await send(message)


class AttachmentHandler:
    """Answers `query.<tenant>.attachment`. `base`: the address under which ingest is reached."""

    def __init__(
        self,
        bus: Bus,
        files: FileStore,
        keys: Mapping[str, bytes | None],
        clock: Clock,
        base: str,
        seconds: int,
    ) -> None:
        self._bus = bus
        self._files = files
        self._keys = keys
        self._clock = clock
        self._base = base.rstrip("/")
        self._seconds = seconds

    async def answer(self, tenant: str, body: bytes) -> queries.AttachmentAddress:
        """Return the reply to one request.

        Raises: CommandUnreadable, TenantUnknown, PositionBeyondEnd, AttachmentUnknown, BusUnavailable.
        """
        asked = requests.read_question(queries.AskAttachment, body)
        key = self._keys.get(tenant)
        if key is None:
            raise errors.TenantUnknown
        end = (await stream_state(self._bus, streams.LEDGER)).last
        if asked.min_seq is not None and asked.min_seq > end:
            raise errors.PositionBeyondEnd(position=end, wanted=asked.min_seq)
        stored = await self._files.find(tenant, asked.attachment_id)
        if stored is None:
            raise errors.AttachmentUnknown
        expires = self._clock.now() + timedelta(seconds=self._seconds)
        path = file_address.path_of(key, tenant, asked.attachment_id, expires)
        return queries.AttachmentAddress(
            position=end,
            url=f"{self._base}{path}",
            expires=expires,
            name=stored.name,
            media_type=stored.media_type,
            size_bytes=stored.content.size_bytes,
            sha256=stored.content.sha256,
        )
