"""What notify decides about one conversation's notifications.

A decision that was made before decides nothing ([]): deliveries and commands come again.
"""

from datetime import timedelta
from typing import Any, TypeVar

from services.notify.domain import commands, people
from services.notify.domain.state import (
    CUSTOMER,
    ONE_AT_A_TIME,
    STANDS_ALONE,
    Notification,
    Notifications,
)
from shared import aggregates, errors, events, ids, requests

UNSEEN_FOR = timedelta(days=1)
"""So long a notice of a lane that nobody acknowledges stands for those that would follow."""

E = TypeVar("E", bound=events.NotificationEvent)


def decide(state: Notifications, command: commands.AnyCommand) -> list[events.NotificationEvent]:
    """Return the events that follow from `command`, in order; [] when it is already so.

    Raises, for `Acknowledge` only: NotificationUnknown, CommandForbidden, CommandIdReused, CommandTooOld,
    CommandTooNew.
    """
    match command:
        case commands.TellRequest():
            return _tell_request(state, command)
        case commands.TellOwner():
            return _tell_owner(state, command)
        case commands.Attend():
            return _attend(state, command)
        case commands.Answer():
            return _answer(state, command)
        case commands.Withdraw():
            return _withdraw(state, command)
        case commands.IntendMessage():
            return _intend_message(state, command)
        case commands.RecordSent():
            return _record_sent(state, command)
        case commands.Acknowledge():
            return _acknowledge(state, command)
        case commands.Escalate():
            return _escalate(state, command)


def notification_id(
    command: commands.TellRequest | commands.TellOwner | commands.IntendMessage,
) -> events.NotificationId:
    """Return the id of the notification a command asks for: the same for the same request or owner change."""
    match command:
        case commands.TellRequest():
            return _id(command, "new_request", command.request)
        case commands.TellOwner():
            return _id(command, "owner_changed", command.cause)
        case commands.IntendMessage():
            return _id(command, "customer_message", command.message_id)


def _id(
    command: commands.AnyCommand, reason: events.NotificationReason, what: str
) -> events.NotificationId:
    scope = ("notification", command.tenant, command.conversation, reason, what)
    return events.NotificationId(ids.scoped_id(*scope))


def _tell_request(
    state: Notifications, command: commands.TellRequest
) -> list[events.NotificationEvent]:
    """Of an account, and of a lane, one is open at a time; what could not be read the query `parked` lists.

    That a lane is behind nothing lists: what nobody has seen for a day keeps nobody from being told again.
    """
    asked = notification_id(command)
    stands = [
        each
        for each in state.open_requests()
        if command.reason != "overload" or command.now - each.requested < UNSEEN_FOR
    ]
    if asked in state.by_id or (command.reason in ONE_AT_A_TIME and stands):
        return []
    wait = timedelta(0) if command.at_once else _patience(command)
    told = _notify(command, asked, command.reason, command.recipient, wait)
    if command.by is None:
        return [told]
    seen = _meant(state, command, command.settled)
    return [*_all_acknowledged(command, command.by, seen), told]


def _tell_owner(
    state: Notifications, command: commands.TellOwner
) -> list[events.NotificationEvent]:
    asked = notification_id(command)
    if asked in state.by_id:
        return []
    seen = [
        each
        for each in state.open_requests()
        # Whom a rule wants to look at a matter has not seen it because somebody else takes it.
        if each.about in command.earlier and each.reason != "rule"
    ]
    acknowledged = _all_acknowledged(command, command.seen_by or command.agent, seen)
    if command.owned_before == command.agent:
        return acknowledged
    told = _notify(command, asked, command.reason, f"agent-{command.agent}", _patience(command))
    return [*acknowledged, told, *_tell_taken_from(command)]


def _tell_taken_from(command: commands.TellOwner) -> list[events.NotificationEvent]:
    """She may be about to write: it is not hers any more."""
    if command.taken_from is None:
        return []
    told = _id(command, "reassigned", command.cause)
    recipient, scope = f"agent-{command.taken_from}", f"{command.cause}/reassigned"
    return [_notify(command, told, "reassigned", recipient, _patience(command), scope)]


def _patience(command: commands.TellRequest | commands.TellOwner) -> timedelta:
    """Return how long somebody may take to acknowledge."""
    return timedelta(seconds=command.policy.times.notification_seconds)


