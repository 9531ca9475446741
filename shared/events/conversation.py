"""A conversation opens, is joined, switches channels, carries its context and ends; on `conv-<id>`."""

from typing import Literal

from shared.events.envelope import (
    AgentId,
    ContactId,
    Event,
    MessageId,
    Nothing,
    PacketId,
    Part,
)
from shared.events.packet import Packet


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


class ConversationResolvedOpen(Part, frozen=True, kw_only=True):
    agent: AgentId
    confirmed_by_customer: bool | None = None


class ConversationResolved(
    Event[ConversationResolvedOpen, Nothing], frozen=True, kw_only=True, tag="conversation.resolved"
):
    """The matter is closed."""


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
    | ConversationReturned
    | ConversationResolved
    | ContextPackaged
    | MessageRequested
)
