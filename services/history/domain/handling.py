"""How the contacts of a conversation were handled, as its events tell it: what the measures are made of. Pure.

Times are when things were recorded: the ledger's order and its clock, not a provider's.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from shared import events

LIVE = frozenset({"call", "chat", "visit"})
"""Media in which the customer waits while she is there."""


class HandledContact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One contact, as far as one conversation knows it; `began`: `None` where it came along from another one.

    `queued`, `asked`, `taken`, `wrapped`: when it began to wait, somebody was asked first, somebody took it, and
    somebody wrote down how it went; `lost`: when she hung up, `missed` if it was never connected, `requested` if she
    had asked to be called back, `lost_in` which conversation, `unreachable` without a number to call, else for
    `callback_id`; `asked_how`: she was asked how it was, `score`: what she said.
    """

    began: datetime | None = None
    medium: str = ""
    channel: str = ""
    queue: str | None = None
    agent: str | None = None
    queued: datetime | None = None
    asked: datetime | None = None
    taken: datetime | None = None
    wrapped: datetime | None = None
    lost: datetime | None = None
    lost_in: str | None = None
    missed: bool = False
    requested: bool = False
    unreachable: bool = False
    callback_id: str | None = None
    asked_how: bool = False
    score: int | None = None

    @property
    def gave_up(self) -> bool:
        """She was lost, and had not asked to be called back instead."""
        return self.lost is not None and not self.requested


class OwedCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call that is owed. `reached`: when she was; `over`: nobody calls any more; `goes_on_as`: see `Callback`."""

    reached: datetime | None = None
    over: bool = False
    goes_on_as: str | None = None


class PromiseOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """When a promise was kept or its time passed, and whether it was kept in time."""

    at: datetime
    in_time: bool


class HandledConversation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A conversation.

    `after`: the resolved one that it goes on with; `ends`, `reopened`: each time that it was resolved, and opened
    again; `goes_on_in`: the one that absorbed it; `acknowledged`: hand-overs that named one of its packets; `repeats`:
    facts told again; `answers`: messages that say how it was, and begin nothing.
    """

    customer: str | None = None
    opened: datetime | None = None
    after: str | None = None
    ends: tuple[datetime, ...] = ()
    reopened: tuple[datetime, ...] = ()
    goes_on_in: str | None = None
    contacts: dict[str, HandledContact] = {}
    hand_overs: int = 0
    acknowledged: int = 0
    transfers: int = 0
    repeats: int = 0
    packets: tuple[str, ...] = ()
    promises: dict[str, PromiseOutcome] = {}
    calls: dict[str, OwedCall] = {}
    answers: tuple[str, ...] = ()


NOTHING_HANDLED = HandledConversation()


def evolve(known: HandledConversation, event: events.AnyEvent) -> HandledConversation:
    """Return the conversation after one of its events; most change nothing."""
    how = _HOW.get(type(event))
    return known if how is None else how(known, event)


def _began(known: HandledConversation, event: Any) -> HandledConversation:
    told = event.open
    if event.imported or told.contact_id in known.contacts or event.id in known.answers:
        return known
    began = HandledContact(began=event.recorded, medium=told.medium, channel=told.channel)
    return replace(known, contacts={**known.contacts, told.contact_id: began})


def _contact(
    known: HandledConversation, contact_id: str, change: Callable[[HandledContact], HandledContact]
) -> HandledConversation:
    """Return the conversation with a contact changed; one that it never heard of was imported, and is not measured."""
    contact = known.contacts.get(contact_id)
    if contact is None:
        return known
    return replace(known, contacts={**known.contacts, contact_id: change(contact)})


def _queued(known: HandledConversation, event: events.ContactQueued) -> HandledConversation:
    return _contact(
        known,
        event.open.contact_id,
        lambda it: replace(
            it, queue=it.queue or event.open.queue, queued=it.queued or event.recorded
        ),
    )


def _offered(known: HandledConversation, event: events.ContactOffered) -> HandledConversation:
    return _contact(
        known, event.open.contact_id, lambda it: replace(it, asked=it.asked or event.recorded)
    )


def _accepted(known: HandledConversation, event: events.ContactAccepted) -> HandledConversation:
    return _contact(
        _handed_over(known, event.open.packet_id),
        event.open.contact_id,
        lambda it: replace(it, taken=it.taken or event.recorded, agent=event.open.agent),
    )


def _lost(
    known: HandledConversation, event: events.ContactAbandoned | events.ContactMissed
) -> HandledConversation:
    told = event.open
    return _contact(
        known,
        told.contact_id,
        lambda it: replace(
            it,
            queue=it.queue or told.queue,
            lost=event.recorded,
            lost_in=event.conversation,
            missed=isinstance(event, events.ContactMissed),
            requested=told.reason == "requested",
            unreachable=told.unreachable,
            callback_id=told.callback_id,
        ),
    )


def _wrapped(known: HandledConversation, event: events.ContactWrappedUp) -> HandledConversation:
    return _contact(
        known,
        event.open.contact_id,
        lambda it: replace(it, wrapped=event.recorded, agent=it.agent or event.open.agent),
    )


def _asked_how(known: HandledConversation, event: events.FeedbackAsked) -> HandledConversation:
    return _contact(known, event.open.contact_id, lambda it: replace(it, asked_how=True))


