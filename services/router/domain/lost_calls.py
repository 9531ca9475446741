"""Whoever hung up is called back: an abandoned or missed call becomes an owed callback."""

from datetime import datetime, timedelta

from services.router.domain.decision import Decision
from services.router.domain.offers import release
from shared import events


def note_lost_call(decision: Decision, event: events.CallEnded | events.CallLost) -> None:
    """The call is over. If no agent had the call, decide that the call was lost and a callback is owed.

    Repeated tries of one person share one open callback.
    """
    conversation = decision.conversation
    contact = conversation.contacts.by_id.get(event.open.contact_id)
    if contact is None or contact.status != "waiting":
        return
    queue = contact.queue or conversation.ownership.queue or _queue_of(decision, event)
    callbacks = conversation.matter.callbacks.values()
    owed = next((each for each in callbacks if each.status == "open"), None)
    callback_id = owed.callback_id if owed else events.CallbackId(decision.new_id("callback"))
    offer = conversation.ownership.offer
    offered_to = offer.agent if offer and offer.contact_id == contact.contact_id else None
    missed = isinstance(event, events.CallMissed | events.CallVoicemailLeft)
    decision.on_conversation(
        events.ContactMissed if missed else events.ContactAbandoned,
        events.ContactLostOpen(contact_id=contact.contact_id, callback_id=callback_id, queue=queue),
    )
    if offered_to is not None:
        release(decision, offered_to, "abandoned")
    if owed is None:
        _owe(decision, callback_id, contact.contact_id, queue, "missed" if missed else "abandoned")


def _owe(
    decision: Decision,
    callback_id: events.CallbackId,
    contact_id: events.ContactId,
    queue: str,
    reason: str,
) -> None:
    decision.on_conversation(
        events.CallbackRequested,
        events.CallbackRequestedOpen(
            callback_id=callback_id,
            contact_id=contact_id,
            queue=queue,
            due=next_call_due(decision),
            reason=reason,
        ),
    )


def next_call_due(decision: Decision) -> datetime:
    """Return until when a call is owed that is owed from now on."""
    return decision.origin.recorded + timedelta(seconds=decision.policy.times.callback_seconds)


def _queue_of(decision: Decision, event: events.CallEnded | events.CallLost) -> str:
    account = decision.policy.account(event.open.channel, event.open.account)
    return account.queue if account else next(iter(decision.policy.queues))
