"""What notify decides about one conversation's notifications.

A decision that was made before decides nothing ([]): deliveries and commands come again.
"""

from datetime import timedelta
from typing import Any, TypeVar

from services.notify.domain.commands import (
    Acknowledge,
    Answer,
    AnyCommand,
    Attend,
    Escalate,
    IntendMessage,
    RecordSent,
    TellOwner,
    TellRequest,
)
from services.notify.domain.people import escalates_to, may_acknowledge, transports_of
from services.notify.domain.state import CUSTOMER, Notification, Notifications
from shared import aggregates, events
from shared.errors import CommandForbidden, NotificationUnknown
from shared.ids import decision_event_id, scoped_id
from shared.memory import recall

E = TypeVar("E", bound=events.NotificationEvent)


def decide(state: Notifications, command: AnyCommand) -> list[events.NotificationEvent]:
    """Return the events that follow from `command`, in order; [] when it is already so.

    Raises: NotificationUnknown, CommandForbidden, CommandIdReused (for `Acknowledge` only).
    """
    match command:
        case TellRequest():
            return _tell_request(state, command)
        case TellOwner():
            return _tell_owner(state, command)
        case Attend():
            return _attend(state, command)
        case Answer():
            return _answer(state, command)
        case IntendMessage():
            return _intend_message(state, command)
        case RecordSent():
            return _record_sent(state, command)
        case Acknowledge():
            return _acknowledge(state, command)
        case Escalate():
            return _escalate(state, command)


def notification_id(command: TellRequest | TellOwner | IntendMessage) -> events.NotificationId:
    """Return the id of the notification a command asks for: the same for the same request or owner change."""
    match command:
        case TellRequest():
            return _id(command, "new_request", command.request)
        case TellOwner():
            return _id(command, "owner_changed", command.cause)
        case IntendMessage():
            return _id(command, "customer_message", command.message_id)


def _id(command: AnyCommand, reason: events.NotificationReason, what: str) -> events.NotificationId:
    scope = ("notification", command.tenant, command.conversation, reason, what)
    return events.NotificationId(scoped_id(*scope))


def _tell_request(state: Notifications, command: TellRequest) -> list[events.NotificationEvent]:
    asked = notification_id(command)
    if asked in state.by_id:
        return []
    return [_notify(command, asked, "new_request", command.recipient)]


def _tell_owner(state: Notifications, command: TellOwner) -> list[events.NotificationEvent]:
    asked = notification_id(command)
    if asked in state.by_id:
        return []
    seen = [each for each in state.open_requests() if each.about in command.earlier]
    acknowledged = _all_acknowledged(command, seen)
    if command.owned_before == command.agent:
        return acknowledged
    return [*acknowledged, _notify(command, asked, "owner_changed", f"agent-{command.agent}")]


def _notify(
    command: TellRequest | TellOwner,
    asked: events.NotificationId,
    reason: events.NotificationReason,
    recipient: str,
) -> events.NotificationRequested:
    waits = timedelta(seconds=command.policy.times.notification_seconds)
    wanted = events.NotificationRequestedOpen(
        notification_id=asked,
        reason=reason,
        recipient=recipient,
        about=command.cause,
        transports=transports_of(command.policy, recipient),
        escalates=command.now + waits,
    )
    return _event(events.NotificationRequested, command, wanted, command.cause)


def _attend(state: Notifications, command: Attend) -> list[events.NotificationEvent]:
    meant = {_id(command, "new_request", each) for each in command.requests}
    return _all_acknowledged(command, [n for n in state.open_requests() if n.id in meant])


def _answer(state: Notifications, command: Answer) -> list[events.NotificationEvent]:
    hers = [
        each
        for each in state.open_requests()
        if each.recipient == f"agent-{command.agent}" and each.about in command.earlier
    ]
    return _all_acknowledged(command, hers)


def _all_acknowledged(
    command: TellOwner | Attend | Answer, seen: list[Notification]
) -> list[events.NotificationEvent]:
    """The first id of the command is the notification's that it may ask for."""
    return [_acknowledged(command, each.id, command.agent, k) for k, each in enumerate(seen, 1)]


def _intend_message(state: Notifications, command: IntendMessage) -> list[events.NotificationEvent]:
    asked = notification_id(command)
    if asked in state.by_id:
        return []
    wanted = events.NotificationRequestedOpen(
        notification_id=asked,
        reason="customer_message",
        recipient=CUSTOMER,
        about=command.cause,
        transports=[command.channel],
        message_id=command.message_id,
        attempt=command.attempt,
    )
    return [_event(events.NotificationRequested, command, wanted, command.cause)]


def _record_sent(state: Notifications, command: RecordSent) -> list[events.NotificationEvent]:
    known = state.by_id.get(command.notification_id)
    if known is None or command.transport not in known.unsent:
        return []
    sent = events.NotificationSentOpen(notification_id=known.id, transport=command.transport)
    scope = f"{known.id}/sent/{command.transport}"
    return [_event(events.NotificationSent, command, sent, scope)]


def _acknowledge(state: Notifications, command: Acknowledge) -> list[events.NotificationEvent]:
    if recall(state.seen, command.cause, command.cause_sha256) is not None:
        return []
    known = state.by_id.get(command.notification_id)
    if known is None or known.recipient == CUSTOMER:
        raise NotificationUnknown(notification_id=command.notification_id)
    if not may_acknowledge(command.policy, known, command.agent):
        raise CommandForbidden(notification_id=known.id)
    if known.acknowledged is not None:
        return []
    return [_acknowledged(command, known.id, command.agent, 0, "command")]


def _escalate(state: Notifications, command: Escalate) -> list[events.NotificationEvent]:
    known = state.by_id.get(command.notification_id)
    if known is None or not known.waits_for_a_person or known.escalated_to is not None:
        return []
    to = escalates_to(command.policy, known.recipient)
    escalated = events.NotificationEscalatedOpen(notification_id=known.id, to=to)
    return [_event(events.NotificationEscalated, command, escalated, f"{known.id}/escalated")]


def _acknowledged(
    command: AnyCommand,
    known_as: events.NotificationId,
    by: events.AgentId,
    k: int,
    through: Any = "acceptance",
) -> events.NotificationAcknowledged:
    seen = events.NotificationAcknowledgedOpen(notification_id=known_as, by=by, through=through)
    return _event(events.NotificationAcknowledged, command, seen, command.cause, k)


def _event(kind: type[E], command: AnyCommand, open_part: events.Part, scope: str, k: int = 0) -> E:
    """Return an event of the conversation's notifications; its id is the k-th of `scope`."""
    aggregate = aggregates.NOTIFICATION.of(command.conversation)
    event_id = decision_event_id(command.tenant, aggregate, scope, k)
    return events.make(kind, command.origin, event_id, aggregate, open_part)
