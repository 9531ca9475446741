"""A conversation opens, is joined, switches channels, carries its context and ends; on `conv-<id>`."""

from typing import Literal

from shared.events.announcement import AnnouncementId
from shared.events.contact_parts import Handle, HandleKind, Medium, Numbered, Proof
from shared.events.envelope import (
    AgentId,
    CallbackId,
    ContactId,
    ConversationId,
    CustomerId,
    Event,
    Instant,
    MessageId,
    Nothing,
    PacketId,
    Part,
)
from shared.events.packet import Announcement, Done, Earlier, Fact, Packet, Visit


class ConversationOpenedOpen(Part, frozen=True, kw_only=True):
    """`rule`: why a new one, as the policy names it (`join.none_open`, …)."""

    contact_id: ContactId
    channel: str
    account: str
    rule: str
    policy_version: str


class ConversationOpenedPersonal(Part, frozen=True, kw_only=True):
    """`after`: the resolved conversation of the same customer that the contact answers or goes on with.

    `remembered`: what was agreed with her and made good to her in earlier ones, the newest.
    """

    after: Earlier | None = None
    remembered: list[Done] = []


class ConversationOpened(
    Event[ConversationOpenedOpen, ConversationOpenedPersonal],
    frozen=True,
    kw_only=True,
    tag="conversation.opened",
):
    """A customer's matter begins."""


class ConversationJoinedOpen(Part, frozen=True, kw_only=True):
    """`rule`: what led the contact here: `join.reference`, `join.order_or_parcel`, `join.only_active`.

    `to_owner`: the owner who now has one more contact to look at; `None` when it waits in a queue, and for what a
    machine sent.
    """

    contact_id: ContactId
    channel: str
    account: str
    rule: str
    policy_version: str
    to_owner: AgentId | None = None


class ConversationJoined(
    Event[ConversationJoinedOpen, Nothing], frozen=True, kw_only=True, tag="conversation.joined"
):
    """One more contact belongs to the matter."""


class ChannelSwitchedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`to_owner`: the owner who now sees the new channel; `None` while the conversation waits in a queue.

    `contact_id`: in which she came by it; of one by an agent, `by`, in which she was heard last.
    """

    contact_id: ContactId
    from_channel: str
    to_channel: str
    to_owner: AgentId | None
    packet_id: PacketId
    by: AgentId | None = None


class ChannelSwitched(
    Event[ChannelSwitchedOpen, Nothing], frozen=True, kw_only=True, tag="channel.switched"
):
    """The customer goes on over another channel, or the owner with her; the packet says all that was told before."""


class ConversationReturnedOpen(Part, frozen=True, kw_only=True):
    """`owner`: who had it; `reason`: `signed_out`, or `not_in_policy` when the policy has no such agent any more."""

    owner: AgentId
    queue: str
    reason: Literal["signed_out", "not_in_policy"]
    packet_id: PacketId
    rule: str
    policy_version: str


class ConversationReturned(
    Event[ConversationReturnedOpen, Nothing], frozen=True, kw_only=True, tag="conversation.returned"
):
    """The owner is not there any more: the matter waits in its queue, with all that was told before."""


Suggestion = Literal["claimed_handle", "shared_handle", "order_or_parcel"]
"""Why somebody may be meant: a handle of hers that is only claimed, or that several have, or a number of hers."""


class CustomerSuggestedOpen(Part, frozen=True, kw_only=True):
    """`customer`: who may be meant; `kind`: of the handle that says so, `None` for an order or parcel."""

    customer: CustomerId
    contact_id: ContactId
    reason: Suggestion
    kind: HandleKind | None = None


class CustomerSuggestedPersonal(Part, frozen=True, kw_only=True):
    """`value`: the handle or number that says so."""

    name: str | None
    value: str


class CustomerSuggested(
    Event[CustomerSuggestedOpen, CustomerSuggestedPersonal],
    frozen=True,
    kw_only=True,
    tag="customer.suggested",
):
    """The contact may be somebody's whom we know, and nothing proves it: an agent confirms it or not."""


class ConversationLinkedOpen(Part, frozen=True, kw_only=True):
    """`customer`: whose it is from now on; `before`: for whom it was opened; `agent`: who confirmed it."""

    customer: CustomerId
    before: CustomerId
    contact_id: ContactId
    agent: AgentId | None = None


class ConversationLinked(
    Event[ConversationLinkedOpen, Nothing], frozen=True, kw_only=True, tag="conversation.linked"
):
    """It is proved whose matter it is, and it is hers with all that was said."""


class MergedContact(Part, frozen=True, kw_only=True):
    """A contact as it stood when it came along.

    `held_since`: since when she holds the line, `held_seconds`: for how long she held before; `heard`: when somebody
    called or wrote last in it; `reference`: what an answer to that names.
    """

    contact_id: ContactId
    medium: Medium
    channel: str
    account: str
    started: Instant
    status: Literal["waiting", "accepted", "lost"]
    over: bool
    wrapped_up: bool
    completed: bool
    queue: str | None = None
    answered: bool = False
    on_hold: bool = False
    held: Numbered | None = None
    held_since: Instant | None = None
    held_seconds: int = 0
    heard: Instant | None = None
    reference: str | None = None


class ConversationMergedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`merged`: the other conversation; `packet_id`: its last packet.

    `owner`: who works on both from now on, `None` if that does not change; `to_owner`: the owner who now has more to
    look at, `None` without one, and where she merged them herself; `answered`: a person had answered her there;
    `written`: when one did so in writing last.
    """

    merged: ConversationId
    contacts: list[MergedContact]
    owner: AgentId | None
    to_owner: AgentId | None
    packet_id: PacketId
    answered: bool = False
    written: Instant | None = None


class ConversationMergedPersonal(Part, frozen=True, kw_only=True):
    """`packet`: all that the other conversation knew; `older`: the facts that it only counts; `handles`, `names`: of
    whoever was on its contacts.
    """

    packet: Packet
    older: list[Fact] = []
    handles: dict[ContactId, list[Handle]] = {}
    names: dict[ContactId, str] = {}


class ConversationMerged(
    Event[ConversationMergedOpen, ConversationMergedPersonal],
    frozen=True,
    kw_only=True,
    tag="conversation.merged",
):
    """Another conversation of this customer goes on in this one, with what was said and told there."""


class ConversationAbsorbedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`callback_id`: the call owed there that is owed for the one that was owed here, if one was."""

    into: ConversationId
    agent: AgentId | None = None
    callback_id: CallbackId | None = None


class ConversationAbsorbed(
    Event[ConversationAbsorbedOpen, Nothing],
    frozen=True,
    kw_only=True,
    tag="conversation.absorbed",
):
    """The matter goes on in another conversation; this one is over."""


class ConversationResolvedOpen(Part, frozen=True, kw_only=True):
    """`agent`: who closed it; `None` of an imported one, which was over before it came here."""

    agent: AgentId | None = None
    confirmed_by_customer: bool | None = None


class ConversationResolved(
    Event[ConversationResolvedOpen, Nothing], frozen=True, kw_only=True, tag="conversation.resolved"
):
    """The matter is closed."""


class VisitNotedOpen(Part, frozen=True, kw_only=True):
    """`contact_id`: with which it was found; `known_by`, `proof`, `ended`: as in the visit; `pages`, `in_cart`: how
    many.
    """

    contact_id: ContactId
    known_by: HandleKind
    proof: Proof
    ended: Instant
    pages: int
    in_cart: int


class VisitNotedPersonal(Part, frozen=True, kw_only=True):
    visit: Visit


class VisitNoted(
    Event[VisitNotedOpen, VisitNotedPersonal], frozen=True, kw_only=True, tag="visit.noted"
):
    """What the customer did last on the shop's pages, as VISITS had it when she wrote or called."""


class ContextAnnouncedOpen(Part, frozen=True, kw_only=True):
    """`announcements`: those shown, the newest first; `more`: how many hold beside them."""

    announcements: list[AnnouncementId]
    more: int = 0


class ContextAnnouncedPersonal(Part, frozen=True, kw_only=True):
    announcements: list[Announcement]


class ContextAnnounced(
    Event[ContextAnnouncedOpen, ContextAnnouncedPersonal],
    frozen=True,
    kw_only=True,
    tag="context.announced",
):
    """What the desk is to know and touches this matter has changed since its last packet."""


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


class MessageRequestedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The intent to send; `message.sent|failed|uncertain` is the outcome.

    `agent`: who wrote it; `None` of an automatic answer, which answers nothing;
    `deliver_by`: if nobody says by then that it reached her, it goes another way as well;
    `instead_of`: the messages that this one brings again, by such another way: nothing new was said;
    `heard`: when she last wrote to this account from where she is written to, in this conversation; some providers
    count from there how long she may be answered; `told_already`: names of the facts that its text asks for, although
    she had told them.
    """

    message_id: MessageId
    channel: str
    account: str
    agent: AgentId | None = None
    deliver_by: Instant | None = None
    instead_of: list[MessageId] = []
    heard: Instant | None = None
    told_already: list[str] = []


class TemplateFile(Part, frozen=True, kw_only=True):
    """What stands above the words. `address`: from where the provider fetches it; `name`: of a document."""

    kind: str
    address: str
    name: str | None = None


class TemplateButton(Part, frozen=True, kw_only=True):
    """What a button needs. `position`: which one, from 0; `value`: the end of its address, what comes back when it is
    chosen, or the code that it copies.
    """

    position: int
    kind: str
    value: str


class MessageTemplate(Part, frozen=True, kw_only=True):
    """Words that the provider has approved, by its own name of them, and what stands in their places, in order.

    `header`: what stands in the place of the line above them; `header_file`: the file that stands there instead.
    """

    name: str
    language: str
    parameters: list[str] = []
    header: str | None = None
    header_file: TemplateFile | None = None
    buttons: list[TemplateButton] = []


class MessageRequestedPersonal(Part, frozen=True, kw_only=True):
    """`in_reply_to`: the provider's id of the message that it answers or quotes; `template`: in the place of `text`."""

    to: str
    title: str | None
    text: str
    in_reply_to: str | None = None
    references: list[str] = []
    template: MessageTemplate | None = None


class MessageRequested(
    Event[MessageRequestedOpen, MessageRequestedPersonal],
    frozen=True,
    kw_only=True,
    tag="message.requested",
):
    """An agent wants a message sent to the customer, or the policy does."""


ConversationEvent = (
    ConversationOpened
    | ConversationJoined
    | ChannelSwitched
    | ConversationReturned
    | CustomerSuggested
    | ConversationLinked
    | ConversationMerged
    | ConversationAbsorbed
    | ConversationResolved
    | VisitNoted
    | ContextAnnounced
    | ContextPackaged
    | MessageRequested
)
