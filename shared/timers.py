"""The table of all timers: the question of each, the service that answers, the event that arms the timer. Pure.

Beside them stands what is due at once: work that the reader of the ledger hands on to itself (docs/adr/0071).

A fired timer is a question, "still due?", and is never cancelled. `shared.arming` sets them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from shared import codec, errors, events, instants


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerKind:
    """One question that a timer asks.

    `reader`: the service that answers it; `armed_by`: the events that arm it; `about`: the field of their open part
    that has the id it asks about; `due`: the time, or none when this event asks nothing; `answered_by`: the events of
    the same id after which nothing is asked any more.
    """

    name: str
    reader: str
    armed_by: tuple[type[events.AnyEvent], ...]
    about: str
    due: Callable[[Any], datetime | None]
    answered_by: tuple[type[events.AnyEvent], ...]


def _due_after_warning(event: events.SlaWarned | events.SlaResumed) -> datetime | None:
    """Return when a clock is due of which somebody was warned; `None` before: the warning arms it."""
    warned = isinstance(event, events.SlaWarned) or event.open.warns is None
    return event.open.due if warned else None


OFFER_EXPIRY = TimerKind(
    name="offer_expiry",
    reader="router",
    armed_by=(events.ContactOffered,),
    about="offer_id",
    due=lambda event: event.open.expires,
    answered_by=(
        events.ContactAccepted,
        events.ContactRejected,
        events.ContactOfferExpired,
        events.OfferWithdrawn,
        events.ConversationAssigned,
    ),
)
TRANSFER_EXPIRY = TimerKind(
    name="transfer_expiry",
    reader="router",
    armed_by=(events.TransferRequested,),
    about="transfer_id",
    due=lambda event: event.open.expires,
    answered_by=(
        events.TransferAccepted,
        events.TransferCancelled,
        events.TransferExpired,
        events.TransferCompleted,
        events.ConversationAssigned,
    ),
)
_PROMISE_ENDED = (events.PromiseKept, events.PromiseWithdrawn, events.PromiseBroken)
PROMISE_DUE_SOON = TimerKind(
    name="promise_due_soon",
    reader="router",
    armed_by=(events.PromiseMade, events.PromiseRenegotiated),
    about="promise_id",
    due=lambda event: event.open.due_soon,
    answered_by=(*_PROMISE_ENDED, events.PromiseDueSoon, events.PromiseOverdue),
)
PROMISE_DUE = TimerKind(
    name="promise_due",
    reader="router",
    armed_by=(events.PromiseMade, events.PromiseRenegotiated),
    about="promise_id",
    due=lambda event: event.open.due,
    answered_by=(*_PROMISE_ENDED, events.PromiseOverdue),
)
CALLBACK_DUE = TimerKind(
    name="callback_due",
    reader="router",
    armed_by=(events.CallbackRequested, events.CallbackAttempted),
    about="callback_id",
    due=lambda event: event.open.due,
    answered_by=(events.CallbackReached, events.CallbackClosed, events.CallbackOverdue),
)
WAIT_EXCEEDED = TimerKind(
    name="wait_exceeded",
    reader="router",
    armed_by=(events.ContactQueued, events.ContactWaitExceeded, events.ContactWaitStarted),
    about="contact_id",
    due=lambda event: event.open.exceeds,
    answered_by=(events.ContactAccepted, events.ContactAbandoned, events.ContactMissed),
)
SLA_WARNING = TimerKind(
    name="sla_warning",
    reader="router",
    armed_by=(events.SlaStarted, events.SlaResumed),
    about="clock_id",
    due=lambda event: event.open.warns,
    answered_by=(events.SlaWarned, events.SlaMet, events.SlaBreached),
)
SLA_DUE = TimerKind(
    name="sla_due",
    reader="router",
    armed_by=(events.SlaWarned, events.SlaResumed),
    about="clock_id",
    due=_due_after_warning,
    answered_by=(events.SlaMet, events.SlaBreached),
)
"""Armed by the warning, not with the clock: most clocks need none, for they end before it."""
ESCALATION_DUE = TimerKind(
    name="escalation_due",
    reader="router",
    armed_by=(events.ContactEscalated,),
    about="escalation_id",
    due=lambda event: event.open.due,
    answered_by=(events.EscalationOverdue,),
)
NOTIFICATION_ESCALATION = TimerKind(
    name="notification_escalation",
    reader="notify",
    armed_by=(events.NotificationRequested,),
    about="notification_id",
    due=lambda event: event.open.escalates,
    answered_by=(
        events.NotificationAcknowledged,
        events.NotificationEscalated,
        events.NotificationWithdrawn,
    ),
)

MESSAGE_UNDELIVERED = TimerKind(
    name="message_undelivered",
    reader="router",
    armed_by=(events.MessageRequested,),
    about="message_id",
    due=lambda event: event.open.deliver_by,
    answered_by=(events.MessageDelivered, events.MessageRead),
)

SNOOZE_OVER = TimerKind(
    name="snooze_over",
    reader="router",
    armed_by=(events.ConversationSnoozed,),
    about="snooze_id",
    due=lambda event: event.open.until,
    answered_by=(events.ConversationWoken,),
)

FEEDBACK_DUE = TimerKind(
    name="feedback_due",
    reader="router",
    armed_by=(events.ContactCompleted,),
    about="contact_id",
    due=lambda event: event.open.asks,
    answered_by=(events.FeedbackAsked,),
)

KINDS = (
    OFFER_EXPIRY,
    TRANSFER_EXPIRY,
    PROMISE_DUE_SOON,
    PROMISE_DUE,
    CALLBACK_DUE,
    WAIT_EXCEEDED,
    SLA_WARNING,
    SLA_DUE,
    ESCALATION_DUE,
    MESSAGE_UNDELIVERED,
    SNOOZE_OVER,
    FEEDBACK_DUE,
    NOTIFICATION_ESCALATION,
)
"""All of them. The consumers of fired timers are made from this table, and whoever appends an event arms by it."""

MESSAGE_SENDING = TimerKind(
    name="message_sending",
    reader="notify",
    armed_by=(events.MessageRequested,),
    about="message_id",
    due=lambda event: event.recorded,
    answered_by=(
        events.MessageSent,
        events.MessageDelivered,
        events.MessageRead,
        events.MessageFailed,
        events.MessageUncertain,
    ),
)
AT_ONCE = (MESSAGE_SENDING,)
"""What is due at once. Its reader arms it when the event comes by: whoever appends the event does not."""


def read_by(service: str) -> list[str]:
    """Return the names of the kinds that a service answers."""
    return [kind.name for kind in KINDS if kind.reader == service]


class Timer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a timer, armed and fired alike.

    `id`: of the event or offer that it asks about; `sequence`: of what is due at once, where its event stands.
    """

    tenant: str
    aggregate: str
    kind: str
    id: str
    due: events.Instant
    sequence: int = 0


