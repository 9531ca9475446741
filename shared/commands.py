"""The commands on the bus: request/reply on `cmd.<tenant>.<name>`, one JSON object each.

`docs/reference/commands.md` is generated from this file.
"""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from shared import events
from shared.message_template import Template
from shared.replies import *  # noqa: F403  a command and its reply are one contract

REMEMBERED = timedelta(hours=24)
"""How long a command's id is remembered; one issued earlier is refused as `command.too_old`."""

SKEW = timedelta(minutes=2)
"""How far the issuer's clock may be ahead of ours."""

Token = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}\Z")]
Actor = Annotated[str, Meta(pattern=r"^(agent|service|integration):[a-z0-9_-]{1,32}\Z")]
ChannelName = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}\Z")]
ParkedId = Annotated[
    str, Meta(pattern=r"^[a-z]+-[a-z0-9_-]{1,64}:(unread-[0-9]{1,19}|[0-9]{1,19}(-[a-z2-7]{8})?)\Z")
]
FactName = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,32}\Z")]
DiscountCode = Annotated[str, Meta(pattern=r"^[!#-\[\]-~]{1,32}\Z")]
AboutWord = Annotated[str, Meta(pattern=r"^\S(.{0,62}\S)?\Z")]
ID = Meta(max_length=128)
"""Of every id that a command names: what is longer is no id, and would come back in every refusal."""
ShortText = Annotated[str, Meta(min_length=1, max_length=512)]
LongText = Annotated[str, Meta(min_length=1, max_length=32_768)]


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the caller saw when she decided; a mismatch is `command.stale`.

    `sequence`: of the last event of the conversation that she saw; a mismatch only if the customer wrote or called
    after it.
    """

    offer_id: Annotated[events.OfferId, ID] | None = None
    transfer_id: Annotated[events.TransferId, ID] | None = None
    packet_id: Annotated[events.PacketId, ID] | None = None
    sequence: Annotated[int, Meta(ge=0, le=2**53)] | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every command carries.

    Attributes:
        command_id: chosen by the caller; the same id with the same body has one effect and one reply.
        issued_at: RFC 3339 with a zone.
        actor: `agent:<id>` or `service:<name>`; of an integration it is always `integration:<name>`.
    """

    verb: ClassVar[str]
    served_by: ClassVar[str] = "router"

    command_id: Token
    issued_at: events.Instant
    actor: Actor
    expected: Expected | None = None


class ConversationCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command about one conversation."""

    conversation: Annotated[events.ConversationId, ID]


class KnownHandle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A phone number or an e-mail address, and whether the shop has verified it.

    It may be written in any way; a national phone number is read in the tenant's `region`.
    """

    kind: events.HandleKind
    value: ShortText
    verified: bool = False


class KnownOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: ShortText
    status: FactName
    description: ShortText | None = None


