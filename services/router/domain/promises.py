"""What is promised to the customer."""

from datetime import timedelta

from services.router.domain.decision import Decision, goes_on
from shared import commands, errors, events
from shared.packet import check_text

PROMISE_LONGEST = timedelta(days=3_660)
"""Ten years: nobody keeps a promise of today after them."""


def make_promise(decision: Decision, command: commands.MakePromise) -> None:
    """Somebody promises something by a time. Raises: PromiseDueInvalid, TextTooLong, TextHasNul."""
    if not timedelta(0) < command.due - command.issued_at <= PROMISE_LONGEST:
        raise errors.PromiseDueInvalid()
    decision.on_conversation(
        events.PromiseMade,
        events.PromiseMadeOpen(
            promise_id=events.PromiseId(decision.new_id("promise")),
            agent=decision.by,
            due=command.due,
        ),
        events.PromiseMadePersonal(text=check_text(command.text)),
    )


def keep_promise(decision: Decision, command: commands.KeepPromise) -> None:
    """The promise was kept; once is enough. Raises: PromiseNotOpen."""
    promise_id = command.promise_id
    promise = decision.conversation.matter.promises.get(promise_id)
    if promise is None:
        raise errors.PromiseNotOpen(promise_id=promise_id, **goes_on(decision.conversation))
    if promise.kept is not None:
        return
    late = decision.origin.recorded > promise.due
    decision.on_conversation(
        events.PromiseKept,
        events.PromiseKeptOpen(promise_id=promise_id, agent=decision.by, late=late),
    )
