"""The fold of `notif-<conversation id>`: who was to be told, and how far that went."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import events, memory


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One intent to tell somebody.

    Attributes:
        recipient: `agent-<id>`, `queue-<name>` or `customer`.
        about: id of the ledger event that asked for it.
        transports: by which it goes; of a message to the customer its channel.
        sent: when each transport took it; without those of which nobody knows that they did.
        provider_id: the provider's id of a message to the customer that it took.
        escalates: when it does if nobody acknowledges; `None` for a message to the customer.
        acknowledged: ledger sequence of the acknowledgement; `None` while nobody acknowledged.
        escalated_to: who was told because nobody acknowledged.
        withdrawn: what it was about goes on in another conversation.
    """

    id: events.NotificationId
    reason: events.NotificationReason
    recipient: str
    about: str
    transports: tuple[str, ...]
    requested: datetime
    escalates: datetime | None = None
    message_id: events.MessageId | None = None
    sent: Mapping[str, datetime] = {}
    provider_id: str | None = None
    acknowledged: int | None = None
    escalated_to: str | None = None
    withdrawn: bool = False

    @property
    def waits_for_a_person(self) -> bool:
        """Whether somebody is to acknowledge it and nobody did."""
        return self.recipient != CUSTOMER and self.acknowledged is None and not self.withdrawn

    @property
    def unsent(self) -> list[str]:
        """The transports without a recorded success, in order."""
        return [each for each in self.transports if each not in self.sent]


CUSTOMER = "customer"
ABOUT_A_MESSAGE: frozenset[events.NotificationReason] = frozenset(
    {"message_failed", "message_uncertain"}
)
ONE_AT_A_TIME: frozenset[events.NotificationReason] = frozenset({"unreadable", "overload"})
"""Of an account, or of a lane, not of a conversation."""
OF_A_CLOCK: frozenset[events.NotificationReason] = frozenset({"sla_warned", "sla_breached"})
TO_DO: frozenset[events.NotificationReason] = frozenset(
    {
        "new_request",
        "left_on_hold",
        "overdue",
        "wait_exceeded",
        "due_soon",
        "woken",
        "rule",
        "unreached",
    }
)
ASK_FOR_WORK = ABOUT_A_MESSAGE | ONE_AT_A_TIME | OF_A_CLOCK | TO_DO
STANDS_ALONE = ABOUT_A_MESSAGE | {"promise_broken", "low_feedback", "discontent"}
"""What only itself says, wherever its conversation goes on."""


class Notifications(msgspec.Struct, frozen=True, kw_only=True):
    """All notifications of one conversation, account or lane, oldest first. `sequence`: of the last folded event."""

    by_id: dict[events.NotificationId, Notification] = {}
    seen: memory.Memory = {}
    sequence: int = 0

    def about(self, event_id: str) -> list[Notification]:
        """Return the notifications to agents that a ledger event called for, in order; [] when there is none yet."""
        return [
            each
            for each in self.by_id.values()
            if each.about == event_id and each.recipient != CUSTOMER
        ]

    def open_requests(self) -> list[Notification]:
        """Return the notifications of what asks for work, if nobody has acknowledged them."""
        return [
            each
            for each in self.by_id.values()
            if each.reason in ASK_FOR_WORK and each.waits_for_a_person
        ]


NONE_YET = Notifications()


def evolve(state: Notifications, sequence: int, event: events.AnyEvent) -> Notifications:
    """Return the notifications after one event of `notif-<conversation id>`. It never fails."""
    changed = replace(state, sequence=sequence, seen=memory.remember(state.seen, sequence, event))
    match event:
        case events.NotificationRequested():
            return _with(changed, _requested(event))
        case events.NotificationSent():
            return _sent(changed, event)
        case events.NotificationAcknowledged():
            return _marked(changed, event.open.notification_id, acknowledged=sequence)
        case events.NotificationEscalated():
            return _marked(changed, event.open.notification_id, escalated_to=event.open.to)
        case events.NotificationWithdrawn():
            return _marked(changed, event.open.notification_id, withdrawn=True)
        case _:
            return changed


def _requested(event: events.NotificationRequested) -> Notification:
    return Notification(
        id=event.open.notification_id,
        reason=event.open.reason,
        recipient=event.open.recipient,
        about=event.open.about,
        transports=tuple(event.open.transports),
        requested=event.recorded,
        escalates=event.open.escalates,
        message_id=event.open.message_id,
    )


def _sent(state: Notifications, event: events.NotificationSent) -> Notifications:
    known = state.by_id.get(event.open.notification_id)
    if known is None:
        return state
    sent = {**known.sent, event.open.transport: event.recorded}
    return _marked(state, known.id, sent=sent, provider_id=event.open.provider_id)


def _with(state: Notifications, notification: Notification) -> Notifications:
    return replace(state, by_id={**state.by_id, notification.id: notification})


def _marked(
    state: Notifications, known_as: events.NotificationId, **changes: object
) -> Notifications:
    known = state.by_id.get(known_as)
    return state if known is None else _with(state, replace(known, **changes))
