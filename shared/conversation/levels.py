"""The clocks of a conversation: what the customer waits for, since when, and until when it is to come."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from shared import events
from shared.conversation.contacts import Contacts
from shared.service_levels import Pause

NOT_SHOWN = (
    events.SlaStarted,
    events.SlaPaused,
    events.SlaResumed,
    events.SlaWarned,
    events.SlaMet,
    events.SlaBreached,
)
"""They change nothing that a packet shows: it shows since when the customer waits."""


class Clock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A wait that is measured, see `sla.started`.

    `warned`, `breached`: it was said already; `answered`: when what it waits for came; `pauses`: of a resolution, while
    the matter waits for the customer.
    """

    clock_id: events.ClockId
    target: events.SlaTarget
    contact_id: events.ContactId
    queue: str
    since: datetime
    seconds: float
    warn_seconds: float
    warns: datetime
    due: datetime
    rule: str
    policy_version: str
    calendar: str | None = None
    warned: bool = False
    breached: bool = False
    answered: datetime | None = None
    pauses: tuple[Pause, ...] = ()

    @property
    def paused(self) -> bool:
        return bool(self.pauses) and self.pauses[-1].until is None

    @property
    def late(self) -> bool:
        """The time was over before what it waits for came, or before anybody knew of it."""
        return self.breached or (self.answered is not None and self.answered >= self.due)


class ServiceLevels(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """The clocks that run, one of each kind: the customer waits for one answer, since what she said first without one.

    `response`: of the first or the next answer; `resolution`: of the end of the matter; `answered`: a person has
    answered her at all; `written`: when one did so in writing last.
    """

    response: Clock | None = None
    resolution: Clock | None = None
    answered: bool = False
    written: datetime | None = None

    def running(self, clock_id: str) -> Clock | None:
        """Return the clock with this id, if it runs."""
        clocks = (self.response, self.resolution)
        return next((each for each in clocks if each and each.clock_id == clock_id), None)


def answers(event: events.AnyEvent, contacts: Contacts) -> bool:
    """Tell whether a person of ours answers the customer by this. `contacts`: after it.

    A written answer, here or by the provider's own program; talk: a call that is there when an agent accepts, an owed
    call that reaches her, a visit that an agent records. Neither does an automatic message, nor one that brings another
    again, nor the acceptance of what she wrote, by which an owed call may end as well.
    """
    live = {each.medium for each in contacts.by_id.values() if each.live}
    match event:
        case events.MessageRequested():
            return event.open.agent is not None and not event.open.instead_of
        case events.MessageEchoed():
            return not (event.imported or event.open.automatic)
        case events.ContactAccepted() | events.TransferAccepted():
            return "call" in live
        case events.MessageReceived():
            return event.open.medium == "visit"
        case events.CallbackReached():
            return "call" in live or "chat" not in live
        case _:
            return False


def evolve(levels: ServiceLevels, event: events.AnyEvent, contacts: Contacts) -> ServiceLevels:
    """Return the clocks after one event; `contacts`: after it."""
    match event:
        case events.SlaStarted():
            return _started(levels, event)
        case events.SlaWarned():
            return _with(levels, event, warned=True)
        case events.SlaBreached():
            return (
                _without(levels, event)
                if event.open.answered
                else _with(levels, event, breached=True)
            )
        case events.SlaMet():
            return _without(levels, event)
        case events.SlaPaused():
            return _paused(levels, event)
        case events.SlaResumed():
            return _resumed(levels, event)
        case events.ConversationResolved() | events.ConversationAbsorbed():
            return replace(levels, response=None, resolution=None)
        case events.ConversationMerged():
            return _merged(levels, event.open)
        case _:
            return _answered(levels, event) if answers(event, contacts) else levels


def _started(levels: ServiceLevels, event: events.SlaStarted) -> ServiceLevels:
    opened = event.open
    clock = Clock(
        clock_id=opened.clock_id,
        target=opened.target,
        contact_id=opened.contact_id,
        queue=opened.queue,
        since=opened.since,
        seconds=opened.seconds,
        warn_seconds=opened.warn_seconds,
        warns=opened.warns,
        due=opened.due,
        rule=opened.rule,
        policy_version=opened.policy_version,
        calendar=opened.calendar,
    )
    return replace(levels, **{_place(opened.target): clock})


def _answered(levels: ServiceLevels, event: events.AnyEvent) -> ServiceLevels:
    """Return the clocks after an answer: what was breached is over by it, of the rest it is said whether it was met."""
    clock = levels.response
    if clock is not None:
        clock = None if clock.breached else replace(clock, answered=event.recorded)
    in_writing = isinstance(event, events.MessageRequested | events.MessageEchoed)
    written = event.recorded if in_writing else levels.written
    return replace(levels, answered=True, written=written, response=clock)


def _merged(levels: ServiceLevels, came: events.ConversationMergedOpen) -> ServiceLevels:
    """Return the clocks with what she was answered where this matter was before."""
    written = max(filter(None, (levels.written, came.written)), default=None)
    return replace(levels, answered=levels.answered or came.answered, written=written)


def _paused(levels: ServiceLevels, event: events.SlaPaused) -> ServiceLevels:
    known = levels.running(event.open.clock_id)
    pauses = (*known.pauses, Pause(since=event.recorded)) if known else ()
    return _with(levels, event, pauses=pauses)


def _resumed(levels: ServiceLevels, event: events.SlaResumed) -> ServiceLevels:
    known = levels.running(event.open.clock_id)
    if known is None or not known.paused:
        return levels
    pauses = (*known.pauses[:-1], replace(known.pauses[-1], until=event.recorded))
    warns = event.open.warns or known.warns
    return _with(levels, event, pauses=pauses, due=event.open.due, warns=warns)


def _with(levels: ServiceLevels, event: events.SlaEvent, **changes: Any) -> ServiceLevels:
    clock = levels.running(event.open.clock_id)
    if clock is None:
        return levels
    return replace(levels, **{_place(clock.target): replace(clock, **changes)})


def _without(levels: ServiceLevels, event: events.SlaEvent) -> ServiceLevels:
    clock = levels.running(event.open.clock_id)
    return levels if clock is None else replace(levels, **{_place(clock.target): None})


def _place(target: events.SlaTarget) -> str:
    return "resolution" if target == "resolution" else "response"
