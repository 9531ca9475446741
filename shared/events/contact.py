"""What channels report. Ingest writes these to CONTACTS; the router repeats them in the conversation's ledger."""

from shared.events.attachment import AttachmentEvent
from shared.events.calls import (
    CallAnswered,
    CallEnded,
    CallHeld,
    CallLost,
    CallMenuSelected,
    CallRecorded,
    CallResumed,
    CallStarted,
    CallTransferred,
)
from shared.events.contact_parts import AttachedFile, ContactOpen, ContactPersonal
from shared.events.envelope import ConversationId, Event, Instant, MessageId, Nothing, Part
from shared.events.shop import OrderChanged, VisitSummarised


class MessageReceivedOpen(ContactOpen, frozen=True, kw_only=True):
    """`in_reply_to`: the conversation that a reply reference of ours names. `attachments`: their number.

    `refers_to`: the provider's id of the message that this one quotes or answers.
    """

    in_reply_to: ConversationId | None = None
    attachments: int = 0
    refers_to: str | None = None


class MessageReceivedPersonal(ContactPersonal, frozen=True, kw_only=True):
    """`text`: the text as plain text; `reply_text`: a recomputable view without the quoted part; `files`: the first
    16 of the attachments.

    `quoted`: what it answers or came from, where the provider tells it: words of another message, a story, an
    advertisement, an article; a line each.
    """

    text: str
    reply_text: str | None = None
    title: str | None = None
    references: list[str] = []
    files: list[AttachedFile] = []
    quoted: str | None = None


class MessageReceived(
    Event[MessageReceivedOpen, MessageReceivedPersonal],
    frozen=True,
    kw_only=True,
    tag="message.received",
):
    """A customer wrote."""


class MessageEdited(
    Event[MessageReceivedOpen, MessageReceivedPersonal],
    frozen=True,
    kw_only=True,
    tag="message.edited",
):
    """A customer wrote a message anew: `refers_to` in the place of an earlier one. `text`: the whole new text."""


class MessageChangedOpen(ContactOpen, frozen=True, kw_only=True):
    """`refers_to`: the provider's id of the message that it is about."""

    refers_to: str


class MessageDeleted(
    Event[MessageChangedOpen, ContactPersonal], frozen=True, kw_only=True, tag="message.deleted"
):
    """A customer took a message back. What she had said stays on record."""


class MessageReactedPersonal(ContactPersonal, frozen=True, kw_only=True):
    """`reaction`: an emoji or the provider's word; `None` when it was taken back."""

    reaction: str | None = None


class MessageReacted(
    Event[MessageChangedOpen, MessageReactedPersonal],
    frozen=True,
    kw_only=True,
    tag="message.reacted",
):
    """A customer put a sign to a message."""


class MessageEchoed(
    Event[MessageReceivedOpen, MessageReceivedPersonal],
    frozen=True,
    kw_only=True,
    tag="message.echoed",
):
    """Somebody of ours wrote to the customer by the provider's own program. The handles are the customer's."""


class ConsentOpen(ContactOpen, frozen=True, kw_only=True):
    """`said`: what says so, in the provider's word or the customer's, such as `STOP` or `blocked`.

    `advertising`: she speaks of advertising alone; what she asks is answered all the same.
    """

    said: str
    advertising: bool = False


class ConsentGiven(
    Event[ConsentOpen, ContactPersonal], frozen=True, kw_only=True, tag="consent.given"
):
    """From now on she may be written to on this channel."""


class ConsentWithdrawn(
    Event[ConsentOpen, ContactPersonal], frozen=True, kw_only=True, tag="consent.withdrawn"
):
    """From now on she must not be written to on this channel."""


class FormSubmittedOpen(ContactOpen, frozen=True, kw_only=True):
    """`topic`: the topic chosen, a name of the policy or `None`. `attachments`: how many files came with it."""

    topic: str | None = None
    attachments: int = 0


