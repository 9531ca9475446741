"""The table of all timers: the question of each, the service that answers, the event that arms the timer. Pure.

A fired timer is a question, "still due?", and is never cancelled. `shared.arming` sets them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from shared import codec, errors, events, instants


@dataclass(frozen=True, slots=True)
class TimerKind:
    """One question that a timer asks.

    `reader`: the service that answers it; `armed_by`: the events that arm it; `asks`: what the event asks about and
    when, or no time when this one asks nothing.
    """

    name: str
    reader: str
    armed_by: tuple[type[events.AnyEvent], ...]
    asks: Callable[[Any], tuple[str, datetime | None]]


OFFER_EXPIRY = TimerKind(
    "offer_expiry",
    "router",
    (events.ContactOffered,),
    lambda event: (event.open.offer_id, event.open.expires),
)
TRANSFER_EXPIRY = TimerKind(
    "transfer_expiry",
    "router",
    (events.TransferRequested,),
    lambda event: (event.open.transfer_id, event.open.expires),
)
PROMISE_DUE = TimerKind(
    "promise_due",
    "router",
    (events.PromiseMade,),
    lambda event: (event.open.promise_id, event.open.due),
)
CALLBACK_DUE = TimerKind(
    "callback_due",
    "router",
    (events.CallbackRequested, events.CallbackAttempted),
    lambda event: (event.open.callback_id, event.open.due),
)
NOTIFICATION_ESCALATION = TimerKind(
    "notification_escalation",
    "notify",
    (events.NotificationRequested,),
    lambda event: (event.open.notification_id, event.open.escalates),
)

KINDS = (OFFER_EXPIRY, TRANSFER_EXPIRY, PROMISE_DUE, CALLBACK_DUE, NOTIFICATION_ESCALATION)
"""All of them. The consumers of fired timers are made from this table, and whoever appends an event arms by it."""


def read_by(service: str) -> list[str]:
    """Return the names of the kinds that a service answers."""
    return [kind.name for kind in KINDS if kind.reader == service]


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a timer, armed and fired alike. `id`: of the event or offer that it asks about."""

    tenant: str
    aggregate: str
    kind: str
    id: str
    due: events.Instant


_decoder = msgspec.json.Decoder(Timer)


def read_timer(body: bytes) -> Timer:
    """Return the timer in a fired message. Raises: NotAnEvent."""
    try:
        return _decoder.decode(body)
    except codec.UNREADABLE as error:
        raise errors.NotAnEvent() from error


def asked_by(event: events.AnyEvent) -> Iterator[Timer]:
    """Yield the timers that an event arms, each due within what the server can count."""
    for kind in KINDS:
        if isinstance(event, kind.armed_by):
            asked, due = kind.asks(event)
            if due is not None:
                yield Timer(
                    tenant=event.tenant,
                    aggregate=event.aggregate,
                    kind=kind.name,
                    id=asked,
                    due=instants.within(due),
                )
