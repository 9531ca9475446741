"""How long the customer waits for an answer, and for the end of her matter, against what the policy allows.

Which clock runs when, and what counts as an answer, is written down in docs/adr/0087.
"""

from datetime import datetime

from services.router.domain.decision import Decision
from services.router.domain.offers import time_is_up
from services.router.domain.pool import known_queue
from services.router.domain.presence import home_queue, owner_on_duty
from shared import events
from shared.calendars import Calendar
from shared.conversation import Clock, Contact, Conversation, answers
from shared.policy import Policy, Wait
from shared.service_levels import Pause, deadline

MEASURED: frozenset[events.Medium] = frozenset({"call", "chat", "mail", "message", "form"})
"""Media whose answers come by here: who stands at the counter is being answered, and a letter's goes by post."""


def note_wait(decision: Decision, event: events.InboundEvent) -> None:
    """She wants an answer: its clock starts, unless she waits for one already, and that of her matter goes on."""
    if event.open.medium not in MEASURED or event.open.automatic:
        return
    contact = decision.conversation.contacts.by_id[event.open.contact_id]
    _note_wait(decision, contact, min(event.recorded, decision.origin.recorded))


def note_wait_again(decision: Decision, contact: Contact) -> None:
    """An agent talked with her, and lets go: she wants the next one."""
    _note_wait(decision, contact, decision.origin.recorded)


def _note_wait(decision: Decision, contact: Contact, since: datetime) -> None:
    levels = decision.conversation.levels
    if levels.response is None:
        target: events.SlaTarget = "next_response" if levels.answered else "first_response"
        _start(decision, contact, target, since)
    if levels.resolution is None:
        _start(decision, contact, "resolution", since)
    elif levels.resolution.paused:
        _resume(decision, levels.resolution)


def note_answer(decision: Decision) -> None:
    """What was decided may answer her: then it is said whether in time, and her matter waits for her."""
    levels = decision.conversation.levels
    if levels.response is not None and levels.response.answered is not None:
        _end(decision, levels.response, late=levels.response.late)
    clock = levels.resolution
    if clock is None or clock.breached or clock.paused:
        return
    if any(answers(event, decision.conversation.contacts) for event in decision.events):
        paused = events.SlaPausedOpen(clock_id=clock.clock_id, target=clock.target)
        decision.on_conversation(events.SlaPaused, paused)


def note_resolution(decision: Decision) -> None:
    """Her matter is about to be resolved. An answer that she still waits for comes no more, in time or not."""
    clock = decision.conversation.levels.resolution
    if clock is not None and not clock.breached:
        late = not clock.paused and decision.origin.recorded >= clock.due
        _end(decision, clock, late=late)


def note_reopening(decision: Decision) -> None:
    """Her matter goes on, and has its time anew; of what she waits for nothing is known until she says so."""
    last = decision.conversation.contacts.last
    if last is not None and last.medium in MEASURED:
        _start(decision, last, "resolution", decision.origin.recorded)


def keep_waiting(decision: Decision, merged: Conversation) -> None:
    """She waited in a conversation that goes on in this one: she still does, and has waited as long."""
    clock, here = merged.levels.response, decision.conversation.levels.response
    if clock is None or clock.breached or (here is not None and here.due <= clock.due):
        return
    decision.on_conversation(
        events.SlaStarted,
        events.SlaStartedOpen(
            clock_id=clock.clock_id,
            target=clock.target,
            contact_id=clock.contact_id,
            queue=clock.queue,
            since=clock.since,
            seconds=clock.seconds,
            warn_seconds=clock.warn_seconds,
            warns=clock.warns,
            due=clock.due,
            rule=clock.rule,
            policy_version=clock.policy_version,
            calendar=clock.calendar,
        ),
    )


# -- time passes ----------------------------------------------------------------------------------------


