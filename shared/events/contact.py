"""What channels report. Ingest writes these to CONTACTS; the router repeats them in the conversation's ledger."""

from typing import Literal

from shared.events.envelope import (
    ContactId,
    ConversationId,
    Event,
    Instant,
    MessageId,
    Nothing,
    Part,
)

HandleKind = Literal["phone", "email", "visitor", "reference"]
"""`reference` is a call, thread or session id of the provider: it leads to a contact, never to a person."""


Medium = Literal["call", "chat", "mail", "message", "form", "visit", "letter"]
"""How the customer comes, whoever carries it: rules look at the medium, never at the provider's name.

`call`: somebody has to pick it up while it lasts; `chat`: she waits on a page; `mail`, `letter`: threads of their own;
`message`: a messaging app or a text message; `form`: sent once; `visit`: at a counter.
"""


Proof = Literal["proved", "delivered", "claimed"]
"""How well it is proved whose a handle is: by somebody who vouches, by the network, by nobody. See `shared.proof`."""


class Handle(Part, frozen=True, kw_only=True):
    """A handle of a person or a contact.

    `proof`: the channel's own degree, `None` for a reference; `verified`: the same as `proved`, for older readers.
    """

    kind: HandleKind
    value: str
    verified: bool = False
    proof: Proof | None = None


class Numbered(Part, frozen=True, kw_only=True):
    """How the provider numbers a report: `number` counts within `series`, such as one call's or one conference's."""

    series: str
    number: int


class ContactOpen(Part, frozen=True, kw_only=True):
    """The open part that all contact events share.

    `provider_time`: the provider's own signed time; `None` when it gives none that can be trusted.
    `automatic`: sent by a machine (auto-reply, bounce, list); it never counts as a customer's request.
    `numbered`: the report's place in the order in which things happened; `None` where the provider gives none.
    """

    contact_id: ContactId
    medium: Medium
    channel: str
    account: str
    provider_id: str
    provider_time: Instant | None = None
    automatic: bool = False
    numbered: Numbered | None = None


class ContactPersonal(Part, frozen=True, kw_only=True):
    """The personal part that all contact events share. `handles`: strongest first; [] when withheld."""

    handles: list[Handle] = []
    name: str | None = None


class CallStartedOpen(ContactOpen, frozen=True, kw_only=True):
    dialled: str | None = None


class CallStarted(
    Event[CallStartedOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.started"
):
    """A customer's call rings at an account."""


class CallMenuSelectedOpen(ContactOpen, frozen=True, kw_only=True):
    """`digits`: what was pressed, at most 32 of `[0-9*#]`."""

    digits: str


class CallMenuSelected(
    Event[CallMenuSelectedOpen, ContactPersonal],
    frozen=True,
    kw_only=True,
    tag="call.menu_selected",
):
    """The caller pressed digits in the voice menu."""


class CallAnswered(
    Event[ContactOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.answered"
):
    """The provider connected the call."""


class CallHeld(Event[ContactOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.held"):
    """The caller was put on hold."""


class CallResumed(
    Event[ContactOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.resumed"
):
    """The caller was taken off hold."""


class CallEndedOpen(ContactOpen, frozen=True, kw_only=True):
    """`outcome`: the provider's word for how it ended; `duration_seconds`: as the provider bills it."""

    outcome: str
    duration_seconds: int | None = None


class CallEnded(Event[CallEndedOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.ended"):
    """The call is over after it was connected."""


class CallMissed(
    Event[CallEndedOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.missed"
):
    """The call is over and was never connected."""


class MessageReceivedOpen(ContactOpen, frozen=True, kw_only=True):
    """`in_reply_to`: the conversation that a reply reference of ours names. `attachments`: their number."""

    in_reply_to: ConversationId | None = None
    attachments: int = 0


class AttachedFile(Part, frozen=True, kw_only=True):
    """A file that came with a message; its bytes stay in the delivery. `size_bytes`, `sha256`: of the file, decoded."""

    name: str | None = None
    media_type: str
    size_bytes: int
    sha256: str


class MessageReceivedPersonal(ContactPersonal, frozen=True, kw_only=True):
    """`text`: the text as plain text; `reply_text`: a recomputable view without the quoted part; `files`: the first
    16 of the attachments that are no mails themselves."""

    text: str
    reply_text: str | None = None
    title: str | None = None
    references: list[str] = []
    files: list[AttachedFile] = []


class MessageReceived(
    Event[MessageReceivedOpen, MessageReceivedPersonal],
    frozen=True,
    kw_only=True,
    tag="message.received",
):
    """A customer wrote."""


class FormSubmittedOpen(ContactOpen, frozen=True, kw_only=True):
    """`topic`: the topic chosen, a name of the policy or `None`."""

    topic: str | None = None


class FormSubmittedPersonal(ContactPersonal, frozen=True, kw_only=True):
    """`fields`: every field of the form but the message, as (name, value), in the form's order.

    `left_out`: names of fields that do not stand here, or not whole, for there are too many or they are too long.
    """

    fields: list[tuple[str, str]] = []
    text: str = ""
    left_out: list[str] = []


class FormSubmitted(
    Event[FormSubmittedOpen, FormSubmittedPersonal], frozen=True, kw_only=True, tag="form.submitted"
):
    """A customer sent a contact form."""


class MessageOutcomeOpen(ContactOpen, frozen=True, kw_only=True):
    """What became of `message.requested`. `reason`: a stable word, no address."""

    message_id: MessageId
    reason: str | None = None


class MessageSent(
    Event[MessageOutcomeOpen, Nothing], frozen=True, kw_only=True, tag="message.sent"
):
    """The provider took the message."""


class MessageFailed(
    Event[MessageOutcomeOpen, Nothing], frozen=True, kw_only=True, tag="message.failed"
):
    """The provider refused the message for good."""


class MessageUncertain(
    Event[MessageOutcomeOpen, Nothing], frozen=True, kw_only=True, tag="message.uncertain"
):
    """Nobody knows whether the provider took the message. It is never sent again by itself."""


class PayloadQuarantinedOpen(Part, frozen=True, kw_only=True):
    """`code`: why, for example `payload.unreadable`; the evidence stays in RAW at the event's `raw`."""

    channel: str
    account: str
    code: str
    kind: str | None = None


class PayloadQuarantined(
    Event[PayloadQuarantinedOpen, Nothing], frozen=True, kw_only=True, tag="payload.quarantined"
):
    """A delivery was taken and could not be read. Nothing of it became a fact."""


InboundEvent = (
    CallStarted
    | CallMenuSelected
    | CallAnswered
    | CallHeld
    | CallResumed
    | CallEnded
    | CallMissed
    | MessageReceived
    | FormSubmitted
)
"""What a customer does."""

OutcomeEvent = MessageSent | MessageFailed | MessageUncertain
"""What became of a message to a customer."""

ContactEvent = InboundEvent | OutcomeEvent | PayloadQuarantined
