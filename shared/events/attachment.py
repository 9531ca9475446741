"""What became of the files that came with messages. Ingest writes these to CONTACTS, as `shared/events/contact.py`."""

from shared.events.contact_parts import ContactOpen, ContactPersonal
from shared.events.envelope import AttachmentId, Event, EventId


class AttachmentOpen(ContactOpen, frozen=True, kw_only=True):
    """A file of a message. `message`: the id of the message's event; `number`: which of its `files`, from 0."""

    attachment_id: AttachmentId
    message: EventId
    number: int


class AttachmentPersonal(ContactPersonal, frozen=True, kw_only=True):
    """`name`: of whoever wrote; `file_name`: as she named the file, `None` without one."""

    file_name: str | None = None


class AttachmentStoredOpen(AttachmentOpen, frozen=True, kw_only=True):
    """`sha256`, `size_bytes`: of the file as it is stored; `media_type`: as it was declared, which nobody checked."""

    sha256: str
    size_bytes: int
    media_type: str


class AttachmentStored(
    Event[AttachmentStoredOpen, AttachmentPersonal],
    frozen=True,
    kw_only=True,
    tag="attachment.stored",
):
    """A file that came with a message is ours, wherever it was kept before."""


class AttachmentFailedOpen(AttachmentOpen, frozen=True, kw_only=True):
    """`reason`: a stable word, such as `gone`, `too_large` or `kind_refused`."""

    reason: str


class AttachmentFailed(
    Event[AttachmentFailedOpen, AttachmentPersonal],
    frozen=True,
    kw_only=True,
    tag="attachment.failed",
):
    """A file that came with a message could not be fetched, or must not be kept."""


AttachmentEvent = AttachmentStored | AttachmentFailed