def _notify(
    command: commands.TellRequest | commands.TellOwner,
    asked: events.NotificationId,
    reason: events.NotificationReason,
    recipient: str,
    wait: timedelta,
    scope: str | None = None,
) -> events.NotificationRequested:
    wanted = events.NotificationRequestedOpen(
        notification_id=asked,
        reason=reason,
        recipient=recipient,
        about=command.cause,
        transports=people.transports_of(command.policy, recipient),
        escalates=command.now + wait,
    )
    return _event(events.NotificationRequested, command, wanted, scope or command.cause)


def _attend(state: Notifications, command: commands.Attend) -> list[events.NotificationEvent]:
    return _all_acknowledged(command, command.agent, _meant(state, command, command.requests))


def _meant(
    state: Notifications, command: commands.AnyCommand, requests: tuple[str, ...]
) -> list[Notification]:
    meant = {_id(command, "new_request", each) for each in requests}
    return [each for each in state.open_requests() if each.id in meant]


def _answer(state: Notifications, command: commands.Answer) -> list[events.NotificationEvent]:
    hers = [
        each
        for each in state.open_requests()
        if each.recipient == f"agent-{command.agent}"
        and each.about in command.earlier
        and command.only in (None, each.reason)
    ]
    return _all_acknowledged(command, command.agent, hers)


def _withdraw(state: Notifications, command: commands.Withdraw) -> list[events.NotificationEvent]:
    """A message that did not arrive, and a broken promise, stay to be seen: only there does it say so."""
    wanted = [each for each in state.by_id.values() if each.waits_for_a_person]
    return [
        _event(
            events.NotificationWithdrawn,
            command,
            events.NotificationWithdrawnOpen(notification_id=each.id, into=command.into),
            command.cause,
            k,
        )
        for k, each in enumerate(wanted)
        if each.reason not in STANDS_ALONE
    ]


def _all_acknowledged(
    command: commands.AnyCommand, by: events.AgentId, seen: list[Notification]
) -> list[events.NotificationEvent]:
    """The first id of the command is the notification's that it may ask for."""
    return [_acknowledged(command, each.id, by, k) for k, each in enumerate(seen, 1)]


def _intend_message(
    state: Notifications, command: commands.IntendMessage
) -> list[events.NotificationEvent]:
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


def _record_sent(
    state: Notifications, command: commands.RecordSent
) -> list[events.NotificationEvent]:
    known = state.by_id.get(command.notification_id)
    if known is None or command.transport not in known.unsent:
        return []
    sent = events.NotificationSentOpen(
        notification_id=known.id, transport=command.transport, provider_id=command.provider_id
    )
    scope = f"{known.id}/sent/{command.transport}"
    return [_event(events.NotificationSent, command, sent, scope)]


def _acknowledge(
    state: Notifications, command: commands.Acknowledge
) -> list[events.NotificationEvent]:
    if command.seen_in(state.seen) is not None:
        return []
    requests.check_age(command.cause, command.issued, command.now)
    known = state.by_id.get(command.notification_id)
    if known is None or known.recipient == CUSTOMER:
        raise errors.NotificationUnknown(notification_id=command.notification_id)
    if not people.may_acknowledge(command.policy, known, command.agent):
        raise errors.CommandForbidden(notification_id=known.id)
    if not known.waits_for_a_person:
        return []
    return [_acknowledged(command, known.id, command.agent, 0, "command")]


def _escalate(state: Notifications, command: commands.Escalate) -> list[events.NotificationEvent]:
    known = state.by_id.get(command.notification_id)
    if known is None or not known.waits_for_a_person or known.escalated_to is not None:
        return []
    to = people.escalates_to(command.policy, known.recipient, command.there)
    escalated = events.NotificationEscalatedOpen(notification_id=known.id, to=to)
    return [_event(events.NotificationEscalated, command, escalated, f"{known.id}/escalated")]


def _acknowledged(
    command: commands.AnyCommand,
    known_as: events.NotificationId,
    by: events.AgentId,
    k: int,
    through: Any = "acceptance",
) -> events.NotificationAcknowledged:
    seen = events.NotificationAcknowledgedOpen(notification_id=known_as, by=by, through=through)
    return _event(events.NotificationAcknowledged, command, seen, command.cause, k)


def _event(
    kind: type[E], command: commands.AnyCommand, open_part: events.Part, scope: str, k: int = 0
) -> E:
    """Return an event of the conversation's notifications; its id is the k-th of `scope`."""
    aggregate = aggregates.NOTIFICATION.of(command.conversation)
    event_id = ids.decision_event_id(command.tenant, aggregate, scope, k)
    return events.make(kind, command.origin, event_id, aggregate, open_part)
