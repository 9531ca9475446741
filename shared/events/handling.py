"""How the desk goes about a conversation: labels, put aside and woken, opened again; on `conv-<id>`."""

from typing import Literal

from shared.events.envelope import (
    AgentId,
    ContactId,
    Event,
    EventId,
    Instant,
    Nothing,
    PacketId,
    Part,
    SnoozeId,
)


class ConversationLabelledOpen(Part, frozen=True, kw_only=True):
    """`added`, `removed`: labels, each in order; `agent`: who did it, `None` of a rule, which the actor names."""

    added: list[str]
    removed: list[str]
    agent: AgentId | None = None


class ConversationLabelled(
    Event[ConversationLabelledOpen, Nothing], frozen=True, kw_only=True, tag="conversation.labelled"
):
    """The conversation has other labels from now on."""


class ConversationSnoozedOpen(Part, frozen=True, kw_only=True):
    """`until`: when it comes back, unless the customer comes first."""

    snooze_id: SnoozeId
    agent: AgentId
    until: Instant


class ConversationSnoozed(
    Event[ConversationSnoozedOpen, Nothing], frozen=True, kw_only=True, tag="conversation.snoozed"
):
    """The owner has put it aside: it is still hers, and takes none of her slots."""


class ConversationWokenOpen(Part, frozen=True, kw_only=True):
    """`by`: what woke it: its `time`, the `customer` who wrote or called, an `agent` who goes on with it, or what was
    `merged` into it.

    `contact_id`: by which the customer came; `to_owner`: the owner who is told that it is back, `None` where something
    else tells her, or she knows.
    """

    snooze_id: SnoozeId
    by: Literal["time", "customer", "agent", "merged"]
    contact_id: ContactId | None = None
    to_owner: AgentId | None = None


class ConversationWoken(
    Event[ConversationWokenOpen, Nothing], frozen=True, kw_only=True, tag="conversation.woken"
):
    """It is no longer put aside."""


class ConversationReopenedOpen(Part, frozen=True, kw_only=True):
    """`agent`: who opened it again, and owns it now; `resolved_by`: who had closed it, at `resolved`."""

    agent: AgentId
    packet_id: PacketId
    resolved: Instant
    resolved_by: AgentId | None = None


class ConversationReopenedPersonal(Part, frozen=True, kw_only=True):
    reason: str


class ConversationReopened(
    Event[ConversationReopenedOpen, ConversationReopenedPersonal],
    frozen=True,
    kw_only=True,
    tag="conversation.reopened",
):
    """A resolved matter goes on: an agent has it, with all that was told before."""


class AttentionRequestedOpen(Part, frozen=True, kw_only=True):
    """`to`: who is told, `queue-<name>` or `agent-<id>`; `about`: the event that the rule is on."""

    to: str
    about: EventId
    rule: str
    policy_version: str


class AttentionRequested(
    Event[AttentionRequestedOpen, Nothing], frozen=True, kw_only=True, tag="attention.requested"
):
    """A rule of the policy wants somebody to look at it."""


HandlingEvent = (
    ConversationLabelled
    | ConversationSnoozed
    | ConversationWoken
    | ConversationReopened
    | AttentionRequested
)
