"""What became of messages to the customer, as notify and the providers report it."""

from collections.abc import Mapping, Sequence
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


def news_of(
    matter: Sequence[Conversation], event: events.OutcomeEvent
) -> list[events.OutcomeEvent]:
    """Return what a report says that is new of messages to the customer, each by its id; [] if nothing.

    What a server took may still come back. A report from outside is about the channel that the message went by.
    `matter`: the conversation in which it was written, and those in which that went on: the last one knows best.
    """
    known: dict[events.MessageId, Outbound] = {}
    for each in matter:
        known |= each.talk.outbound
    told = event.type.partition(".")[2]
    news = [
        each
        for each in known.values()
        if each.channel == event.open.channel
        and _is_about(event.open, each)
        and (RANK[told] > RANK[each.status] if event.raw else each.status == "requested")
    ]
    return [_of(event, each, k) for k, each in enumerate(news)]


def _is_about(opened: events.MessageOutcomeOpen, message: Outbound) -> bool:
    if opened.message_id is not None:
        return opened.message_id == message.message_id
    if opened.refers_to is not None:
        return opened.refers_to == message.provider_id
    if opened.until is None or message.at is None:
        return False
    return message.status in {"sent", "delivered"} and message.at <= opened.until


def _of(event: events.OutcomeEvent, message: Outbound, k: int) -> events.OutcomeEvent:
    """Return a report as one on this message. The first keeps its id, by which it is known when it comes again."""
    told: Any = replace(event.open, message_id=message.message_id)
    known_as = event.id if k == 0 else ids.scoped_id(event.id, message.message_id)
    return replace(event, id=events.EventId(known_as), data=replace(event.data, open=told))


def name_of(event: events.OutcomeEvent) -> events.Handle | None:
    """Return the reference under which the provider's id of a message leads to its conversation; `None` without one."""
    opened = event.open
    if opened.refers_to is None:
        return None
    return handles.reference(f"sent={opened.channel}/{opened.account}/{opened.refers_to}")
