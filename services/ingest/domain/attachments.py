"""What became of the files of a message, as events. Pure.

Each follows from the message's event alone, and from what is stored: a file that is fetched again is no second fact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from services.ingest.domain.delivery import BodyReference
from shared import events, ids

FilesMessage = (
    events.MessageReceived
    | events.MessageEdited
    | events.MessageEchoed
    | events.FormSubmitted
    | events.CallRecorded
    | events.CallVoicemailLeft
)
"""What files come with."""

FilePlace = Literal["stream", "s3"]
"""Where a content stands: in the stream FILES, or in the S3-compatible store of the settings."""

E = TypeVar("E", events.AttachmentStored, events.AttachmentFailed)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message. `number`: which, from 0."""

    message: FilesMessage
    number: int
    file: events.AttachedFile

    @property
    def attachment_id(self) -> events.AttachmentId:
        """Its id, the same whenever it is computed; it tells nothing of the file."""
        message = self.message
        return events.AttachmentId(
            ids.scoped_id("attachment", message.tenant, message.id, str(self.number))
        )


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it is kept for an attachment. `name`: as it was sent; `stored`: when; `content` has one chunk in S3."""

    content: BodyReference
    media_type: str
    name: str | None
    stored: events.Instant
    place: FilePlace = "stream"


def attachments_of(event: events.AnyEvent) -> Sequence[Attachment]:
    """Return the files that came with an event; none with one that brings no files, or was erased."""
    if not isinstance(event, FilesMessage) or event.personal is None:
        return ()
    return [Attachment(event, number, file) for number, file in enumerate(event.personal.files)]


def stored_event(attachment: Attachment, stored: StoredFile) -> events.AttachmentStored:
    """Return that a file is stored."""
    opened = events.AttachmentStoredOpen(
        **_about(attachment),
        sha256=stored.content.sha256,
        size_bytes=stored.content.size_bytes,
        media_type=stored.media_type,
    )
    return _event(events.AttachmentStored, attachment, opened, stored.name, stored.stored)


def failed_event(attachment: Attachment, reason: str, at: datetime) -> events.AttachmentFailed:
    """Return that a file cannot be had, or must not be kept. `reason`: a stable word."""
    opened = events.AttachmentFailedOpen(**_about(attachment), reason=reason)
    return _event(events.AttachmentFailed, attachment, opened, attachment.file.name, at)


def event_id(attachment: Attachment, kind: type[events.AttachmentEvent]) -> str:
    """Return the id of the event that says what became of a file."""
    said = attachment.message.open
    tag = str(kind.__struct_config__.tag)
    return ids.contact_event_id(
        attachment.message.tenant, said.channel, said.account, attachment.attachment_id, tag
    )


def _about(attachment: Attachment) -> dict[str, Any]:
    message = attachment.message
    shared = {name: getattr(message.open, name) for name in events.ContactOpen.__struct_fields__}
    return {
        **shared,
        "attachment_id": attachment.attachment_id,
        "message": message.id,
        "number": attachment.number,
    }


def _event(
    kind: type[E],
    attachment: Attachment,
    opened: events.AttachmentOpen,
    file_name: str | None,
    at: datetime,
) -> E:
    """Return an event that happened when its message did, and became known at a time."""
    message = attachment.message
    assert message.personal is not None, "its files stand there"
    origin = events.Origin(
        tenant=message.tenant,
        service="ingest",
        actor=message.actor,
        occurred=message.occurred,
        recorded=at,
        traceparent=message.traceparent,
        raw=message.raw,
    )
    personal = events.AttachmentPersonal(
        handles=message.personal.handles, name=message.personal.name, file_name=file_name
    )
    made = events.make(
        kind, origin, event_id(attachment, kind), message.aggregate, opened, personal
    )
    return replace(made, correlation=message.correlation)
