"""What the router decides about a conversation, on `conv-<id>`."""

from __future__ import annotations

from typing import Literal

from shared.events.envelope import (
    AgentId,
    CallbackId,
    ContactId,
    Event,
    FactId,
    Instant,
    MessageId,
    Nothing,
    OfferId,
    PacketId,
    Part,
    PromiseId,
    TransferId,
)
from shared.events.packet import Packet

# -- opening, joining, switching -------------------------------------------------------------------


class ConversationOpenedOpen(Part, frozen=True, kw_only=True):
    """`rule`: why a new one, as the policy names it (`join.none_open`, …)."""

    contact_id: ContactId
    channel: str
    account: str
    rule: str
    policy_version: str


class ConversationOpened(
    Event[ConversationOpenedOpen, Nothing], frozen=True, kw_only=True, tag="conversation.opened"
):
    """A customer's matter begins."""


class ConversationJoinedOpen(Part, frozen=True, kw_only=True):
    """`rule`: what led the contact here: `join.reply_reference`, `join.order_or_parcel`, `join.only_active`."""

    contact_id: ContactId
    channel: str
    account: str
    rule: str
    policy_version: str


class ConversationJoined(
    Event[ConversationJoinedOpen, Nothing], frozen=True, kw_only=True, tag="conversation.joined"
):
    """One more contact belongs to the matter."""


class ChannelSwitchedOpen(Part, frozen=True, kw_only=True):
    """`to_owner`: the owner who now sees the new channel; `None` while the conversation waits in a queue."""

    contact_id: ContactId
    from_channel: str
    to_channel: str
    to_owner: AgentId | None
    packet_id: PacketId


class ChannelSwitched(
    Event[ChannelSwitchedOpen, Nothing], frozen=True, kw_only=True, tag="channel.switched"
):
    """The customer goes on over another channel; the packet says all that was told before."""


class ConversationResolvedOpen(Part, frozen=True, kw_only=True):
    agent: AgentId
    confirmed_by_customer: bool | None = None


class ConversationResolved(
    Event[ConversationResolvedOpen, Nothing], frozen=True, kw_only=True, tag="conversation.resolved"
):
    """The matter is closed."""


# -- queue and offer ----------------------------------------------------------------------------------


class ContactQueuedOpen(Part, frozen=True, kw_only=True):
    """`rule`: the entry point or reason that chose the queue."""

    contact_id: ContactId
    queue: str
    rule: str
    policy_version: str


class ContactQueued(
    Event[ContactQueuedOpen, Nothing], frozen=True, kw_only=True, tag="contact.queued"
):
    """The contact waits for an agent of a queue."""


class ContactOfferedOpen(Part, frozen=True, kw_only=True):
    """`passed_over`: agents of the queue who were not chosen, each with the reason."""

    offer_id: OfferId
    contact_id: ContactId
    queue: str
    agent: AgentId
    packet_id: PacketId
    expires: Instant
    rule: str
    policy_version: str
    passed_over: dict[str, str] = {}


class ContactOffered(
    Event[ContactOfferedOpen, Nothing], frozen=True, kw_only=True, tag="contact.offered"
):
    """One agent is asked to take the contact; the same batch reserves the agent."""


class ContactAcceptedOpen(Part, frozen=True, kw_only=True):
    offer_id: OfferId
    contact_id: ContactId
    agent: AgentId
    packet_id: PacketId


class ContactAccepted(
    Event[ContactAcceptedOpen, Nothing], frozen=True, kw_only=True, tag="contact.accepted"
):
    """The agent took the contact, acknowledges the packet and owns the conversation."""


class ContactRejectedOpen(Part, frozen=True, kw_only=True):
    offer_id: OfferId
    contact_id: ContactId
    agent: AgentId
    reason: str | None = None


class ContactRejected(
    Event[ContactRejectedOpen, Nothing], frozen=True, kw_only=True, tag="contact.rejected"
):
    """The agent refused the offer; the contact waits on."""


class ContactOfferExpiredOpen(Part, frozen=True, kw_only=True):
    offer_id: OfferId
    contact_id: ContactId
    agent: AgentId


class ContactOfferExpired(
    Event[ContactOfferExpiredOpen, Nothing], frozen=True, kw_only=True, tag="contact.offer_expired"
):
    """The agent did not answer in time; the contact waits on."""


class ContactLostOpen(Part, frozen=True, kw_only=True):
    contact_id: ContactId
    callback_id: CallbackId
    queue: str


class ContactAbandoned(
    Event[ContactLostOpen, Nothing], frozen=True, kw_only=True, tag="contact.abandoned"
):
    """The customer hung up before an agent took the contact; a callback is owed."""


class ContactMissed(
    Event[ContactLostOpen, Nothing], frozen=True, kw_only=True, tag="contact.missed"
):
    """The call was never connected; a callback is owed."""


