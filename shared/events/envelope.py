"""The envelope of every event: one CloudEvents 1.0 JSON object.

This file alone binds the words of the code to their wire names.
CloudEvents 1.0.2, "Context Attributes" and "Naming Attributes" (extensions are lower-case letters and digits):
github.com/cloudevents/spec, read 2026-11.
"""

from datetime import datetime
from typing import Annotated, Generic, Literal, NewType, TypeVar

import msgspec

EventId = NewType("EventId", str)
ConversationId = NewType("ConversationId", str)
CustomerId = NewType("CustomerId", str)
AgentId = NewType("AgentId", str)
ContactId = NewType("ContactId", str)
OfferId = NewType("OfferId", str)
TransferId = NewType("TransferId", str)
AssignmentId = NewType("AssignmentId", str)
EscalationId = NewType("EscalationId", str)
PacketId = NewType("PacketId", str)
FactId = NewType("FactId", str)
PromiseId = NewType("PromiseId", str)
CallbackId = NewType("CallbackId", str)
AgreementId = NewType("AgreementId", str)
ApologyId = NewType("ApologyId", str)
CompensationId = NewType("CompensationId", str)
NoteId = NewType("NoteId", str)
MessageId = NewType("MessageId", str)
AttachmentId = NewType("AttachmentId", str)
NotificationId = NewType("NotificationId", str)
ClockId = NewType("ClockId", str)
SnoozeId = NewType("SnoozeId", str)
ReviewId = NewType("ReviewId", str)

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time with its zone; a naive time does not decode."""

DATA_SCHEMA = "urn:tellonce:event:1"
"""Version of the envelope and the data layout, as CloudEvents `dataschema`."""

IMPORTED = "import:"
"""How the actor begins of what an operator imported."""

ERASED = ""
"""What a fold puts where a personal part was erased."""

OpenPart = TypeVar("OpenPart")
PersonalPart = TypeVar("PersonalPart")


class Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of the typed parts of an event: `open` (no personal data) and `personal` (can be sealed)."""


class Nothing(Part, frozen=True, kw_only=True):
    """The personal part of an event that holds no personal data."""


class Data(msgspec.Struct, Generic[OpenPart, PersonalPart], frozen=True, kw_only=True, gc=False):
    """The two parts of an event. `personal` is `None` after erasure."""

    open: OpenPart
    personal: PersonalPart | None


class RawRef(msgspec.Struct, frozen=True, kw_only=True):
    """Where the evidence lies: sequence in RAW and SHA-256 of the body as it was sent."""

    sequence: int
    sha256: str

    def text(self) -> str:
        """Return the wire form, `<sequence>:<sha256>`: an extension attribute is a plain string."""
        return f"{self.sequence}:{self.sha256}"

    @classmethod
    def parse(cls, text: str) -> "RawRef":
        sequence, _, sha256 = text.partition(":")
        return cls(sequence=int(sequence), sha256=sha256)


class Event(
    msgspec.Struct,
    Generic[OpenPart, PersonalPart],
    frozen=True,
    kw_only=True,
    tag_field="type",
    omit_defaults=True,
    gc=False,
):
    """What happened, as it is written and read on the bus.

    Attributes:
        id: deterministic, scoped; equals `Nats-Msg-Id`.
        source: the service that wrote it, `tellonce/<service>`.
        occurred: the provider's time, or ours where the provider gives none.
        recorded: our time at the decision. Neither orders events: the ledger sequence does.
        aggregate: the aggregate it belongs to; on CONTACTS the contact.
        actor: `agent:<id>`, `service:<name>`, `integration:<name>`, `rule:<name>@<policy version>`,
            `channel:<channel>/<account>`, or `import:<channel>/<account>` of an exported history.
        causation: id of the command or event that caused it; a fold remembers it for 24 hours.
        causation_sha256: hash of that command's body, so that a reused id is noticed.
        correlation: id of the whole affair (the conversation's first contact event).
        key: id of the key that seals `personal`; absent while nothing is sealed.
        raw: where the evidence lies: `<sequence in RAW>:<SHA-256 of the body>`.
    """

    specversion: Literal["1.0"]
    id: EventId
    source: str
    occurred: Instant = msgspec.field(name="time")
    aggregate: str = msgspec.field(name="subject")
    dataschema: str
    datacontenttype: Literal["application/json"]
    tenant: str
    recorded: Instant = msgspec.field(name="recordedtime")
    actor: str
    schema_version: int = msgspec.field(name="schemaversion", default=1)
    conversation: ConversationId | None = None
    customer: CustomerId | None = None
    causation: str | None = msgspec.field(name="causationid", default=None)
    causation_sha256: str | None = msgspec.field(name="causationhash", default=None)
    correlation: str | None = msgspec.field(name="correlationid", default=None)
    traceparent: str | None = None
    key: str | None = msgspec.field(name="keyid", default=None)
    raw: str | None = msgspec.field(name="rawref", default=None)
    data: Data[OpenPart, PersonalPart]

    @property
    def happened(self) -> datetime:
        """When it happened: nothing happens after it was recorded, whatever a provider's clock says."""
        return min(self.occurred, self.recorded)

    @property
    def imported(self) -> bool:
        """Whether it comes of an exported history: it was over before it came here."""
        return self.actor.startswith(IMPORTED)

    @property
    def open(self) -> OpenPart:
        return self.data.open

    @property
    def personal(self) -> PersonalPart | None:
        """The personal part; `None` after erasure."""
        return self.data.personal

    @property
    def type(self) -> str:
        """The event type, for example `transfer.accepted`."""
        return str(type(self).__struct_config__.tag)
