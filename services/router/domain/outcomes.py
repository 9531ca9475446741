"""What became of messages to the customer, as notify and the providers report it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared import events, handles, ids
from shared.conversation import Conversation
from shared.conversation.talk import Outbound

RANK: Mapping[str, float] = {
    "requested": 0,
    "uncertain": 1,
    "sent": 2,
    "failed": 2.5,
    "delivered": 3,
    "read": 4,
}
"""What providers report comes out of order and again: only what says more than is known is news."""

CLOCKS_APART = timedelta(seconds=2)
"""A watermark is the provider's time; that a message was sent we write down a moment after the provider took it."""


def news_of(
    matter: Sequence[Conversation], event: events.OutcomeEvent, *, noted: bool
) -> list[events.OutcomeEvent]:
    """Return what a report says that is new of messages to the customer, each by its id; [] if nothing.

    What a server took may still come back. A report from outside is about the channel that the message went by.
    `matter`: the conversation in which it was written, and those in which that went on: the last one knows best.
    `noted`: it stands on its account already, under its own id. Else the first one keeps that.
    """
    told = event.type.partition(".")[2]
    news = [
        each
        for each in _messages(matter, event)
        if _is_about(event, each)
        and (RANK[told] > RANK[each.status] if event.raw else each.status == "requested")
    ]
    first, others = ([], news) if noted else (news[:1], news[1:])
    again = (_of(event, each, "told") for each in others)
    return [
        *(_of(event, each) for each in first),
        *(replace(each, causation=event.id) for each in again),
    ]


def waiting_of(
    matter: Sequence[Conversation], event: events.OutcomeEvent
) -> list[events.OutcomeEvent]:
    """Return a report for each message that was asked for before a watermark, and of which nobody said yet that it was
    sent: it may be about them, and waits until somebody does."""
    asked = [
        each
        for each in _messages(matter, event)
        if event.open.until and each.status == "requested" and _was_before(event, each)
    ]
    return [_of(event, each, "waiting") for each in asked]


def _messages(matter: Sequence[Conversation], event: events.OutcomeEvent) -> list[Outbound]:
    known: dict[events.MessageId, Outbound] = {}
    for each in matter:
        known |= each.talk.outbound
    return [each for each in known.values() if each.channel == event.open.channel]


def _is_about(event: events.OutcomeEvent, message: Outbound) -> bool:
    opened = event.open
    if opened.until is not None:
        return message.status in {"sent", "delivered"} and _was_before(event, message)
    if opened.message_id is not None:
        return opened.message_id == message.message_id
    return opened.refers_to is not None and opened.refers_to == message.provider_id


def _was_before(event: events.OutcomeEvent, message: Outbound) -> bool:
    """Tell whether a message went to whom a watermark is about, from the same account, and before its time."""
    opened, at = event.open, message.sent or message.at
    named = opened.message_id in {None, message.message_id}
    if opened.until is None or at is None or message.account != opened.account:
        return False
    reached = {each.value for each in event.personal.handles} if event.personal else set()
    return named and message.to in reached and at - CLOCKS_APART <= opened.until


def _of(
    event: events.OutcomeEvent, message: Outbound, scope: str | None = None
) -> events.OutcomeEvent:
    """Return a report as one on this message; with a `scope` it has an id of its own."""
    told: Any = replace(event.open, message_id=message.message_id)
    own = event.id if scope is None else ids.scoped_id(event.id, message.message_id, scope)
    return replace(event, id=events.EventId(own), data=replace(event.data, open=told))


def name_of(event: events.OutcomeEvent) -> events.Handle | None:
    """Return the reference under which the provider's id of a message leads to its conversation; `None` without one."""
    opened = event.open
    if opened.refers_to is None:
        return None
    return handles.own_reference("sent", f"{opened.channel}/{opened.account}/{opened.refers_to}")
