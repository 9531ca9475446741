"""Maps events of a conversation to notifications: an event may call for some, or acknowledge some."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.notify.domain.commands import (
    Answer,
    Attend,
    TellOwner,
    TellRequest,
    Withdraw,
    origin,
)
from shared import events
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.policy import Policy

DEPEND_ON_BEFORE = (
    events.ContactQueued,
    events.ContactAccepted,
    events.TransferAccepted,
    events.ConversationAssigned,
    events.CallbackReached,
    events.CallbackAttempted,
    events.CallbackClosed,
    events.MessageRequested,
    events.TransferRequested,
    events.TransferRejected,
    events.TransferExpired,
    events.ConversationResolved,
    events.ConversationSnoozed,
    events.ConversationMerged,
    events.MessageFailed,
    events.MessageUncertain,
    events.CallResumed,
)
"""What these mean depends on how the conversation stood before them."""

OF_NO_CONVERSATION = (events.PayloadQuarantined, events.LaneDelayed)
"""What concerns an account or a lane, and somebody is told of."""

OF_PROMISE: Mapping[type[events.AnyEvent], events.NotificationReason] = {
    events.PromiseDueSoon: "due_soon",
    events.PromiseOverdue: "overdue",
    events.PromiseBroken: "promise_broken",
}
"""Why somebody is told of a promise."""

Late = events.EscalationOverdue | events.CallbackOverdue | events.CallbackEscalated
OnOccasion = TellRequest | TellOwner | Attend | Answer | Withdraw


@dataclass(frozen=True, slots=True)
class EarlierState:
    """A conversation just before one of its events, and the ids of its events until then.

    `there`: those of `expected_back` who are at work now.
    """

    conversation: Conversation = NEW_CONVERSATION
    events: frozenset[str] = frozenset()
    there: frozenset[str] = frozenset()


NOTHING_BEFORE = EarlierState()


def command_on(
    event: events.AnyEvent, before: EarlierState, now: datetime, policy: Callable[[], Policy]
) -> OnOccasion | None:
    """Return what an event of a conversation, an account or a lane makes notify decide; `None` for most.

    `before`: how things stood; NOTHING_BEFORE will do for what is not of DEPEND_ON_BEFORE.
    `policy`: the tenant's; asked only when somebody is to be told.
    """
    match event:
        case (
            events.ContactAccepted()
            | events.TransferAccepted()
            | events.CallbackReached()
            | events.ConversationAssigned()
        ):
            return _tell_owner(event, event.open.agent, before, now, policy())
        case events.ConversationMerged() if event.open.owner is not None:
            return _tell_owner(event, event.open.owner, before, now, policy())
        case events.ConversationAbsorbed():
            return Withdraw(**origin(event, now), into=event.open.into)
        case events.ContactWrappedUp():
            of_contact = (event.open.contact_id, _to_owner(event.open.contact_id))
            return Attend(**origin(event, now), agent=event.open.agent, requests=of_contact)
        case events.CallbackAttempted() | events.CallbackClosed():
            key = event.open.callback_id
            known = before.conversation.matter.callbacks.get(key)
            tries = known.attempts if known else 0
            callback = (key, _overdue_call(key, tries), _unreached(key, tries))
            return Attend(**origin(event, now), agent=event.open.agent, requests=callback)
        case events.PromiseKept() | events.PromiseRenegotiated() | events.PromiseWithdrawn():
            moved = event.open.moved - isinstance(event, events.PromiseRenegotiated)
            told = _due(event.open.promise_id, moved)
            return Attend(**origin(event, now), agent=event.open.agent, requests=told)
        case events.MessageRequested() if event.open.instead_of:
            return None
        case (
            events.MessageRequested() | events.ConversationResolved() | events.ConversationSnoozed()
        ) if event.open.agent:
            return Answer(**origin(event, now), agent=event.open.agent, earlier=before.events)
        case events.TransferRequested():
            return Answer(**origin(event, now), agent=event.open.sender, earlier=before.events)
        case _:
            return (
                _dealt_with_on(event, before, now)
                or _late_on(event, before, now, policy)
                or _request_on(event, before, now, policy)
                or _wanted_on(event, now, policy)
            )


def _tell_owner(
    event: events.AnyEvent,
    owner: events.AgentId,
    before: EarlierState,
    now: datetime,
    policy: Policy,
) -> TellOwner:
    """A supervisor who gives it to somebody has seen what waited; whoever else had it is told that it is not hers.

    Whoever has it now is told that the customer holds the line: it is she who is to take her off.
    """
    given = event.open if isinstance(event, events.ConversationAssigned) else None
    return TellOwner(
        **origin(event, now),
        agent=owner,
        owned_before=before.conversation.ownership.owner,
        earlier=before.events,
        policy=policy,
        seen_by=given.by if given else None,
        taken_from=given.owner if given and given.owner != given.by else None,
        reason="left_on_hold" if _holds(before) else "owner_changed",
    )


def _wanted_on(
    event: events.AnyEvent, now: datetime, policy: Callable[[], Policy]
) -> TellRequest | None:
    """A rule of the policy says who is to look, or it was not good for the customer: then it is the supervisor."""
    reason: events.NotificationReason
    match event:
        case events.AttentionRequested():
            reason, recipient = "rule", event.open.to
        case events.FeedbackGiven() if event.open.low:
            reason, recipient = "low_feedback", _supervisor(policy(), event.open.queue)
        case events.DiscontentNoticed():
            reason, recipient = "discontent", _supervisor(policy(), event.open.queue)
        case _:
            return None
    return TellRequest(
        **origin(event, now),
        request=event.id,
        reason=reason,
        recipient=recipient,
        policy=policy(),
    )


def _unreadable(
    event: events.PayloadQuarantined, now: datetime, policy: Policy
) -> TellRequest | None:
    """Whoever takes what the account brings is told, once an hour at most, where a person's words may stand in it."""
    account = policy.accounts.get(f"{event.open.channel}/{event.open.account}")
    if account is None or not event.open.words:
        return None
    return TellRequest(
        **origin(event, now),
        request=f"unreadable/{event.recorded:%Y-%m-%dT%H}",
        reason="unreadable",
        recipient=f"queue-{account.queue}",
        policy=policy,
    )


