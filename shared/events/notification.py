"""What notify decides about who is told, on `notif-<conversation id>`."""

from typing import Literal

from shared.events.envelope import (
    AgentId,
    ConversationId,
    Event,
    Instant,
    MessageId,
    Nothing,
    NotificationId,
    Part,
)

NotificationReason = Literal[
    "new_request",
    "overdue",
    "message_failed",
    "message_uncertain",
    "owner_changed",
    "customer_message",
    "unreadable",
    "overload",
    "reassigned",
    "left_on_hold",
    "wait_exceeded",
    "due_soon",
    "promise_broken",
    "sla_warned",
    "sla_breached",
    "woken",
    "rule",
    "unreached",
    "low_feedback",
    "discontent",
]
"""`overdue`: a promise or an owed call whose time is over; `due_soon`: a promise whose time is nearly over;
`promise_broken`: one that nobody will keep any more; `message_failed`: a message did not reach the customer;
`message_uncertain`: nobody knows whether it did, and it is never sent again by itself: a person is to find out.
`unreadable`: a delivery in which a person's words may stand could not be read; it is of an account alone.
`overload`: contacts come faster than they are decided; it is of a lane alone.
`reassigned`: a supervisor took the matter from her, or gave it to somebody else.
`left_on_hold`: a transfer came back that nobody took, or the matter is hers now, and the customer holds the line.
`wait_exceeded`: somebody on the line, or in a chat, waits for longer than the last limit of the policy.
`sla_warned`, `sla_breached`: what a customer waits for is almost, or no longer, in time by the service level.
`woken`: what its owner had put aside is back; `rule`: an automatic rule of the policy wants her to look.
`unreached`: an owed call was tried as often as the policy says, and reached nobody.
`low_feedback`: a customer says that a contact was not good; `discontent`: a matter ended after so much that she may
leave without a word.
"""


class NotificationRequestedOpen(Part, frozen=True, kw_only=True):
    """The intent to tell somebody.

    `recipient`: `agent-<id>`, `queue-<name>` or `customer`; `about`: id of the ledger event that asks for it;
    `transports`: by which she is told, each by its name; for a customer the one channel of the message;
    `message_id`: the outbound message, for `customer_message`; `escalates`: when nobody acknowledged.
    `attempt`: for `customer_message`, random and of this try alone. The ledger takes the same event with the same
    bytes for a repetition: without it two processes would both believe that the intent is theirs, and both send.
    """

    notification_id: NotificationId
    reason: NotificationReason
    recipient: str
    about: str
    transports: list[str]
    message_id: MessageId | None = None
    attempt: str | None = None
    escalates: Instant | None = None


class NotificationRequested(
    Event[NotificationRequestedOpen, Nothing],
    frozen=True,
    kw_only=True,
    tag="notification.requested",
):
    """Somebody is to be told."""


class NotificationSentOpen(Part, frozen=True, kw_only=True):
    """`transport`: the transport of the intent that took the notification; each transport has its own event.

    `provider_id`: the provider's id of a message to the customer, where it gave one.
    """

    notification_id: NotificationId
    transport: str
    provider_id: str | None = None


class NotificationSent(
    Event[NotificationSentOpen, Nothing], frozen=True, kw_only=True, tag="notification.sent"
):
    """The transport took it."""


class NotificationAcknowledgedOpen(Part, frozen=True, kw_only=True):
    """`by`: the agent; `through`: `command`, or `acceptance` when the agent took the request itself."""

    notification_id: NotificationId
    by: AgentId
    through: Literal["command", "acceptance"]


class NotificationAcknowledged(
    Event[NotificationAcknowledgedOpen, Nothing],
    frozen=True,
    kw_only=True,
    tag="notification.acknowledged",
):
    """A person saw it."""


class NotificationEscalatedOpen(Part, frozen=True, kw_only=True):
    notification_id: NotificationId
    to: str


class NotificationEscalated(
    Event[NotificationEscalatedOpen, Nothing],
    frozen=True,
    kw_only=True,
    tag="notification.escalated",
):
    """Nobody acknowledged in time; somebody else is told."""


class NotificationWithdrawnOpen(Part, frozen=True, kw_only=True):
    """`into`: the conversation in which the one goes on that it was about."""

    notification_id: NotificationId
    into: ConversationId


class NotificationWithdrawn(
    Event[NotificationWithdrawnOpen, Nothing],
    frozen=True,
    kw_only=True,
    tag="notification.withdrawn",
):
    """Nobody need acknowledge it any more: what it was about goes on elsewhere, where somebody has it."""


NotificationEvent = (
    NotificationRequested
    | NotificationSent
    | NotificationAcknowledged
    | NotificationEscalated
    | NotificationWithdrawn
)