class FormSubmittedPersonal(ContactPersonal, frozen=True, kw_only=True):
    """`fields`: every field of the form but the message, as (name, value), in the form's order.

    `left_out`: names of fields that do not stand here, or not whole, for there are too many or they are too long;
    `files`: the first 16 of its files.
    """

    fields: list[tuple[str, str]] = []
    text: str = ""
    left_out: list[str] = []
    files: list[AttachedFile] = []


class FormSubmitted(
    Event[FormSubmittedOpen, FormSubmittedPersonal], frozen=True, kw_only=True, tag="form.submitted"
):
    """A customer sent a contact form."""


class MessageOutcomeOpen(ContactOpen, frozen=True, kw_only=True):
    """What became of `message.requested`. `reason`: a stable word, no address.

    `message_id`: ours; a report from outside that knows only the provider's has `refers_to` instead, and one about all
    that was sent to somebody before a time has `until`. In the ledger of a conversation it always stands.
    `parts`: of a message that we sent, in how many pieces it travels where each is paid for.
    """

    message_id: MessageId | None = None
    reason: str | None = None
    refers_to: str | None = None
    until: Instant | None = None
    parts: int | None = None


class MessageSent(
    Event[MessageOutcomeOpen, ContactPersonal], frozen=True, kw_only=True, tag="message.sent"
):
    """The provider took the message."""


class MessageFailed(
    Event[MessageOutcomeOpen, ContactPersonal], frozen=True, kw_only=True, tag="message.failed"
):
    """The provider refused the message for good."""


class MessageUncertain(
    Event[MessageOutcomeOpen, ContactPersonal], frozen=True, kw_only=True, tag="message.uncertain"
):
    """Nobody knows whether the provider took the message. It is never sent again by itself."""


class MessageDelivered(
    Event[MessageOutcomeOpen, ContactPersonal], frozen=True, kw_only=True, tag="message.delivered"
):
    """The provider says that the message has reached the customer's device."""


class MessageRead(
    Event[MessageOutcomeOpen, ContactPersonal], frozen=True, kw_only=True, tag="message.read"
):
    """The provider says that the customer has seen the message."""


class PayloadQuarantinedOpen(Part, frozen=True, kw_only=True):
    """`code`: why, for example `payload.unreadable`; the evidence stays in RAW at the event's `raw`.

    `words`: a person's words may stand in it; somebody of the account's queue is told.
    """

    channel: str
    account: str
    code: str
    kind: str | None = None
    words: bool = False


class PayloadQuarantined(
    Event[PayloadQuarantinedOpen, Nothing], frozen=True, kw_only=True, tag="payload.quarantined"
):
    """A delivery was taken and could not be read. Nothing of it became a fact."""


class ChannelInterruptedOpen(Part, frozen=True, kw_only=True):
    """`since`: when the provider was heard last; `until`: from when on it is heard again."""

    channel: str
    account: str
    since: Instant
    until: Instant


class ChannelInterrupted(
    Event[ChannelInterruptedOpen, Nothing], frozen=True, kw_only=True, tag="channel.interrupted"
):
    """Nobody listened to a provider that tells nothing twice: what happened meanwhile is known only by its remains."""


AccountEvent = PayloadQuarantined | ChannelInterrupted
"""What concerns an account as a whole, and no customer of it."""


QuietEvent = (
    MessageDeleted
    | MessageReacted
    | MessageEchoed
    | ConsentGiven
    | ConsentWithdrawn
    | AttachmentEvent
    | CallRecorded
    | CallTransferred
    | VisitSummarised
)
"""What belongs to a matter and asks for nothing: it opens none, and nobody waits because of it."""

InboundEvent = (
    CallStarted
    | CallMenuSelected
    | CallAnswered
    | CallHeld
    | CallResumed
    | CallEnded
    | CallLost
    | MessageReceived
    | MessageEdited
    | FormSubmitted
    | QuietEvent
)
"""What a customer does."""

OutcomeEvent = MessageSent | MessageDelivered | MessageRead | MessageFailed | MessageUncertain
"""What became of a message to a customer."""

ContactEvent = InboundEvent | OutcomeEvent | OrderChanged | AccountEvent
