"""Whoever hung up is called back: a call that nobody took becomes a call that is owed."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.router.domain.decision import Decision
from services.router.domain.needs import pressed_rule, queued
from services.router.domain.offers import release
from services.router.domain.pool import known_queue
from shared import calendars, events, ids
from shared.conversation import Contact, Conversation
from shared.customer import Customer

SPOKEN_TO = "accepted"
"""How a hop ended whose receiver took the matter."""
REQUESTED: events.LostReason = "requested"
"""Why a call is owed to whoever asked for it rather than wait."""


def note_lost_call(decision: Decision, event: events.CallEnded | events.CallLost) -> None:
    """The call is over. If no agent had the call, decide that the call was lost and a callback is owed.

    Repeated tries of one person share one open callback. Where no number of hers is known none can be owed: the
    contact waits in its queue, so that somebody looks at it once.
    """
    conversation = decision.conversation
    contact = conversation.contacts.by_id.get(event.open.contact_id)
    if contact is None or contact.status != "waiting":
        return
    queue = contact.queue or conversation.ownership.queue or _queue_of(decision, event)
    owed, reachable = conversation.matter.owed, _has_number(contact, decision.customer)
    callback_id = owed.callback_id if owed else _callback_id(decision, contact)
    offer = conversation.ownership.offer
    offered_to = offer.agent if offer and offer.contact_id == contact.contact_id else None
    if not reachable and owed is None:
        _show(decision, event, contact, queue)
    reason = _reason(decision, contact, queue, event)
    missed = isinstance(event, events.CallMissed | events.CallVoicemailLeft)
    decision.on_conversation(
        events.ContactMissed if missed else events.ContactAbandoned,
        events.ContactLostOpen(
            contact_id=contact.contact_id,
            callback_id=callback_id,
            queue=queue,
            reason=reason,
            unreachable=not reachable and owed is None,
        ),
    )
    if offered_to is not None:
        release(decision, offered_to, "abandoned")
    if owed is None and reachable:
        _owe(decision, callback_id, contact.contact_id, queue, reason)


def note_callback_wanted(decision: Decision, event: events.InboundEvent) -> None:
    """She presses that she would rather be called back: the call is owed from when she began to wait.

    Whoever is owed one already has her place, and of whom no number is known she waits on. While she is on the line
    somebody may still take her.
    """
    pressed, conversation = pressed_rule(decision, event), decision.conversation
    contact = conversation.contacts.by_id.get(event.open.contact_id)
    if pressed is None or not pressed.callback or contact is None or conversation.matter.owed:
        return
    waits = contact.live and contact.status == "waiting"
    if waits and _has_number(contact, decision.customer):
        queue = conversation.ownership.queue or contact.queue or _queue_of(decision, event)
        callback_id, since = _callback_id(decision, contact), contact.started
        _owe(decision, callback_id, contact.contact_id, queue, REQUESTED, since)


def note_number(decision: Decision, event: events.InboundEvent) -> None:
    """A lost call of which no number was known, and this report tells it: now a call is owed to her."""
    contact_id, conversation = event.open.contact_id, decision.conversation
    before = decision.loaded.conversation.contacts.by_id.get(contact_id)
    contact = conversation.contacts.by_id.get(contact_id)
    if before is None or contact is None or contact.status != "lost" or conversation.resolved:
        return
    known_before = _has_number(before, decision.loaded.customer)
    if known_before or not _has_number(contact, decision.customer) or conversation.matter.owed:
        return
    queue = contact.queue or conversation.ownership.queue or _queue_of(decision, event)
    reason = _reason(decision, contact, queue, event)
    _owe(decision, _callback_id(decision, contact), contact_id, queue, reason)


def _has_number(contact: Contact, customer: Customer) -> bool:
    """Tell whether there is a number to call: the call's own, or one of the customer."""
    kinds = {each.kind for each in contact.handles} | {each.kind for each in customer.handles}
    return "phone" in kinds


def _callback_id(decision: Decision, contact: Contact) -> events.CallbackId:
    """Return the id of the call that is owed for a contact, whichever report of it says that it is."""
    conversation_id = decision.conversation.id or ""
    named = ids.scoped_id(decision.origin.tenant, conversation_id, contact.contact_id, "callback")
    return events.CallbackId(named)


def _show(decision: Decision, event: events.InboundEvent, contact: Contact, queue: str) -> None:
    """A contact that nobody can call back, and nobody has been told of, stands in its queue; nobody is on the line."""
    ownership = decision.conversation.ownership
    if contact.queue is None and ownership.owner is None and ownership.transfer is None:
        waits = queued(decision, event, known_queue(decision.policy, queue), "lost.unreachable")
        decision.on_conversation(events.ContactQueued, replace(waits, exceeds=None))


def _reason(
    decision: Decision, contact: Contact, queue: str, event: events.InboundEvent
) -> events.LostReason:
    owed = decision.conversation.matter.owed
    if owed and (owed.contact_id, owed.reason) == (contact.contact_id, REQUESTED):
        return REQUESTED
    if isinstance(event, events.CallVoicemailLeft):
        return "voicemail"
    if _was_handed_on(decision.conversation, contact):
        return "transfer_failed"
    if not calendars.is_open(decision.policy.hours(queue, contact.medium), contact.started):
        return "after_hours"
    return "missed" if isinstance(event, events.CallMissed) else "abandoned"


def _was_handed_on(conversation: Conversation, contact: Contact) -> bool:
    """Tell whether an agent had the call and handed it on to somebody who did not take it."""
    last = next(reversed(conversation.ownership.hops), None)
    return last is not None and last.requested >= contact.started and last.outcome != SPOKEN_TO


def _owe(
    decision: Decision,
    callback_id: events.CallbackId,
    contact_id: events.ContactId,
    queue: str,
    reason: events.LostReason,
    since: datetime | None = None,
) -> None:
    """`since`: from when on the time of the call counts, where it is not now."""
    seconds = decision.policy.times.callback_seconds
    decision.on_conversation(
        events.CallbackRequested,
        events.CallbackRequestedOpen(
            callback_id=callback_id,
            contact_id=contact_id,
            queue=queue,
            due=next_call_due(decision, queue, seconds, since),
            reason=reason,
            policy_version=decision.origin.policy_version,
            since=since,
        ),
    )


def next_call_due(
    decision: Decision, queue: str, seconds: float, since: datetime | None = None
) -> datetime:
    """Return until when a call is owed, from now on or `since`: so much time in which the queue takes calls."""
    hours = decision.policy.hours(queue, "call")
    return calendars.after_open(
        hours, since or decision.origin.recorded, timedelta(seconds=seconds)
    )


def _queue_of(decision: Decision, event: events.InboundEvent) -> str:
    account = decision.policy.account(event.open.channel, event.open.account)
    return account.queue if account else next(iter(decision.policy.queues))
