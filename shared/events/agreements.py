"""What was agreed with the customer and made good to her, and what colleagues note; on `conv-<id>`."""

from typing import Literal

from shared.events.contact_parts import Handle
from shared.events.envelope import (
    AgentId,
    AgreementId,
    ApologyId,
    AttachmentId,
    CompensationId,
    ContactId,
    Event,
    NoteId,
    Part,
)

CompensationKind = Literal["voucher", "refund", "other"]


class AgreementMadeOpen(Part, frozen=True, kw_only=True):
    """`contact_id`: in which it was agreed; `channel`: of that contact.

    `recording`: of that contact, where it was stored by then; one that comes later names the same contact.
    """

    agreement_id: AgreementId
    agent: AgentId
    contact_id: ContactId | None
    channel: str | None
    recording: AttachmentId | None = None


class AgreementMadePersonal(Part, frozen=True, kw_only=True):
    """`text`: what was agreed; `name`, `handle`: with whom, as the contact told it; at most 512 encoded bytes each."""

    text: str
    name: str | None = None
    handle: Handle | None = None


class AgreementMade(
    Event[AgreementMadeOpen, AgreementMadePersonal],
    frozen=True,
    kw_only=True,
    tag="agreement.made",
):
    """Something was agreed with the customer."""


class ApologyMadeOpen(Part, frozen=True, kw_only=True):
    """`contact_id`: in which it was made."""

    apology_id: ApologyId
    agent: AgentId
    contact_id: ContactId | None


class ApologyMadePersonal(Part, frozen=True, kw_only=True):
    """`text`: for what, at most 512 encoded bytes."""

    text: str


class ApologyMade(
    Event[ApologyMadeOpen, ApologyMadePersonal], frozen=True, kw_only=True, tag="apology.made"
):
    """Somebody apologised to the customer."""


class CompensationOfferedOpen(Part, frozen=True, kw_only=True):
    """`amount_minor`: in the smallest unit of `currency` (ISO 4217), as cents; `None` where it has no amount."""

    compensation_id: CompensationId
    agent: AgentId
    contact_id: ContactId | None
    kind: CompensationKind
    amount_minor: int | None = None
    currency: str | None = None


class CompensationOfferedPersonal(Part, frozen=True, kw_only=True):
    """`text`: what she was told, at most 512 encoded bytes; `code`: by which she has it, whoever knows it."""

    text: str
    code: str | None = None


class CompensationOffered(
    Event[CompensationOfferedOpen, CompensationOfferedPersonal],
    frozen=True,
    kw_only=True,
    tag="compensation.offered",
):
    """The customer was offered something for what went wrong."""


class NoteAddedOpen(Part, frozen=True, kw_only=True):
    note_id: NoteId
    agent: AgentId


class NoteAddedPersonal(Part, frozen=True, kw_only=True):
    """`text`: at most 512 encoded bytes."""

    text: str


class NoteAdded(
    Event[NoteAddedOpen, NoteAddedPersonal], frozen=True, kw_only=True, tag="note.added"
):
    """A colleague wrote something down for the next one; the customer is never shown it."""


AgreementEvent = AgreementMade | ApologyMade | CompensationOffered | NoteAdded
