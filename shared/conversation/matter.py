"""What a conversation is about: facts, promises, callbacks, and what was done."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from shared import events
from shared.conversation import on_record, promises
from shared.conversation.promises import Promise
from shared.conversation.talk import words
from shared.events.packet import Done, Fact

DONE_KEPT = 32
SUMMARY_MAX_CHARACTERS = 160
NOT_SHOWN = (*promises.NOT_SHOWN, events.CallbackOverdue, events.CallbackEscalated)
"""They change nothing that a packet shows: it shows when each is due."""

PROMISE_DONE: Mapping[type[events.AnyEvent], str] = {
    events.PromiseKept: "promise_kept",
    events.PromiseRenegotiated: "promise_renegotiated",
    events.PromiseWithdrawn: "promise_withdrawn",
    events.PromiseBroken: "promise_broken",
}
"""What is done by what becomes of a promise, as a packet says it."""


class StatedFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact and its telling. `told_at_handover`: hand-overs of the conversation when it was last told."""

    fact_id: events.FactId
    name: str
    value: str
    origin: str
    channel: str | None
    contact_id: events.ContactId | None
    told_to: events.AgentId | None
    said: datetime
    sequence: int
    corrected: bool = False
    repeated: int = 0
    told_at_handover: int = 0


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: `open` until reached or closed for a stated reason; `reason`: why it is owed.

    `promised`: until when it was owed before anybody tried; `outcome`: of the last try; `settled`: when it was reached
    or closed, and `closed_for` why; `goes_on_as`: the call that is owed for it where the conversation goes on.
    """

    callback_id: events.CallbackId
    contact_id: events.ContactId
    queue: str
    due: datetime
    reason: str
    attempts: int = 0
    status: Literal["open", "reached", "closed"] = "open"
    promised: datetime | None = None
    outcome: str | None = None
    settled: datetime | None = None
    closed_for: str | None = None
    goes_on_as: events.CallbackId | None = None


class Matter(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What it is about.

    `summary`: the beginning of the customer's first own words, which were written at `begun`; `repeats`: facts that she
    had to tell again; `done_before`: how many older ones were dropped from `done`; `overdue`: the promises and calls
    whose time has passed while they were open, by id; `recordings`: the last one of each call.
    """

    summary: str | None = None
    begun: datetime | None = None
    facts: dict[events.FactId, StatedFact] = {}
    repeats: int = 0
    promises: dict[events.PromiseId, Promise] = {}
    callbacks: dict[events.CallbackId, Callback] = {}
    done: tuple[Done, ...] = ()
    done_before: int = 0
    overdue: tuple[str, ...] = ()
    recordings: dict[events.ContactId, events.AttachmentId] = {}

    @property
    def owed(self) -> Callback | None:
        """The call that the customer is owed; `None` without one."""
        return next((each for each in self.callbacks.values() if each.status == "open"), None)


