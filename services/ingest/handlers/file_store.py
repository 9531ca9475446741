"""Keeps the files of messages: contents under their hash, and in the stream FILES which content an attachment is.

Files of one hash are one content, whoever sent them. Contents stand in chunks in FILES, or in an S3-compatible store
where the settings name one (docs/adr/0052). What says which content an attachment is comes last: where it stands, the
content stands whole, and it says where (docs/adr/0043).
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
import structlog

from services.ingest.domain.attachments import Attachment, FilePlace, StoredFile
from services.ingest.domain.delivery import BodyReference
from services.ingest.handlers import logged
from services.ingest.handlers.chunks import Chunks
from shared import codec, errors, streams, subjects
from shared.bus import Bus
from shared.clock import Clock
from shared.readiness import Trouble

_decoder = msgspec.json.Decoder(StoredFile)

log = structlog.get_logger("ingest")


class ContentStore(Protocol):
    """Keeps contents under their hash, each tenant's apart: the same content again takes its own place."""

    async def put(self, tenant: str, content: bytes) -> BodyReference:
        """Store a content. Raises: a TellonceError; it may be stored then."""

    def pieces(self, tenant: str, ref: BodyReference) -> AsyncIterator[bytes]:
        """Give a content piece by piece, the last one when all have its hash.

        Raises: BodyMissing, BodyDamaged, another TellonceError when away.
        """


class FileStore:
    """Stores files and gives them back. `s3`: where contents go first, if there is one."""

    def __init__(self, bus: Bus, clock: Clock, s3: ContentStore | None = None) -> None:
        self._bus = bus
        self._clock = clock
        self._chunks = Chunks(bus, streams.FILES, subjects.file, asyncio.to_thread)
        self._s3 = s3
        self.trouble: Trouble | None = None

    async def put(self, attachment: Attachment, content: bytes, media_type: str) -> StoredFile:
        """Store the file of an attachment. Raises: BusUnavailable, JetStreamRefused; it may be stored then."""
        tenant = attachment.message.tenant
        place, kept = await self._keep(tenant, content)
        stored = StoredFile(
            content=kept,
            media_type=media_type,
            name=attachment.file.name,
            stored=self._clock.now(),
            place=place,
        )
        subject = subjects.attachment(tenant, attachment.attachment_id)
        await self._bus.store(subject, msgspec.json.encode(stored))
        return stored

    async def _keep(self, tenant: str, content: bytes) -> tuple[FilePlace, BodyReference]:
        """Return where a content stands. A store that is away loses nobody's file: FILES has it then.

        Raises: BusUnavailable, JetStreamRefused.
        """
        if self._s3 is not None:
            try:
                kept = await self._s3.put(tenant, content)
            except errors.FilesUnavailable as error:
                self.trouble = Trouble(code=error.code, about=str(error.details["says"]))
                log.warning(logged.FILE_KEPT_HERE, code=error.code, **error.details)
            else:
                self.trouble = None
                return "s3", kept
        return "stream", await self._chunks.put(tenant, content)

    async def find(self, tenant: str, attachment_id: str) -> StoredFile | None:
        """Return which file an attachment is; `None` for one that is not stored. Raises: as `Bus.leader_get`."""
        if not subjects.is_token(attachment_id):
            return None
        wanted = subjects.attachment(tenant, attachment_id)
        found = await self._bus.leader_get(streams.FILES, last_by_subject=wanted)
        try:
            return None if found is None else _decoder.decode(found.body)
        except codec.UNREADABLE:
            return None

    async def pieces(self, tenant: str, stored: StoredFile) -> AsyncIterator[bytes]:
        """Give what a file holds, piece by piece; the last one when all of it has the file's hash.

        Raises: AttachmentLost, FilesUnavailable, BusUnavailable, JetStreamRefused.
        """
        store = self._chunks if stored.place == "stream" else self._s3
        if store is None:
            raise errors.FilesUnavailable(reason="not_set", says="TELLONCE_FILES_URL")
        try:
            async for piece in store.pieces(tenant, stored.content):
                yield piece
        except (errors.BodyMissing, errors.BodyDamaged) as error:
            raise errors.AttachmentLost(cause=error.code) from error

    async def compare(self, tenant: str, stored: StoredFile) -> None:
        """Read a file and keep none of it: it is as its hash says. Raises: as `pieces`."""
        async for _ in self.pieces(tenant, stored):
            pass
