"""What is known of customers, handles and agents, and which policy is in force."""

from typing import Literal

from shared.events.contact_parts import HandleKind, Medium, Proof
from shared.events.envelope import (
    AgentId,
    ContactId,
    ConversationId,
    CustomerId,
    Event,
    Instant,
    Nothing,
    OfferId,
    PacketId,
    Part,
)
from shared.events.shop import OrderChanged


class CustomerCreatedOpen(Part, frozen=True, kw_only=True):
    """`provisional`: opened for an unknown caller; `language`: BCP 47; `vip`: the shop calls her one."""

    provisional: bool
    language: str | None = None
    vip: bool = False


class CustomerCreatedPersonal(Part, frozen=True, kw_only=True):
    """`handles`: (kind, normalised value, degree of proof) as they were given; earlier, whether verified.

    `external_id`: the shop's own id of the customer.
    """

    name: str | None = None
    salutation: str | None = None
    handles: list[tuple[HandleKind, str, Proof | bool]] = []
    external_id: str | None = None


class CustomerCreated(
    Event[CustomerCreatedOpen, CustomerCreatedPersonal],
    frozen=True,
    kw_only=True,
    tag="customer.created",
):
    """A customer is known from now on; a later one registers whom a contact had opened, or tells her data anew."""


class HandleLearnedOpen(Part, frozen=True, kw_only=True):
    """`contact_id`: the contact in which it came; `None` when an agent confirmed it."""

    proof: Proof
    contact_id: ContactId | None = None


class HandleLearnedPersonal(Part, frozen=True, kw_only=True):
    """`value`: in its normal form."""

    kind: HandleKind
    value: str


class HandleLearned(
    Event[HandleLearnedOpen, HandleLearnedPersonal],
    frozen=True,
    kw_only=True,
    tag="handle.learned",
):
    """The customer is known by one more handle, or by a better proof of one."""


class ConversationAttachedOpen(Part, frozen=True, kw_only=True):
    conversation: ConversationId
    contact_id: ContactId
    opened: bool


class ConversationAttached(
    Event[ConversationAttachedOpen, Nothing], frozen=True, kw_only=True, tag="conversation.attached"
):
    """A contact of this customer opened or joined a conversation."""


class IdentityClaimedOpen(Part, frozen=True, kw_only=True):
    """`conversation`: for a `reference` handle, the conversation its contact belongs to.

    `verified`: the same as `proved`, for older readers.
    """

    customer: CustomerId
    kind: HandleKind
    verified: bool
    conversation: ConversationId | None = None
    proof: Proof | None = None


class IdentityClaimed(
    Event[IdentityClaimedOpen, Nothing], frozen=True, kw_only=True, tag="identity.claimed"
):
    """The handle behind this keyed hash belongs to a customer."""


class IdentitySharedOpen(Part, frozen=True, kw_only=True):
    """`customers`: all who hold it, in the order they were registered."""

    kind: HandleKind
    customers: list[CustomerId]


class IdentityShared(
    Event[IdentitySharedOpen, Nothing], frozen=True, kw_only=True, tag="identity.shared"
):
    """Several people have the handle behind this keyed hash: it leads to nobody alone."""


class IdentityAddressedOpen(Part, frozen=True, kw_only=True):
    """`conversation`: from which an agent wrote to the handle; an answer from there is that customer's."""

    kind: HandleKind
    customer: CustomerId
    conversation: ConversationId


class IdentityAddressed(
    Event[IdentityAddressedOpen, Nothing], frozen=True, kw_only=True, tag="identity.addressed"
):
    """An agent wrote to a handle that nobody holds."""


AgentStatus = Literal["available", "away", "signed_out"]


class AgentSignedInOpen(Part, frozen=True, kw_only=True):
    agent: AgentId


class AgentSignedIn(
    Event[AgentSignedInOpen, Nothing], frozen=True, kw_only=True, tag="agent.signed_in"
):
    """The agent is at work and available."""


class AgentStatusSetOpen(Part, frozen=True, kw_only=True):
    agent: AgentId
    status: AgentStatus


class AgentStatusSet(
    Event[AgentStatusSetOpen, Nothing], frozen=True, kw_only=True, tag="agent.status_set"
):
    """The agent is available, away or gone."""


class AgentReservedOpen(Part, frozen=True, kw_only=True):
    """One slot of the agent is taken for a conversation, first by the offer, then by the work.

    `medium`: on which she works there, where the policy counts that medium apart.
    """

    agent: AgentId
    conversation: ConversationId
    offer_id: OfferId
    packet_id: PacketId
    until: Instant | None = None
    medium: Medium | None = None


class AgentReserved(
    Event[AgentReservedOpen, Nothing], frozen=True, kw_only=True, tag="agent.reserved"
):
    """A slot of the agent is taken."""


class AgentCallEndedOpen(Part, frozen=True, kw_only=True):
    agent: AgentId
    conversation: ConversationId
    contact_id: ContactId


class AgentCallEnded(
    Event[AgentCallEndedOpen, Nothing], frozen=True, kw_only=True, tag="agent.call_ended"
):
    """She is on the line no more and can take another call; the conversation keeps its slot."""


class AgentReleasedOpen(Part, frozen=True, kw_only=True):
    """`reason`: `rejected`, `expired`, `abandoned`, `transferred`, `withdrawn`, `off_duty`, `resolved`,
    `reassigned`."""

    agent: AgentId
    conversation: ConversationId
    reason: str


class AgentReleased(
    Event[AgentReleasedOpen, Nothing], frozen=True, kw_only=True, tag="agent.released"
):
    """The slot is free again."""


class PolicyAppliedOpen(Part, frozen=True, kw_only=True):
    """`version`: the first 16 hexadecimal digits of the SHA-256 of the policy's canonical form."""

    version: str


class PolicyApplied(
    Event[PolicyAppliedOpen, Nothing], frozen=True, kw_only=True, tag="policy.applied"
):
    """This version of the tenant's policy decides from now on."""


PeopleEvent = (
    CustomerCreated
    | HandleLearned
    | OrderChanged
    | ConversationAttached
    | IdentityClaimed
    | IdentityShared
    | IdentityAddressed
    | AgentSignedIn
    | AgentStatusSet
    | AgentReserved
    | AgentCallEnded
    | AgentReleased
    | PolicyApplied
)