def _overload(event: events.LaneDelayed, now: datetime, policy: Policy) -> TellRequest:
    """Whoever the policy names is told that contacts come faster than they are decided."""
    return TellRequest(
        **origin(event, now),
        request=event.id,
        reason="overload",
        recipient=f"queue-{policy.overload.tell or next(iter(policy.queues))}",
        policy=policy,
    )


def _late_on(
    event: events.AnyEvent, before: EarlierState, now: datetime, policy: Callable[[], Policy]
) -> TellRequest | None:
    """What was done, or was to be done, and did not come to its end."""
    request: str
    reason: events.NotificationReason = "overdue"
    match event:
        case events.PromiseOverdue() | events.PromiseDueSoon() | events.PromiseBroken():
            return _of_promise(event, now, policy())
        case events.EscalationOverdue() | events.CallbackOverdue() | events.CallbackEscalated():
            return _late(event, now, policy())
        case events.ContactWaitExceeded():
            if event.open.exceeds is not None:
                return None
            request, reason = event.id, "wait_exceeded"
            recipient = _supervisor(policy(), event.open.queue)
        case events.SlaWarned():
            request, reason = _warned(event.open.clock_id), "sla_warned"
            recipient = event.open.to
        case events.SlaBreached() if not event.open.answered:
            request, reason = f"{event.open.clock_id}/breached", "sla_breached"
            recipient = _supervisor(policy(), event.open.queue)
        case events.MessageFailed() | events.MessageUncertain() if _is_automatic(event, before):
            return None
        case events.MessageFailed():
            request, reason = f"{event.open.message_id}/failed", "message_failed"
            recipient = _holder(before)
        case events.MessageUncertain():
            request, reason = f"{event.open.message_id}/uncertain", "message_uncertain"
            recipient = _holder(before)
        case _:
            return None
    return TellRequest(
        **origin(event, now),
        request=request,
        reason=reason,
        recipient=recipient,
        policy=policy(),
    )


def _supervisor(policy: Policy, queue: str) -> str:
    """Return who can send somebody there; a queue without a supervisor is told itself."""
    known = policy.queues.get(queue)
    supervisor = None if known is None else known.supervisor
    return f"queue-{queue}" if supervisor is None else f"agent-{supervisor}"


def _of_promise(
    event: events.PromiseOverdue | events.PromiseDueSoon | events.PromiseBroken,
    now: datetime,
    policy: Policy,
) -> TellRequest:
    """Whoever the event names is told. Who gives a promise up has seen that its time was over."""
    promise_id, moved = event.open.promise_id, event.open.moved
    due_soon, overdue = _due(promise_id, moved)
    request, reason = overdue, OF_PROMISE[type(event)]
    gave_up = isinstance(event, events.PromiseBroken)
    if gave_up:
        request = f"{promise_id}/broken"
    elif isinstance(event, events.PromiseDueSoon):
        request = due_soon
    return TellRequest(
        **origin(event, now),
        request=request,
        reason=reason,
        recipient=event.open.to,
        policy=policy,
        by=event.open.agent if gave_up else None,
        settled=(due_soon, overdue) if gave_up else (),
    )


def _dealt_with_on(
    event: events.AnyEvent, before: EarlierState, now: datetime
) -> Attend | Answer | None:
    """An agent answered a customer of whose wait somebody was warned, or took her off hold."""
    owner = before.conversation.ownership.owner
    if isinstance(event, events.CallResumed) and owner is not None:
        seen = before.events
        return Answer(**origin(event, now), agent=owner, earlier=seen, only="left_on_hold")
    if not isinstance(event, events.SlaMet | events.SlaBreached) or not event.open.warned:
        return None
    kind, _, name = event.actor.partition(":")
    if kind != "agent":
        return None
    warned = (_warned(event.open.clock_id),)
    return Attend(**origin(event, now), agent=events.AgentId(name), requests=warned)


