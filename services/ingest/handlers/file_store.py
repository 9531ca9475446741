"""Keeps the files of messages in the stream FILES: contents in chunks under their hash, and which one an attachment is.

Files of one hash are one content, whoever sent them. What says which content an attachment is comes last: where it
stands, the content stands whole (docs/adr/0043).
"""

import asyncio

import msgspec

from services.ingest.domain.attachments import Attachment, StoredFile
from services.ingest.handlers.chunks import Chunks
from shared import codec, errors, streams, subjects
from shared.bus import Bus
from shared.clock import Clock

_decoder = msgspec.json.Decoder(StoredFile)


class FileStore:
    """Stores files and gives them back."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._chunks = Chunks(bus, streams.FILES, subjects.file, asyncio.to_thread)

    async def put(self, attachment: Attachment, content: bytes, media_type: str) -> StoredFile:
        """Store the file of an attachment. Raises: BusUnavailable, JetStreamRefused; it may be stored then."""
        tenant = attachment.message.tenant
        stored = StoredFile(
            content=await self._chunks.put(tenant, content),
            media_type=media_type,
            name=attachment.file.name,
            stored=self._clock.now(),
        )
        subject = subjects.attachment(tenant, attachment.attachment_id)
        await self._bus.store(subject, msgspec.json.encode(stored))
        return stored

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

    async def content(self, tenant: str, stored: StoredFile) -> bytes:
        """Return what a file holds. Raises: AttachmentLost, BusUnavailable, JetStreamRefused."""
        try:
            return await self._chunks.whole(tenant, stored.content)
        except (errors.BodyMissing, errors.BodyDamaged) as error:
            raise errors.AttachmentLost(cause=error.code) from error
