"""What is promised to the customer: made, kept, given another time, withdrawn or broken."""

from datetime import datetime, timedelta

from services.router.domain.decision import Decision, goes_on
from services.router.domain.presence import home_queue
from shared import commands, errors, events
from shared.conversation import Promise
from shared.packet import check_text

PROMISE_LONGEST = timedelta(days=3_660)
"""Ten years: nobody keeps a promise of today after them."""


def make_promise(decision: Decision, command: commands.MakePromise) -> None:
    """Somebody promises something by a time. Raises: PromiseDueInvalid, TextTooLong, TextHasNul."""
    _check_due(command)
    decision.on_conversation(
        events.PromiseMade,
        events.PromiseMadeOpen(
            promise_id=events.PromiseId(decision.new_id("promise")),
            agent=decision.by,
            due=command.due,
            due_soon=_due_soon(decision, command.due),
            queue=home_queue(decision),
        ),
        events.PromiseMadePersonal(text=check_text(command.text)),
    )


def keep_promise(decision: Decision, command: commands.KeepPromise) -> None:
    """The promise was kept; once is enough. Raises: PromiseNotOpen."""
    promise = _known(decision, command.promise_id)
    if promise.kept is not None:
        return
    _check_open(decision, promise)
    decision.on_conversation(
        events.PromiseKept,
        events.PromiseKeptOpen(
            promise_id=promise.promise_id,
            agent=decision.by,
            late=_is_over(decision, promise),
            moved=promise.moved,
        ),
    )


def renegotiate_promise(decision: Decision, command: commands.RenegotiatePromise) -> None:
    """The customer agreed to another time; to the one that holds already: decide nothing.

    Raises: PromiseNotOpen, PromiseDueInvalid, TextTooLong, TextHasNul.
    """
    promise = _known(decision, command.promise_id)
    _check_open(decision, promise)
    if command.due == promise.due:
        return
    _check_due(command)
    decision.on_conversation(
        events.PromiseRenegotiated,
        events.PromiseRenegotiatedOpen(
            promise_id=promise.promise_id,
            agent=decision.by,
            due=command.due,
            before=promise.due,
            late=_is_over(decision, promise),
            moved=promise.moved + 1,
            due_soon=_due_soon(decision, command.due),
        ),
        events.PromiseReason(reason=check_text(command.reason)),
    )


def withdraw_promise(decision: Decision, command: commands.WithdrawPromise) -> None:
    """Nobody is to keep it any more; once is enough. One that was missed is broken by that, and its supervisor told.

    Raises: PromiseNotOpen, TextTooLong, TextHasNul.
    """
    promise = _known(decision, command.promise_id)
    if promise.end is not None:
        return
    _check_open(decision, promise)
    reason = events.PromiseReason(reason=check_text(command.reason))
    if promise.missed or _is_over(decision, promise):
        broken = events.PromiseBrokenOpen(
            promise_id=promise.promise_id,
            agent=decision.by,
            promiser=promise.by,
            due=promise.due,
            to=_supervisor(decision),
            moved=promise.moved,
        )
        decision.on_conversation(events.PromiseBroken, broken, reason)
        return
    withdrawn = events.PromiseWithdrawnOpen(
        promise_id=promise.promise_id, agent=decision.by, moved=promise.moved
    )
    decision.on_conversation(events.PromiseWithdrawn, withdrawn, reason)


def going_on(promise: Promise) -> events.PromiseMadeOpen:
    """Return an open promise as it goes on in another conversation; whoever was reminded of it is not once more."""
    return events.PromiseMadeOpen(
        promise_id=promise.promise_id,
        agent=promise.by,
        due=promise.due,
        made=promise.made,
        due_soon=None if promise.reminded else promise.due_soon,
        queue=promise.queue,
        first_due=promise.first_due,
        moved=promise.moved,
        missed=promise.missed,
    )


def _known(decision: Decision, promise_id: events.PromiseId) -> Promise:
    """Raises: PromiseNotOpen."""
    promise = decision.conversation.matter.promises.get(promise_id)
    if promise is None:
        raise errors.PromiseNotOpen(promise_id=promise_id, **goes_on(decision.conversation))
    return promise


def _check_open(decision: Decision, promise: Promise) -> None:
    """Raises: PromiseNotOpen."""
    if not promise.is_open:
        raise errors.PromiseNotOpen(promise_id=promise.promise_id, **goes_on(decision.conversation))


def _check_due(command: commands.MakePromise | commands.RenegotiatePromise) -> None:
    """Raises: PromiseDueInvalid."""
    if not timedelta(0) < command.due - command.issued_at <= PROMISE_LONGEST:
        raise errors.PromiseDueInvalid()


def _is_over(decision: Decision, promise: Promise) -> bool:
    return decision.origin.recorded > promise.due


def _due_soon(decision: Decision, due: datetime) -> datetime | None:
    """Return when whoever holds the matter is reminded; `None` for a promise that is no longer than that."""
    remind = due - timedelta(seconds=decision.policy.times.promise_due_soon_seconds)
    return remind if remind > decision.origin.recorded else None


def _supervisor(decision: Decision) -> str:
    """Return who is told of a broken promise: who supervises the matter's queue, else the queue."""
    name = home_queue(decision)
    queue = decision.policy.queues.get(name)
    if queue is None or queue.supervisor is None:
        return f"queue-{name}"
    return f"agent-{queue.supervisor}"