def warn(decision: Decision, asked: str) -> None:
    """The timer asks: does she wait still, and is most of the time over? Whoever can still answer is told."""
    clock = decision.conversation.levels.running(asked)
    if clock is None or clock.warned or clock.breached or clock.paused:
        return
    if time_is_up(decision, clock.warns):
        owner = owner_on_duty(decision)
        to = f"queue-{_queue(decision)}" if owner is None else f"agent-{owner}"
        decision.on_conversation(
            events.SlaWarned,
            events.SlaWarnedOpen(
                clock_id=clock.clock_id, target=clock.target, due=clock.due, to=to
            ),
        )


def breach(decision: Decision, asked: str) -> None:
    """The timer asks: does she wait still, and is the time over?"""
    clock = decision.conversation.levels.running(asked)
    if clock is None or clock.breached or clock.paused or clock.answered is not None:
        return
    if time_is_up(decision, clock.due):
        decision.on_conversation(events.SlaBreached, _breached(decision, clock, answered=False))


# -- how it is written down -------------------------------------------------------------------------------


def _start(decision: Decision, contact: Contact, target: events.SlaTarget, since: datetime) -> None:
    policy, medium, queue = decision.policy, contact.medium, _queue(decision)
    found = policy.service_level(wait_for(decision, target, queue, medium))
    if found is None:
        return
    level, seconds = found
    hours = policy.hours(queue, medium)
    warn_seconds = seconds * level.warn_percent / 100
    decision.on_conversation(
        events.SlaStarted,
        events.SlaStartedOpen(
            clock_id=events.ClockId(decision.new_id("sla", target)),
            target=target,
            contact_id=contact.contact_id,
            queue=queue,
            since=since,
            seconds=seconds,
            warn_seconds=warn_seconds,
            warns=deadline(hours, since, warn_seconds),
            due=deadline(hours, since, seconds),
            rule=f"service_level.{level.name}",
            policy_version=decision.origin.policy_version,
            calendar=policy.calendar_of(queue, medium),
        ),
    )


def wait_for(
    decision: Decision, target: events.SlaTarget, queue: str | None, medium: events.Medium
) -> Wait:
    """Return who waits for what."""
    ownership = decision.conversation.ownership
    return Wait(
        target=target,
        medium=medium,
        queue=queue,
        teams=decision.policy.teams_at(queue, ownership.owner),
        priority=ownership.needs.priority.keys(),
    )


def _resume(decision: Decision, clock: Clock) -> None:
    hours = _hours(decision.policy, decision.conversation, clock)
    *over, last = clock.pauses
    pauses = (*over, Pause(since=last.since, until=decision.origin.recorded))
    warns = deadline(hours, clock.since, clock.warn_seconds, pauses)
    decision.on_conversation(
        events.SlaResumed,
        events.SlaResumedOpen(
            clock_id=clock.clock_id,
            target=clock.target,
            due=deadline(hours, clock.since, clock.seconds, pauses),
            warns=None if clock.warned else warns,
        ),
    )


def _end(decision: Decision, clock: Clock, *, late: bool) -> None:
    if late:
        decision.on_conversation(events.SlaBreached, _breached(decision, clock, answered=True))
    else:
        met = events.SlaMetOpen(
            clock_id=clock.clock_id, target=clock.target, due=clock.due, warned=clock.warned
        )
        decision.on_conversation(events.SlaMet, met)


def _breached(decision: Decision, clock: Clock, *, answered: bool) -> events.SlaBreachedOpen:
    return events.SlaBreachedOpen(
        clock_id=clock.clock_id,
        target=clock.target,
        due=clock.due,
        queue=_queue(decision),
        answered=answered,
        warned=clock.warned,
    )


def _queue(decision: Decision) -> str:
    """Return the queue in which she waits, or whose matter it is."""
    queue = decision.conversation.ownership.queue
    return home_queue(decision) if queue is None else known_queue(decision.policy, queue)


def _hours(policy: Policy, conversation: Conversation, clock: Clock) -> Calendar:
    """Return the hours that a clock goes by: those it started with, as they are now, while the policy has them."""
    if clock.calendar is not None and clock.calendar in policy.calendars:
        return policy.calendars[clock.calendar]
    contact = conversation.contacts.by_id.get(clock.contact_id)
    return policy.hours(clock.queue, contact.medium if contact else None)