def _late(event: Late, now: datetime, policy: Policy) -> TellRequest:
    """A queue was told of an owed call when it was lost, or of a line: when its time is over, or all tries were in
    vain, the next one is told as well."""
    in_vain = isinstance(event, events.CallbackEscalated)
    return TellRequest(
        **origin(event, now),
        request=_overdue(event),
        reason="unreached" if in_vain else "overdue",
        recipient=event.open.to,
        at_once=event.open.to.startswith("queue-"),
        policy=policy,
    )


def _is_automatic(event: events.OutcomeEvent, before: EarlierState) -> bool:
    """Tell whether a report is of an automatic answer: a person answers all the same."""
    return event.open.message_id in before.conversation.talk.automatic


def expected_back(event: events.AnyEvent, conversation: Conversation) -> list[events.AgentId]:
    """Return who is told of what became of a message in a resolved matter, if she is there: who wrote last; else []."""
    if not conversation.resolved or not isinstance(event, events.OutcomeEvent):
        return []
    writers = [each.by for each in conversation.talk.said if each.by.startswith("agent-")]
    return [events.AgentId(by.removeprefix("agent-")) for by in writers[-1:]]


def _holder(before: EarlierState) -> str:
    """Return who has a conversation: its owner or queue; of a resolved one, who wrote last, or where it came in."""
    ownership = before.conversation.ownership
    if ownership.owner is not None:
        return f"agent-{ownership.owner}"
    there = next(iter(before.there), None)
    if ownership.queue is None and there is not None:
        return f"agent-{there}"
    return f"queue-{ownership.queue or ownership.first_queue}"


def _request_on(
    event: events.AnyEvent, before: EarlierState, now: datetime, policy: Callable[[], Policy]
) -> TellRequest | None:
    reason: events.NotificationReason = "new_request"
    match event:
        case events.PayloadQuarantined():
            return _unreadable(event, now, policy())
        case events.LaneDelayed():
            return _overload(event, now, policy())
        case events.ContactQueued():
            known = before.conversation.contacts.by_id.get(event.open.contact_id)
            taken = known is not None and known.status != "waiting"
            moved = known is not None and known.queue not in (None, event.open.queue)
            request: str = event.id if taken or moved else event.open.contact_id
            recipient = f"queue-{event.open.queue}"
        case events.ConversationJoined() if event.open.to_owner is not None:
            request, recipient = _to_owner(event.open.contact_id), f"agent-{event.open.to_owner}"
        case events.MessageUnattended():
            request, recipient = event.id, f"agent-{event.open.owner}"
        case events.ConversationWoken() | events.ConversationMerged() if event.open.to_owner:
            request, recipient = event.id, f"agent-{event.open.to_owner}"
            reason = "woken" if isinstance(event, events.ConversationWoken) else reason
        case events.CallbackRequested():
            request, recipient = event.open.callback_id, f"queue-{event.open.queue}"
        case events.TransferExpired() | events.TransferRejected() if event.open.returned_to:
            request, recipient = event.id, event.open.returned_to
            reason = "left_on_hold" if _holds(before) else reason
        case events.ConversationReturned():
            request, recipient = event.id, f"queue-{event.open.queue}"
        case _:
            return None
    return TellRequest(
        **origin(event, now), request=request, reason=reason, recipient=recipient, policy=policy()
    )


def _holds(before: EarlierState) -> bool:
    """Tell whether the customer holds the line."""
    return any(each.on_hold for each in before.conversation.contacts.by_id.values())


def _due(promise_id: events.PromiseId, moved: int) -> tuple[str, str]:
    """Return the requests that a promise is whose time is nearly over, and over: each new time is one of its own."""
    time = f"/{moved}" if moved else ""
    return f"{promise_id}/due_soon{time}", f"{promise_id}/overdue{time}"


def _overdue(event: Late) -> str:
    """Return the request that a line, or an owed call, is whose time or tries are over."""
    match event:
        case events.EscalationOverdue():
            return f"{event.open.escalation_id}/overdue"
        case events.CallbackEscalated():
            return _unreached(event.open.callback_id, event.open.attempts)
        case _:
            return _overdue_call(event.open.callback_id, event.open.attempts)


def _overdue_call(callback_id: events.CallbackId, attempts: int) -> str:
    """Return the request that an owed call is whose time is over: each try gives it a new time."""
    return f"{callback_id}/overdue/{attempts}"


def _warned(clock_id: events.ClockId) -> str:
    """Return the request that a warning is."""
    return f"{clock_id}/warned"


def _unreached(callback_id: events.CallbackId, attempts: int) -> str:
    """Return the request that an owed call is which was tried as often as it is to be."""
    return f"{callback_id}/unreached/{attempts}"


def _to_owner(contact_id: events.ContactId) -> str:
    """Return the request that a contact is to an owner; the same contact may have to wait in a queue later."""
    return f"{contact_id}/owner"