class ContactWrappedUpOpen(Part, frozen=True, kw_only=True):
    """`disposition`: a word of the policy, for example `solved`, `forwarded`."""

    contact_id: ContactId
    agent: AgentId
    disposition: str


class ContactWrappedUpPersonal(Part, frozen=True, kw_only=True):
    summary: str
    next_step: str | None = None


class ContactWrappedUp(
    Event[ContactWrappedUpOpen, ContactWrappedUpPersonal],
    frozen=True,
    kw_only=True,
    tag="contact.wrapped_up",
):
    """The agent wrote down how the contact went."""


class ContactCompletedOpen(Part, frozen=True, kw_only=True):
    contact_id: ContactId


class ContactCompleted(
    Event[ContactCompletedOpen, Nothing], frozen=True, kw_only=True, tag="contact.completed"
):
    """The contact is over and wrapped up."""


# -- transfer -----------------------------------------------------------------------------------------

TransferKind = Literal["cold", "warm"]


class Target(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Where a transfer goes: exactly one of agent, team, queue."""

    agent: AgentId | None = None
    team: str | None = None
    queue: str | None = None


class TransferRequestedOpen(Part, frozen=True, kw_only=True):
    """`expires`: when the transfer as a whole comes back; a warm one to its sender, a cold one to a queue."""

    transfer_id: TransferId
    kind: TransferKind
    sender: AgentId
    to: Target
    packet_id: PacketId
    expires: Instant


class Brief(Part, frozen=True, kw_only=True):
    brief: str


class TransferRequested(
    Event[TransferRequestedOpen, Brief], frozen=True, kw_only=True, tag="transfer.requested"
):
    """The owner hands the conversation on. Warm: she stays owner until a colleague accepts."""


class TransferOfferedOpen(Part, frozen=True, kw_only=True):
    offer_id: OfferId
    transfer_id: TransferId
    agent: AgentId
    packet_id: PacketId
    expires: Instant
    rule: str
    policy_version: str
    passed_over: dict[str, str] = {}


class TransferOffered(
    Event[TransferOfferedOpen, Nothing], frozen=True, kw_only=True, tag="transfer.offered"
):
    """A colleague is asked to take the conversation; the same batch reserves the colleague."""


class TransferAcceptedOpen(Part, frozen=True, kw_only=True):
    transfer_id: TransferId
    kind: TransferKind
    sender: AgentId
    agent: AgentId
    packet_id: PacketId


class TransferAccepted(
    Event[TransferAcceptedOpen, Nothing], frozen=True, kw_only=True, tag="transfer.accepted"
):
    """The colleague took the conversation and acknowledges the packet; only now does ownership move."""


class TransferRejectedOpen(Part, frozen=True, kw_only=True):
    """`final`: nobody else is asked; the conversation is back where `returned_to` says."""

    transfer_id: TransferId
    agent: AgentId
    final: bool
    returned_to: str | None = None


class TransferRejectedPersonal(Part, frozen=True, kw_only=True):
    reason: str | None = None


class TransferRejected(
    Event[TransferRejectedOpen, TransferRejectedPersonal],
    frozen=True,
    kw_only=True,
    tag="transfer.rejected",
):
    """The colleague refused."""


class TransferClosedOpen(Part, frozen=True, kw_only=True):
    """`returned_to`: `agent-<id>` or `queue-<name>`, who has the conversation now."""

    transfer_id: TransferId
    returned_to: str


class TransferCancelled(
    Event[TransferClosedOpen, Nothing], frozen=True, kw_only=True, tag="transfer.cancelled"
):
    """The sender took the transfer back."""


class TransferExpired(
    Event[TransferClosedOpen, Nothing], frozen=True, kw_only=True, tag="transfer.expired"
):
    """Nobody accepted in time."""


# -- context ------------------------------------------------------------------------------------------


class ContextPackagedOpen(Part, frozen=True, kw_only=True):
    """`sha256`: of the packet's canonical bytes; `facts`: live facts in full; `more`: live facts by reference."""

    packet_id: PacketId
    sha256: str
    facts: int
    more: int


class ContextPackagedPersonal(Part, frozen=True, kw_only=True):
    packet: Packet


class ContextPackaged(
    Event[ContextPackagedOpen, ContextPackagedPersonal],
    frozen=True,
    kw_only=True,
    tag="context.packaged",
):
    """All that was told and done so far, for whoever gets the conversation next."""


# -- facts --------------------------------------------------------------------------------------------

FactOrigin = Literal["agent", "menu", "form", "text"]


class FactStatedOpen(Part, frozen=True, kw_only=True):
    """`name`: a word such as `parcel_number`; `told_to`: the owner at that time, if any."""

    fact_id: FactId
    name: str
    origin: FactOrigin
    channel: str | None
    contact_id: ContactId | None
    told_to: AgentId | None = None


class FactValue(Part, frozen=True, kw_only=True):
    """`value`: at most 512 encoded bytes."""

    value: str


class FactStated(Event[FactStatedOpen, FactValue], frozen=True, kw_only=True, tag="fact.stated"):
    """The customer told something that matters."""


class FactRepeatedOpen(Part, frozen=True, kw_only=True):
    """`hops_since`: hand-overs between the first telling and this one (at least 1)."""

    fact_id: FactId
    name: str
    channel: str | None
    contact_id: ContactId | None
    told_to: AgentId | None = None
    hops_since: int


class FactRepeated(
    Event[FactRepeatedOpen, Nothing], frozen=True, kw_only=True, tag="fact.repeated"
):
    """The customer had to tell a fact again after a hand-over."""


class FactCorrectedOpen(Part, frozen=True, kw_only=True):
    fact_id: FactId
    name: str
    channel: str | None
    contact_id: ContactId | None


class FactCorrected(
    Event[FactCorrectedOpen, FactValue], frozen=True, kw_only=True, tag="fact.corrected"
):
    """A fact was wrong and has a new value; the old one stays in the ledger."""


# -- promises and callbacks -----------------------------------------------------------------------------


class PromiseMadeOpen(Part, frozen=True, kw_only=True):
    promise_id: PromiseId
    agent: AgentId
    due: Instant


class PromiseMadePersonal(Part, frozen=True, kw_only=True):
    text: str


class PromiseMade(
    Event[PromiseMadeOpen, PromiseMadePersonal], frozen=True, kw_only=True, tag="promise.made"
):
    """Somebody promised the customer something by a time."""


class PromiseKeptOpen(Part, frozen=True, kw_only=True):
    promise_id: PromiseId
    agent: AgentId
    late: bool


class PromiseKept(Event[PromiseKeptOpen, Nothing], frozen=True, kw_only=True, tag="promise.kept"):
    """The promise was kept, late or in time."""


class CallbackRequestedOpen(Part, frozen=True, kw_only=True):
    """`reason`: `abandoned` or `missed`."""

    callback_id: CallbackId
    contact_id: ContactId
    queue: str
    due: Instant
    reason: str


class CallbackRequested(
    Event[CallbackRequestedOpen, Nothing], frozen=True, kw_only=True, tag="callback.requested"
):
    """The customer is owed a call."""


class CallbackAttemptedOpen(Part, frozen=True, kw_only=True):
    callback_id: CallbackId
    agent: AgentId
    attempt: int


class CallbackAttempted(
    Event[CallbackAttemptedOpen, Nothing], frozen=True, kw_only=True, tag="callback.attempted"
):
    """An agent called and reached nobody."""


class CallbackReachedOpen(Part, frozen=True, kw_only=True):
    callback_id: CallbackId
    agent: AgentId
    packet_id: PacketId


class CallbackReached(
    Event[CallbackReachedOpen, Nothing], frozen=True, kw_only=True, tag="callback.reached"
):
    """An agent reached the customer and owns the conversation now."""


class CallbackClosedOpen(Part, frozen=True, kw_only=True):
    callback_id: CallbackId
    agent: AgentId
    reason: str


class CallbackClosed(
    Event[CallbackClosedOpen, Nothing], frozen=True, kw_only=True, tag="callback.closed"
):
    """The callback ended for a stated reason without reaching the customer."""


# -- outbound -----------------------------------------------------------------------------------------


class MessageRequestedOpen(Part, frozen=True, kw_only=True):
    """The intent to send; `message.sent|failed|uncertain` is the outcome."""

    message_id: MessageId
    channel: str
    account: str
    agent: AgentId


class MessageRequestedPersonal(Part, frozen=True, kw_only=True):
    to: str
    title: str | None
    text: str
    in_reply_to: str | None = None
    references: list[str] = []


class MessageRequested(
    Event[MessageRequestedOpen, MessageRequestedPersonal],
    frozen=True,
    kw_only=True,
    tag="message.requested",
):
    """An agent wants a message sent to the customer."""


ConversationEvent = (
    ConversationOpened
    | ConversationJoined
    | ChannelSwitched
    | ConversationResolved
    | ContactQueued
    | ContactOffered
    | ContactAccepted
    | ContactRejected
    | ContactOfferExpired
    | ContactAbandoned
    | ContactMissed
    | ContactWrappedUp
    | ContactCompleted
    | TransferRequested
    | TransferOffered
    | TransferAccepted
    | TransferRejected
    | TransferCancelled
    | TransferExpired
    | ContextPackaged
    | FactStated
    | FactRepeated
    | FactCorrected
    | PromiseMade
    | PromiseKept
    | CallbackRequested
    | CallbackAttempted
    | CallbackReached
    | CallbackClosed
    | MessageRequested
)