class RegisterCustomer(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shop tells who its customer is, and again whenever something of her has changed.

    The customer's id derives from the command's, unless she wrote or called before: then she keeps hers, and her open
    conversations are known as hers. Who is registered already under this `external_id`, or by one of these handles and
    this name, is told anew: what is left out stays as it was. `external_id`: the shop's own id of its customer; two of
    them are two people, whatever name and handles they share.
    """

    verb = "register_customer"
    name: ShortText
    salutation: ShortText | None = None
    language: Annotated[str, Meta(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*\Z")] | None = None
    handles: Annotated[list[KnownHandle], Meta(max_length=16)] = []
    orders: Annotated[list[KnownOrder], Meta(max_length=32)] = []
    external_id: ShortText | None = None


class SignIn(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent is at work and available."""

    verb = "sign_in"


class SetStatus(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent is available, away, or signs out."""

    verb = "set_status"
    status: events.AgentStatus


class AcceptOffer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent takes the contact that was offered."""

    verb = "accept_offer"
    offer_id: Annotated[events.OfferId, ID]


class RejectOffer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent refuses the contact that was offered."""

    verb = "reject_offer"
    offer_id: Annotated[events.OfferId, ID]
    reason: FactName | None = None


class ConfirmCustomer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner confirms who writes or calls: the contact's handles are this customer's, and proved.

    The conversation is hers from then on and goes on in her open matter, if she has one. `contact_id`: the last
    contact, unless it is given.
    """

    verb = "confirm_customer"
    customer: Annotated[events.CustomerId, ID]
    contact_id: Annotated[events.ContactId, ID] | None = None


class RecordContact(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent records that a customer came to the counter, or wrote a letter: it joins her matter or opens one.

    `text`: what she said or wrote; `handles`: who it is, `verified` where the agent saw it proved; `at`: when it was,
    at most 366 days ago, now unless it is given. The reply's event names the conversation.
    """

    verb = "record_contact"
    medium: Literal["visit", "letter"]
    text: LongText
    name: ShortText | None = None
    handles: Annotated[list[KnownHandle], Meta(max_length=16)] = []
    at: events.Instant | None = None


class Announce(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The desk is to know of a campaign, a discount or an outage: whoever takes a matter over is shown it.

    `since`: when it begins, now unless it is given, at most 366 days ahead; `until`: when it ends, at most 366 days
    after it began; without it, when it is withdrawn. `codes`: what a customer may give; `about`: it is shown only where
    one of these words stands in what is known of the matter: her words, facts, orders.
    """

    verb = "announce"
    kind: events.AnnouncementKind
    text: ShortText
    since: events.Instant | None = None
    until: events.Instant | None = None
    codes: Annotated[list[DiscountCode], Meta(max_length=8)] = []
    about: Annotated[list[AboutWord], Meta(max_length=16)] = []


class WithdrawAnnouncement(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It holds no longer."""

    verb = "withdraw_announcement"
    announcement_id: Annotated[events.AnnouncementId, ID]


class RecordFact(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent writes down what the customer told."""

    verb = "record_fact"
    fact: FactName
    value: ShortText
    contact_id: Annotated[events.ContactId, ID] | None = None


class CorrectFact(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent replaces a fact's value; the old one stays in the ledger."""

    verb = "correct_fact"
    fact_id: Annotated[events.FactId, ID]
    value: ShortText
    contact_id: Annotated[events.ContactId, ID] | None = None


class MakePromise(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent promises the customer something by a time."""

    verb = "make_promise"
    text: ShortText
    due: events.Instant


class KeepPromise(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The promise has been kept."""

    verb = "keep_promise"
    promise_id: Annotated[events.PromiseId, ID]


class Transfer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner hands the conversation on, warm (stays owner until a colleague accepts) or cold."""

    verb = "transfer"
    to: events.Target
    kind: events.TransferKind
    brief: ShortText


class AcceptTransfer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The colleague takes the conversation."""

    verb = "accept_transfer"
    transfer_id: Annotated[events.TransferId, ID]


class RejectTransfer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The colleague refuses."""

    verb = "reject_transfer"
    transfer_id: Annotated[events.TransferId, ID]
    reason: ShortText | None = None


class CancelTransfer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sender takes the transfer back before it is accepted."""

    verb = "cancel_transfer"
    transfer_id: Annotated[events.TransferId, ID]


class SendMessage(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner writes to the customer. `channel`: one of the policy's that has an account with an address of its own;
    the customer is reached at a handle of the same kind.

    `quotes`: the event of a message of hers, as `said` of a packet names it, with which this one is shown where the
    channel can; `template`: is sent in the place of `text`, which then says for the record what she reads.
    """

    verb = "send_message"
    channel: ChannelName
    text: LongText
    title: ShortText | None = None
    quotes: Annotated[events.EventId, ID] | None = None
    template: Template | None = None


class AttemptCallback(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent called back. `reached` makes her the owner."""

    verb = "attempt_callback"
    callback_id: Annotated[events.CallbackId, ID]
    outcome: Literal["reached", "no_answer"]


class CloseCallback(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The callback ends for a stated reason."""

    verb = "close_callback"
    callback_id: Annotated[events.CallbackId, ID]
    reason: ShortText


class AcknowledgeNotification(
    ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The agent has seen what she was told."""

    verb = "acknowledge_notification"
    served_by = "notify"
    notification_id: Annotated[events.NotificationId, ID]


class WrapUp(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent says how the contact went; without `contact_id`, all contacts not wrapped up yet."""

    verb = "wrap_up"
    disposition: FactName
    summary: ShortText
    next_step: ShortText | None = None
    contact_id: Annotated[events.ContactId, ID] | None = None


class Resolve(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner closes the matter; every contact must be wrapped up, and nothing written in it since."""

    verb = "resolve"
    confirmed_by_customer: bool | None = None


class ParkWork(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service sets aside what it cannot handle. `consumer`: whose message it is; `error`: the exception's class."""

    verb = "park_work"
    consumer: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}\Z")]
    stream: Annotated[str, Meta(pattern=r"^[A-Z]{1,32}\Z")]
    sequence: Annotated[int, Meta(ge=1, le=2**53)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    error: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.]{1,64}\Z")]
    failures: Annotated[int, Meta(ge=1, le=2**31)]


class ParkedCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command about something parked; `parked_id`: as the query `parked` lists it."""

    parked_id: ParkedId


class RetryParked(ParkedCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Handle it again now. What fails again stays parked, and the reply says why; notify's work is handed to notify.

    A delivery that could not be read is not read again.
    """

    verb = "retry_parked"


class SkipParked(ParkedCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give it up: nothing of it becomes a fact. A delivery that could not be read was looked at."""

    verb = "skip_parked"
    reason: ShortText


class RejectEntry(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands at this place of the ledger is no event of ours, or cannot be applied: readers pass it over.

    `sha256`: of its body, so that nobody rejects another by a slip; history names both when it halts.
    """

    verb = "reject_entry"
    sequence: Annotated[int, Meta(ge=1, le=2**53)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    reason: ShortText


COMMANDS: dict[str, type[Command]] = {
    kind.verb: kind
    for kind in (
        RegisterCustomer,
        SignIn,
        SetStatus,
        AcceptOffer,
        RejectOffer,
        ConfirmCustomer,
        RecordContact,
        Announce,
        WithdrawAnnouncement,
        RecordFact,
        CorrectFact,
        MakePromise,
        KeepPromise,
        Transfer,
        AcceptTransfer,
        RejectTransfer,
        CancelTransfer,
        SendMessage,
        AttemptCallback,
        CloseCallback,
        AcknowledgeNotification,
        WrapUp,
        Resolve,
        ParkWork,
        RetryParked,
        SkipParked,
        RejectEntry,
    )
}
