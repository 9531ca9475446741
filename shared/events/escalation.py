"""A matter goes up to the next line, and is to be answered there by a time; on `conv-<id>`."""

from shared.events.envelope import (
    AgentId,
    ContactId,
    EscalationId,
    Event,
    Instant,
    MessageId,
    Nothing,
    PacketId,
    Part,
    TransferId,
)


class ContactEscalatedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`transfer_id`: the transfer by which it goes; `sender`: who could not answer it, as one of `from_queue`.

    `line`: the queue that takes over, `due`: by when it is to have answered; `message_id`: of what the customer
    is told by the same rule, `None` where she is told nothing.
    """

    escalation_id: EscalationId
    transfer_id: TransferId
    contact_id: ContactId
    sender: AgentId
    from_queue: str
    line: str
    due: Instant
    packet_id: PacketId
    rule: str
    policy_version: str
    message_id: MessageId | None = None


class ContactEscalated(
    Event[ContactEscalatedOpen, Nothing], frozen=True, kw_only=True, tag="contact.escalated"
):
    """The next line takes over, with a clock of its own."""


class EscalationOverdueOpen(Part, frozen=True, kw_only=True):
    """`line`, `due`: who was to answer by when; `to`: who is told, `agent-<id>` or `queue-<name>`."""

    escalation_id: EscalationId
    line: str
    due: Instant
    to: str


class EscalationOverdue(
    Event[EscalationOverdueOpen, Nothing], frozen=True, kw_only=True, tag="escalation.overdue"
):
    """The time passed and nobody of the line has answered."""


EscalationEvent = ContactEscalated | EscalationOverdue