def _answered(known: HandledConversation, event: events.FeedbackGiven) -> HandledConversation:
    said = replace(known, answers=(*known.answers, event.open.event))
    return _contact(said, event.open.contact_id, lambda it: replace(it, score=event.open.score))


def _handed_over(known: HandledConversation, packet_id: str) -> HandledConversation:
    return replace(
        known,
        hand_overs=known.hand_overs + 1,
        acknowledged=known.acknowledged + (packet_id in known.packets),
    )


def _transferred(known: HandledConversation, event: events.TransferAccepted) -> HandledConversation:
    return replace(_handed_over(known, event.open.packet_id), transfers=known.transfers + 1)


def _packaged(known: HandledConversation, event: events.ContextPackaged) -> HandledConversation:
    return replace(known, packets=(*known.packets, event.open.packet_id))


def _repeated(known: HandledConversation, _: events.FactRepeated) -> HandledConversation:
    return replace(known, repeats=known.repeats + 1)


# -- its course -----------------------------------------------------------------------------------------


def _opened(known: HandledConversation, event: events.ConversationOpened) -> HandledConversation:
    earlier = event.personal.after if event.personal else None
    return replace(
        known,
        customer=event.customer,
        opened=event.happened if event.imported else event.recorded,
        after=earlier.conversation if earlier else None,
    )


def _linked(known: HandledConversation, event: events.ConversationLinked) -> HandledConversation:
    return replace(known, customer=event.open.customer)


def _resolved(
    known: HandledConversation, event: events.ConversationResolved
) -> HandledConversation:
    return replace(known, ends=(*known.ends, event.recorded))


def _reopened(
    known: HandledConversation, event: events.ConversationReopened
) -> HandledConversation:
    return replace(known, reopened=(*known.reopened, event.recorded))


def _merged(known: HandledConversation, event: events.ConversationMerged) -> HandledConversation:
    came = {each.contact_id: HandledContact() for each in event.open.contacts}
    return replace(known, contacts={**came, **known.contacts})


def _absorbed(
    known: HandledConversation, event: events.ConversationAbsorbed
) -> HandledConversation:
    calls = {
        key: each
        if each.over
        else replace(each, over=True, goes_on_as=event.open.callback_id or key)
        for key, each in known.calls.items()
    }
    return replace(known, goes_on_in=event.open.into, calls=calls)


# -- what was owed --------------------------------------------------------------------------------------


def _owed(known: HandledConversation, event: events.CallbackRequested) -> HandledConversation:
    return replace(known, calls={**known.calls, event.open.callback_id: OwedCall()})


def _reached(known: HandledConversation, event: events.CallbackReached) -> HandledConversation:
    reached = OwedCall(reached=event.recorded, over=True)
    return _handed_over(_call_ended(known, event.open.callback_id, reached), event.open.packet_id)


def _closed(known: HandledConversation, event: events.CallbackClosed) -> HandledConversation:
    return _call_ended(known, event.open.callback_id, OwedCall(over=True))


def _call_ended(
    known: HandledConversation, callback_id: str, ended: OwedCall
) -> HandledConversation:
    if callback_id not in known.calls:
        return known
    return replace(known, calls={**known.calls, callback_id: ended})


def _kept(known: HandledConversation, event: events.PromiseKept) -> HandledConversation:
    return _promise(known, event, in_time=not event.open.late)


def _passed(
    known: HandledConversation, event: events.PromiseOverdue | events.PromiseBroken
) -> HandledConversation:
    return _promise(known, event, in_time=False)


def _moved(known: HandledConversation, event: events.PromiseRenegotiated) -> HandledConversation:
    return _promise(known, event, in_time=False) if event.open.late else known


def _promise(known: HandledConversation, event: Any, *, in_time: bool) -> HandledConversation:
    """The first that is known of it counts: what is kept after its time was over is not kept."""
    if event.open.promise_id in known.promises:
        return known
    end = PromiseOutcome(at=event.recorded, in_time=in_time)
    return replace(known, promises={**known.promises, event.open.promise_id: end})


_HOW: Mapping[type, Callable[[HandledConversation, Any], HandledConversation]] = {
    **dict.fromkeys(get_args(events.InboundEvent), _began),
    events.ConversationOpened: _opened,
    events.ConversationLinked: _linked,
    events.ConversationResolved: _resolved,
    events.ConversationReopened: _reopened,
    events.ConversationMerged: _merged,
    events.ConversationAbsorbed: _absorbed,
    events.ContactQueued: _queued,
    events.ContactOffered: _offered,
    events.ContactAccepted: _accepted,
    events.ContactAbandoned: _lost,
    events.ContactMissed: _lost,
    events.ContactWrappedUp: _wrapped,
    events.FeedbackAsked: _asked_how,
    events.FeedbackGiven: _answered,
    events.TransferAccepted: _transferred,
    events.ContextPackaged: _packaged,
    events.FactRepeated: _repeated,
    events.CallbackRequested: _owed,
    events.CallbackReached: _reached,
    events.CallbackClosed: _closed,
    events.PromiseKept: _kept,
    events.PromiseOverdue: _passed,
    events.PromiseBroken: _passed,
    events.PromiseRenegotiated: _moved,
}

CHANGED_BY = frozenset(_HOW)
"""The types of the events that change it."""
