"""Serves the files of messages: the query gives an address, and whoever has the address is given the file."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.domain import file_address
from services.ingest.domain.attachments import StoredFile
from services.ingest.handlers import logged, problems
from services.ingest.handlers.file_store import FileStore
from services.ingest.handlers.tallies import stream_state
from shared import errors, queries, requests, streams
from shared.bus import Bus
from shared.clock import Clock
from shared.policy import Policies

AT_ONCE = 4
"""Files read at once; each is held whole until it is compared with its hash."""

HARMLESS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cache-control": "private, no-store",
    "referrer-policy": "no-referrer",
}
"""A customer chose what the file is: a browser neither runs it nor guesses, and keeps no copy."""

log = structlog.get_logger("ingest")


def keys_of(policies: Policies, secrets: Mapping[str, str]) -> dict[str, bytes]:
    """Return by tenant the key of its addresses; a tenant without its lookup key has none, and its doors work on."""
    named = {tenant: policies.of(tenant).lookup_secret for tenant in policies.tenants()}
    return {
        tenant: file_address.key_of(secrets[name])
        for tenant, name in named.items()
        if secrets.get(name)
    }


class FileDoors:
    """Gives files to whoever has their address."""

    def __init__(self, files: FileStore, keys: Mapping[str, bytes], clock: Clock) -> None:
        self._files = files
        self._keys = keys
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def serve(self, request: Request) -> Response:
        """Answer a request."""
        tenant, ticket = (str(request.path_params[each]) for each in ("tenant", "ticket"))
        try:
            async with self._slots:
                stored, content = await self._content(tenant, ticket)
        except errors.TellonceError as error:
            log.info(logged.ATTACHMENT_SERVED, code=error.code)
            return problems.problem(error)
        log.info(logged.ATTACHMENT_SERVED, tenant=tenant, size_bytes=len(content))
        headers = {**HARMLESS, "content-disposition": file_address.disposition(stored.name)}
        return Response(content, headers=headers, media_type=stored.media_type)

    async def _content(self, tenant: str, ticket: str) -> tuple[StoredFile, bytes]:
        """Raises: AttachmentUnknown, AttachmentLost, BusUnavailable, JetStreamRefused."""
        key = self._keys.get(tenant)
        name = key and file_address.attachment_in(key, tenant, ticket, self._clock.now())
        stored = await self._files.find(tenant, name) if name else None
        if stored is None:
            raise errors.AttachmentUnknown
        return stored, await self._files.content(tenant, stored)


class AttachmentHandler:
    """Answers `query.<tenant>.attachment`. `base`: the address under which ingest is reached."""

    def __init__(
        self,
        bus: Bus,
        files: FileStore,
        keys: Mapping[str, bytes],
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