_decoder = msgspec.json.Decoder(Timer)


def read_timer(body: bytes) -> Timer:
    """Return the timer in a fired message. Raises: NotAnEvent."""
    try:
        return _decoder.decode(body)
    except codec.UNREADABLE as error:
        raise errors.NotAnEvent() from error


def asked_by(event: events.AnyEvent, kinds: Iterable[TimerKind] = KINDS) -> Iterator[Timer]:
    """Yield the timers that an event arms, each due within what the server can count."""
    for kind in kinds:
        due = kind.due(event) if isinstance(event, kind.armed_by) else None
        if due is not None:
            yield Timer(
                tenant=event.tenant,
                aggregate=event.aggregate,
                kind=kind.name,
                id=getattr(event.open, kind.about),
                due=instants.within(due),
            )


def at_once(event: events.AnyEvent, sequence: int) -> Iterator[Timer]:
    """Yield what is due as soon as an event stands in the ledger, at `sequence`."""
    for timer in asked_by(event, AT_ONCE):
        yield replace(timer, sequence=sequence)


Asked = tuple[str, str]
"""The kind of a timer and the id that it asks about."""


def answered_by(event: events.AnyEvent) -> Iterator[Asked]:
    """Yield what is asked no more after an event."""
    for kind in (*KINDS, *AT_ONCE):
        if isinstance(event, kind.answered_by):
            yield kind.name, getattr(event.open, kind.about)