def evolve(  # noqa: C901  the table of what concerns the matter
    matter: Matter, sequence: int, event: events.AnyEvent, handovers: int
) -> Matter:
    """Return the matter after one event; `handovers`: of the conversation when it came."""
    match event:
        case events.MessageReceived() | events.FormSubmitted() if not event.open.automatic:
            return _written(matter, event)
        case events.FactStated():
            return _with_fact(matter, _stated(sequence, event, handovers))
        case events.ConversationMerged(personal=personal) if personal is not None:
            # A new owner of both has heard all of it.
            heard = handovers + (event.open.owner is not None)
            return _merged(matter, sequence, event, personal, heard)
        case events.ConversationAbsorbed():
            return _gone_on_elsewhere(matter, event)
        case events.FactRepeated():
            return _repeated(matter, event, handovers)
        case events.FactCorrected():
            return _corrected(matter, event, handovers)
        case _ if isinstance(event, events.PromiseEvent):
            return _promised(matter, event)
        case _ if isinstance(event, events.AgreementEvent):
            return _with_done(matter, on_record.done(event))
        case events.AttachmentStored() if event.open.medium == "call":
            return _recorded(matter, event)
        case events.ConversationOpened(personal=personal) if personal is not None:
            return replace(matter, done=tuple(personal.remembered))
        case events.ConversationLinked() if event.open.customer != event.open.before:
            return _of_somebody_else(matter)
        case events.CallbackOverdue():
            return replace(matter, overdue=(*matter.overdue, event.open.callback_id))
        case events.CallbackRequested():
            return _owed(matter, event)
        case events.CallbackAttempted():
            return _tried(matter, event)
        case events.CallbackReached():
            ended = {"status": "reached", "settled": event.recorded}
            called = _with_callback(matter, event.open.callback_id, **ended)
            return _did(called, "called_back", event.open.agent, event.recorded, None)
        case events.CallbackClosed():
            why = {"closed_for": event.open.reason, "settled": event.recorded}
            closed = _with_callback(matter, event.open.callback_id, status="closed", **why)
            return _did(closed, "callback_closed", event.open.agent, event.recorded, None)
        case events.ChannelSwitched(open=opened) if opened.by is not None:
            return _did(matter, "switched", opened.by, event.recorded, opened.to_channel)
        case events.TransferCompleted(personal=personal):
            result = personal.result if personal else events.ERASED
            return _did(matter, event.open.outcome, event.open.agent, event.recorded, result)
        case events.ContactWrappedUp():
            text = event.personal.summary if event.personal else events.ERASED
            return _did(matter, "wrap_up", event.open.agent, event.recorded, text)
        case _:
            return matter


def _written(matter: Matter, event: events.MessageReceived | events.FormSubmitted) -> Matter:
    line, begun = " ".join(words(event).split())[:SUMMARY_MAX_CHARACTERS], matter.begun
    if not line or (matter.summary and (begun is None or begun <= event.happened)):
        return matter
    return replace(matter, summary=line, begun=event.happened)


def _stated(sequence: int, event: events.FactStated, handovers: int) -> StatedFact:
    opened = event.open
    return StatedFact(
        fact_id=opened.fact_id,
        name=opened.name,
        value=event.personal.value if event.personal else events.ERASED,
        origin=opened.origin,
        channel=opened.channel,
        contact_id=opened.contact_id,
        told_to=opened.told_to,
        said=event.occurred,
        sequence=sequence,
        told_at_handover=handovers,
    )


def _merged(
    matter: Matter,
    sequence: int,
    event: events.ConversationMerged,
    personal: events.ConversationMergedPersonal,
    handovers: int,
) -> Matter:
    """Return the matter with what was told and done in another conversation, in the order in which all was told."""
    came = personal.packet
    told = [_told(each, sequence, handovers) for each in (*personal.older, *came.facts)]
    facts = {each.fact_id: each for each in told} | matter.facts
    in_order = sorted(facts.values(), key=lambda each: each.said)
    new = [
        each
        for each in came.done
        if each.conversation is None
        or (each.conversation != event.conversation and each not in matter.done)
    ]
    done = tuple(sorted((*new, *matter.done), key=lambda each: each.at))
    dropped = max(0, len(done) - DONE_KEPT)
    return replace(
        matter,
        summary=matter.summary or came.why.matter,
        facts={each.fact_id: each for each in in_order},
        repeats=matter.repeats + sum(each.repeated for each in told),
        done=done[dropped:],
        done_before=matter.done_before + came.more.done + dropped,
    )


def _gone_on_elsewhere(matter: Matter, event: events.ConversationAbsorbed) -> Matter:
    """Return the matter without what is promised and owed: it is kept where the conversation goes on."""
    kept = {key: each for key, each in matter.promises.items() if not each.is_open}
    ended = {
        key: replace(each, status="closed", goes_on_as=event.open.callback_id or key)
        if each.status == "open"
        else each
        for key, each in matter.callbacks.items()
    }
    return replace(matter, promises=kept, callbacks=ended)


