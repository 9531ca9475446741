"""What was to happen by a time and did not: it is recorded, and somebody who is there is told."""

from services.router.domain.answered import last_answer
from services.router.domain.decision import Decision
from services.router.domain.offers import time_is_up
from services.router.domain.out_of_hours import PROMISER
from services.router.domain.pool import known_queue
from services.router.domain.presence import home_queue, on_duty, owner_on_duty
from shared import events
from shared.conversation import Conversation, Promise


def promiser(conversation: Conversation, asked: str) -> list[events.AgentId]:
    """Return who made the promise that a timer asks about; [] when it asks about none, or no person did."""
    promise = conversation.matter.promises.get(events.PromiseId(asked))
    return [] if promise is None or promise.by == PROMISER else [promise.by]


def tries(conversation: Conversation, asked: str) -> int:
    """Return how often what a timer asks about got a new time, each of which passes once: a call by a try of it, a
    promise by the customer's consent."""
    callback = conversation.matter.callbacks.get(events.CallbackId(asked))
    promise = conversation.matter.promises.get(events.PromiseId(asked))
    if promise is not None:
        return promise.moved
    return 0 if callback is None else callback.attempts


def promise_is_due_soon(decision: Decision, asked: str) -> None:
    """The timer asks: is there still time to keep this promise, and not much? What is over already is told as that."""
    promise = _to_keep(decision, asked)
    if promise is None or promise.due_soon is None or promise.reminded:
        return
    if time_is_up(decision, promise.due_soon) and not time_is_up(decision, promise.due):
        due_soon = events.PromiseDueSoonOpen(
            promise_id=promise.promise_id,
            agent=promise.by,
            due=promise.due,
            to=_holder(decision, promise),
            moved=promise.moved,
        )
        decision.on_conversation(events.PromiseDueSoon, due_soon)


def promise_is_due(decision: Decision, asked: str) -> None:
    """The timer asks: is this promise still to be kept, and its time up? A resolved matter's promise is as well."""
    promise = _to_keep(decision, asked)
    if promise is not None and time_is_up(decision, promise.due):
        overdue = events.PromiseOverdueOpen(
            promise_id=promise.promise_id,
            agent=promise.by,
            due=promise.due,
            to=_holder(decision, promise),
            moved=promise.moved,
        )
        decision.on_conversation(events.PromiseOverdue, overdue)


def _to_keep(decision: Decision, asked: str) -> Promise | None:
    """Return the promise that a timer asks about, if it is to be kept and was not told of as overdue."""
    matter, promise_id = decision.conversation.matter, events.PromiseId(asked)
    promise = matter.promises.get(promise_id)
    if promise is None or not promise.is_open or promise_id in matter.overdue:
        return None
    return promise


def _holder(decision: Decision, promise: Promise) -> str:
    """Return who is to keep a promise now: it goes where the work goes.

    The owner of the matter, else its queue; of a resolved one who promised, if she is there, else its queue.
    """
    conversation = decision.conversation
    by = promise.by if conversation.resolved else None
    return _agent(decision, by) or _queue(decision, conversation.ownership.queue)


def callback_is_due(decision: Decision, asked: str) -> None:
    """The timer asks: is this call still owed, and its time up?"""
    matter, callback_id = decision.conversation.matter, events.CallbackId(asked)
    callback = matter.callbacks.get(callback_id)
    if callback is None or callback.status != "open" or callback_id in matter.overdue:
        return
    if time_is_up(decision, callback.due):
        overdue = events.CallbackOverdueOpen(
            callback_id=callback_id,
            queue=callback.queue,
            due=callback.due,
            attempts=callback.attempts,
            to=_agent(decision, None) or _queue(decision, callback.queue),
        )
        decision.on_conversation(events.CallbackOverdue, overdue)


def escalation_is_due(decision: Decision, asked: str) -> None:
    """The timer asks: has nobody of the line answered yet, and is its time up? Who is on the phone with her answers."""
    conversation, last = decision.conversation, decision.conversation.escalation
    if last.id != asked or last.told or conversation.resolved or last.line is None:
        return
    if last.due is None or last.made is None or not time_is_up(decision, last.due):
        return
    answered = last_answer(conversation, without=last.sender)
    # Of a warm one she is with whoever could not answer it, until somebody of the line accepts.
    asks = conversation.ownership.owner == last.sender
    talks = _is_on_the_phone(conversation) and not asks
    if talks or (answered is not None and answered > last.made):
        return
    overdue = events.EscalationOverdueOpen(
        escalation_id=last.id,
        line=last.line,
        due=last.due,
        to=(None if asks else _agent(decision, None)) or _queue(decision, last.line),
    )
    decision.on_conversation(events.EscalationOverdue, overdue)


def _is_on_the_phone(conversation: Conversation) -> bool:
    contacts = conversation.contacts.by_id.values()
    calls = (each for each in contacts if each.medium == "call" and each.live)
    return any(each.status == "accepted" and not each.on_hold for each in calls)


def _agent(decision: Decision, by: events.AgentId | None) -> str | None:
    """Return the owner, else the one who promised; `None` when neither is there."""
    owner = owner_on_duty(decision)
    if owner is None and by is not None and on_duty(decision, by):
        owner = by
    return None if owner is None else f"agent-{owner}"


def _queue(decision: Decision, queue: str | None) -> str:
    return f"queue-{known_queue(decision.policy, queue or home_queue(decision))}"
