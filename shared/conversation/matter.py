"""How facts, promises, callbacks and messages to the customer change a conversation."""

from __future__ import annotations

from msgspec.structs import replace

from shared import events
from shared.conversation.contacts import ERASED, did, say
from shared.conversation.ownership import hop_closed, owned
from shared.conversation.state import Callback, Conversation, Outbound, Promise, StatedFact
from shared.events.packet import Done


def fact_stated(it: Conversation, sequence: int, event: events.FactStated) -> Conversation:
    opened = event.open
    fact = StatedFact(
        fact_id=opened.fact_id,
        name=opened.name,
        value=event.personal.value if event.personal else ERASED,
        origin=opened.origin,
        channel=opened.channel,
        contact_id=opened.contact_id,
        told_to=opened.told_to,
        said=event.occurred,
        sequence=sequence,
        told_at_handover=it.handovers,
    )
    return replace(it, facts={**it.facts, fact.fact_id: fact})


def fact_repeated(it: Conversation, event: events.FactRepeated) -> Conversation:
    fact = it.facts.get(event.open.fact_id)
    if fact is None:
        return it
    again = replace(fact, repeated=fact.repeated + 1, told_at_handover=it.handovers)
    return replace(it, facts={**it.facts, fact.fact_id: again}, repeats=it.repeats + 1)


def fact_corrected(it: Conversation, event: events.FactCorrected) -> Conversation:
    fact = it.facts.get(event.open.fact_id)
    if fact is None:
        return it
    value = event.personal.value if event.personal else ERASED
    mended = replace(fact, value=value, corrected=True, told_at_handover=it.handovers)
    return replace(it, facts={**it.facts, fact.fact_id: mended})


def promise_made(it: Conversation, event: events.PromiseMade) -> Conversation:
    promise = Promise(
        promise_id=event.open.promise_id,
        text=event.personal.text if event.personal else ERASED,
        by=event.open.agent,
        made=event.recorded,
        due=event.open.due,
    )
    return replace(it, promises={**it.promises, promise.promise_id: promise})


def promise_kept(it: Conversation, event: events.PromiseKept) -> Conversation:
    promise = it.promises.get(event.open.promise_id)
    if promise is None:
        return it
    it = did(
        it, Done(what="promise_kept", by=event.open.agent, at=event.recorded, text=promise.text)
    )
    return replace(
        it, promises={**it.promises, promise.promise_id: replace(promise, kept=event.recorded)}
    )


def callback_changed(
    it: Conversation,
    event: events.CallbackRequested
    | events.CallbackAttempted
    | events.CallbackReached
    | events.CallbackClosed,
) -> Conversation:
    key = event.open.callback_id
    if isinstance(event, events.CallbackRequested):
        opened = event.open
        owed = Callback(
            callback_id=key,
            contact_id=opened.contact_id,
            queue=opened.queue,
            due=opened.due,
            reason=opened.reason,
        )
        it = replace(it, callbacks={**it.callbacks, key: owed})
        if it.owner is not None:
            return it
        return replace(
            it,
            queue=it.queue or opened.queue,
            first_queue=it.first_queue or opened.queue,
        )
    callback = it.callbacks.get(key)
    if callback is None:
        return it
    if isinstance(event, events.CallbackAttempted):
        tried = replace(callback, attempts=event.open.attempt)
        return replace(it, callbacks={**it.callbacks, key: tried})
    status, what = (
        ("reached", "called_back")
        if isinstance(event, events.CallbackReached)
        else ("closed", "callback_closed")
    )
    ended = replace(callback, status=status)
    it = replace(it, callbacks={**it.callbacks, key: ended})
    it = did(it, Done(what=what, by=event.open.agent, at=event.recorded, text=None))
    if not isinstance(event, events.CallbackReached):
        return it
    if it.transfer is not None:
        it = hop_closed(it, "superseded")
    return owned(it, event.open.agent, event.recorded)


def message_requested(it: Conversation, event: events.MessageRequested) -> Conversation:
    text = event.personal.text if event.personal else ERASED
    it = say(it, event.recorded, f"agent-{event.open.agent}", event.open.channel, text)
    out = Outbound(message_id=event.open.message_id, channel=event.open.channel)
    return replace(it, outbound={**it.outbound, out.message_id: out}, unanswered=0)


def message_outcome(
    it: Conversation, event: events.MessageSent | events.MessageFailed | events.MessageUncertain
) -> Conversation:
    out = it.outbound.get(event.open.message_id)
    if out is None:
        return it
    known = replace(out, status=event.type.partition(".")[2])
    return replace(it, outbound={**it.outbound, out.message_id: known})
