"""A conversation is handed from one agent to another; on `conv-<id>`."""

from typing import Annotated, Literal

from msgspec import Meta

from shared.events.envelope import (
    AgentId,
    AssignmentId,
    Event,
    Instant,
    Nothing,
    OfferId,
    PacketId,
    Part,
    TransferId,
)

TransferKind = Literal["cold", "warm"]
OutsideOutcome = Literal["connected", "answered", "not_reached"]
HopKind = Literal["cold", "warm", "assigned"]
NAME = Meta(max_length=128)
"""A policy's names are shorter."""


class Target(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Where a transfer goes: exactly one of agent, team, queue, external. `external`: a name of the policy's."""

    agent: Annotated[AgentId, NAME] | None = None
    team: Annotated[str, NAME] | None = None
    queue: Annotated[str, NAME] | None = None
    external: Annotated[str, NAME] | None = None


class TransferRequestedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`expires`: when the transfer as a whole comes back; a warm one to its sender, a cold one to a queue.

    `number`: of one that goes outside, which its sender calls; by then she is to have said what came of it.
    """

    transfer_id: TransferId
    kind: TransferKind
    sender: AgentId
    to: Target
    packet_id: PacketId
    expires: Instant
    number: str | None = None


class Brief(Part, frozen=True, kw_only=True):
    brief: str


class TransferRequested(
    Event[TransferRequestedOpen, Brief], frozen=True, kw_only=True, tag="transfer.requested"
):
    """The owner hands the conversation on. Warm: she stays owner until a colleague accepts; outside, all the while."""


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
    """Nobody accepted in time, or the only one who was asked has gone."""


class TransferCompletedOpen(Part, frozen=True, kw_only=True):
    """`agent`: its sender, who says so and has the conversation; `external`: with whom it was; `outcome`: `connected`
    (the customer was put through), `answered` (they told the agent) or `not_reached`."""

    transfer_id: TransferId
    agent: AgentId
    external: str
    outcome: OutsideOutcome


class TransferCompletedPersonal(Part, frozen=True, kw_only=True):
    result: str | None = None


class TransferCompleted(
    Event[TransferCompletedOpen, TransferCompletedPersonal],
    frozen=True,
    kw_only=True,
    tag="transfer.completed",
):
    """Somebody outside was asked, and the sender says what came of it."""


class ConversationAssignedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Who has it now, from whom, and by what right.

    `agent`: the new owner; `by`: the supervisor, herself where she takes it; `supervises`: the queue whose supervisor
    she is; `owner`, `queue`: who had it, or where it waited; `offer_id`, `transfer_id`: the offer and the transfer that
    end with it.
    """

    assignment_id: AssignmentId
    agent: AgentId
    by: AgentId
    supervises: str
    packet_id: PacketId
    rule: str
    policy_version: str
    owner: AgentId | None = None
    queue: str | None = None
    offer_id: OfferId | None = None
    transfer_id: TransferId | None = None


class ConversationAssignedPersonal(Part, frozen=True, kw_only=True):
    reason: str


class ConversationAssigned(
    Event[ConversationAssignedOpen, ConversationAssignedPersonal],
    frozen=True,
    kw_only=True,
    tag="conversation.assigned",
):
    """A supervisor took the conversation, or gave it to somebody; ownership moves at once, with the packet."""


TransferEvent = (
    TransferRequested
    | TransferOffered
    | TransferAccepted
    | TransferRejected
    | TransferCancelled
    | TransferExpired
    | TransferCompleted
    | ConversationAssigned
)