def _told(fact: Fact, sequence: int, handovers: int) -> StatedFact:
    return StatedFact(
        fact_id=fact.fact_id,
        name=fact.name,
        value=fact.value,
        origin=fact.origin,
        channel=fact.channel,
        contact_id=None,
        told_to=fact.told_to,
        said=fact.said,
        sequence=sequence,
        corrected=fact.corrected,
        repeated=fact.repeated,
        told_at_handover=handovers,
    )


def _with_fact(matter: Matter, fact: StatedFact) -> Matter:
    return replace(matter, facts={**matter.facts, fact.fact_id: fact})


def _repeated(matter: Matter, event: events.FactRepeated, handovers: int) -> Matter:
    fact = matter.facts.get(event.open.fact_id)
    if fact is None:
        return matter
    again = replace(fact, repeated=fact.repeated + 1, told_at_handover=handovers)
    return replace(_with_fact(matter, again), repeats=matter.repeats + 1)


def _corrected(matter: Matter, event: events.FactCorrected, handovers: int) -> Matter:
    fact = matter.facts.get(event.open.fact_id)
    if fact is None:
        return matter
    value = event.personal.value if event.personal else events.ERASED
    return _with_fact(
        matter, replace(fact, value=value, corrected=True, told_at_handover=handovers)
    )


def _promised(matter: Matter, event: events.PromiseEvent) -> Matter:
    """Return the matter after an event of a promise: one that got another time may be overdue once more."""
    key = event.open.promise_id
    changed = replace(matter, promises=promises.evolve(matter.promises, event))
    if isinstance(event, events.PromiseOverdue):
        return replace(changed, overdue=(*matter.overdue, key))
    promise, what = changed.promises.get(key), PROMISE_DONE.get(type(event))
    if promise is None or what is None:
        return changed
    if isinstance(event, events.PromiseRenegotiated):
        changed = replace(changed, overdue=tuple(each for each in matter.overdue if each != key))
    return _did(changed, what, event.open.agent, event.recorded, promise.text)


def _recorded(matter: Matter, event: events.AttachmentStored) -> Matter:
    """Return the matter with the recording of a call: what was agreed in it can be heard there."""
    recordings = {**matter.recordings, event.open.contact_id: event.open.attachment_id}
    done = tuple(on_record.heard(each, event) for each in matter.done)
    return replace(matter, recordings=recordings, done=done)


def _of_somebody_else(matter: Matter) -> Matter:
    """Return the matter without what was done in other ones: they are not this customer's."""
    return replace(matter, done=tuple(each for each in matter.done if each.conversation is None))


def _owed(matter: Matter, event: events.CallbackRequested) -> Matter:
    opened = event.open
    owed = Callback(
        callback_id=opened.callback_id,
        contact_id=opened.contact_id,
        queue=opened.queue,
        due=opened.due,
        reason=opened.reason,
        attempts=opened.attempts,
        promised=opened.due,
    )
    return replace(matter, callbacks={**matter.callbacks, owed.callback_id: owed})


def _tried(matter: Matter, event: events.CallbackAttempted) -> Matter:
    """Return the matter after a call that reached nobody: the next one has a time of its own."""
    key, due = event.open.callback_id, event.open.due
    done = {"attempts": event.open.attempt, "outcome": event.open.outcome}
    tried = _with_callback(matter, key, **done)
    if due is None:
        return tried
    overdue = tuple(each for each in matter.overdue if each != key)
    return replace(_with_callback(tried, key, due=due), overdue=overdue)


def _with_callback(matter: Matter, key: events.CallbackId, **changes: object) -> Matter:
    callback = matter.callbacks.get(key)
    if callback is None:
        return matter
    return replace(matter, callbacks={**matter.callbacks, key: replace(callback, **changes)})


def _did(matter: Matter, what: str, by: events.AgentId, at: datetime, text: str | None) -> Matter:
    return _with_done(matter, Done(what=what, by=by, at=at, text=text))


def _with_done(matter: Matter, latest: Done) -> Matter:
    done = (*matter.done, latest)
    dropped = max(0, len(done) - DONE_KEPT)
    return replace(matter, done=done[dropped:], done_before=matter.done_before + dropped)
