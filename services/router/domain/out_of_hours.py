"""Who writes while nobody is there is told when somebody answers, once for each time that it is closed: a promise.

An automatic answer is no answer: she waits in her queue as before, and her clock runs. The morning's queue is in the
order of what was promised, for what waits longest is first in it, and was promised the earliest time.
"""

from datetime import datetime, timedelta

from services.router.domain.automatic_answers import acting, reply_to
from services.router.domain.decision import Decision
from services.router.domain.service_levels import wait_for
from shared import calendars, events
from shared.commands import REMEMBERED
from shared.conversation import answers
from shared.packet import fit_text

RULE = "out_of_hours"
PROMISER = events.AgentId(f"rule:{RULE}")
"""Who promised, where no person did: no agent has such a name."""


def answer_out_of_hours(decision: Decision, event: events.InboundEvent) -> bool:
    """Tell whoever wrote when a person answers, and promise it, if nobody is there now; return whether she was told.

    A machine is told nothing, nor is anybody at an address that is only claimed; nor is what is decided a day late,
    which may be an old delivery that is read again. No text in the policy: nothing is said, and nothing promised.
    """
    rule, ownership = decision.policy.out_of_hours, decision.conversation.ownership
    if rule is None or ownership.owner is not None or not _is_meant(decision, event):
        return False
    calendar = decision.policy.hours(ownership.queue, event.open.medium)
    now = decision.origin.recorded
    hours = calendars.open_now(calendar, now)
    due = _answered_by(decision, event)
    if hours.opens is None or due is None or _was_told(decision, due):
        return False
    language = decision.customer.language
    text = rule.promise(language, calendar, opens=hours.opens, answer_by=due)
    message_id = events.MessageId(decision.new_id(RULE))
    with acting(decision, RULE):
        told = reply_to(decision, event, text, message_id, by=rule.by)
        if told:
            _promise(decision, text, due)
    return told


def _promise(decision: Decision, text: str, due: datetime) -> None:
    decision.on_conversation(
        events.PromiseMade,
        events.PromiseMadeOpen(
            promise_id=events.PromiseId(decision.new_id("out_of_hours", "promise")),
            agent=PROMISER,
            due=due,
            queue=decision.conversation.ownership.queue,
        ),
        events.PromiseMadePersonal(text=fit_text(text)),
    )


def keep_answer(decision: Decision) -> None:
    """A person of ours has answered her: what the rule promised is kept, in time or late."""
    owed = [
        each
        for each in decision.conversation.matter.promises.values()
        if each.by == PROMISER and each.is_open
    ]
    contacts = decision.conversation.contacts
    said = (each for each in decision.events if answers(each, contacts))
    answer = next(said, None) if owed else None
    if answer is None:
        return
    for promise in owed:
        kept = events.PromiseKeptOpen(
            promise_id=promise.promise_id,
            agent=getattr(answer.open, "agent", None) or PROMISER,
            late=decision.origin.recorded > promise.due,
            moved=promise.moved,
        )
        decision.on_conversation(events.PromiseKept, kept)


def _is_meant(decision: Decision, event: events.InboundEvent) -> bool:
    rule = decision.policy.out_of_hours
    if not isinstance(event, events.MessageReceived | events.FormSubmitted) or event.open.automatic:
        return False
    is_new = decision.origin.recorded - event.recorded < REMEMBERED
    waits = decision.conversation.ownership.queue is not None
    return rule is not None and event.open.medium in rule.media and is_new and waits


def _answered_by(decision: Decision, event: events.InboundEvent) -> datetime | None:
    """Return when a person will have answered, to the minute that is named; `None` where the policy knows no time."""
    queue, medium = decision.conversation.ownership.queue, event.open.medium
    level = decision.policy.service_level(wait_for(decision, "first_response", queue, medium))
    if level is None:
        return None
    calendar = decision.policy.hours(queue, medium)
    due = calendars.after_open(calendar, decision.origin.recorded, timedelta(seconds=level[1]))
    return due.replace(second=0, microsecond=0)


def _was_told(decision: Decision, due: datetime) -> bool:
    """Tell whether she was promised an answer by then already: this evening, kept or not, in any matter of hers.

    A machine that answers ours, and says nothing of itself, may open a matter with each of its mails.
    """
    matters = (each.matter for each in (decision.conversation, *decision.loaded.hers))
    promises = (promise for each in matters for promise in each.promises.values())
    return any(each.by == PROMISER and each.due >= due for each in promises)
