"""What a timeline row says of an event: the words that were said, where, on which contact. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from services.history.domain.rows import Row, plain, text_of
from shared import events
from shared.ledger import Recorded

SHOWN_KINDS = frozenset({"conv", "cust", "notif"})
"""Aggregates whose events belong to a person's story; agents' slots and handles' claims do not."""


class _OpenPart(msgspec.Struct):
    open: msgspec.Raw


class _Stored(msgspec.Struct):
    data: _OpenPart


_stored = msgspec.json.Decoder(_Stored)


def row_of(recorded: Recorded) -> Row | None:
    """Return the event's row of table `timeline`; `None` when it belongs to no person's story."""
    event = recorded.event
    if recorded.aggregate.partition("-")[0] not in SHOWN_KINDS:
        return None
    if event.conversation is None and event.customer is None:
        return None
    return (
        recorded.sequence,
        event.tenant,
        text_of(event.conversation),
        text_of(event.customer),
        event.occurred,
        event.recorded,
        event.type,
        text_of(getattr(event.open, "contact_id", None)),
        text_of(_channel(event)),
        plain(event.actor),
        text_of(words(event)),
        bytes(_stored.decode(recorded.body).data.open).decode(),
    )


def _channel(event: events.AnyEvent) -> str | None:
    if isinstance(event, events.ChannelSwitched):
        return event.open.to_channel
    channel: Any = getattr(event.open, "channel", None)
    return channel if isinstance(channel, str) else None


def words(event: events.AnyEvent) -> str | None:  # noqa: C901  one table of all types that hold words
    """Return what was said or written, in full; `None` when nothing was, or after erasure."""
    if isinstance(event, events.CallMenuSelected):
        return event.open.digits
    match event:
        case events.MessageReceived(personal=said) if said is not None:
            return said.reply_text or said.text
        case events.FormSubmitted(personal=sent) if sent is not None:
            return sent.text
        case events.MessageRequested(personal=wanted) if wanted is not None:
            return wanted.text
        case events.FactStated(personal=fact) | events.FactCorrected(personal=fact) if (
            fact is not None
        ):
            return fact.value
        case events.PromiseMade(personal=promise) if promise is not None:
            return promise.text
        case events.TransferRequested(personal=handed) if handed is not None:
            return handed.brief
        case events.TransferRejected(personal=refused) if refused is not None:
            return refused.reason
        case events.ContactWrappedUp(personal=wrapped) if wrapped is not None:
            return wrapped.summary
        case events.CustomerCreated(personal=person) if person is not None:
            return person.name
        case events.OrderChanged(personal=order) if order is not None:
            return order.number
        case _:
            return None
