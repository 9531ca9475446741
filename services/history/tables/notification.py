"""Table `notification`: the recipient, the reason and the acknowledgement of each. The row itself is the fold."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.history.tables.row import Key, ReplacedRow
from services.history.tables.table import Fold
from shared import aggregates, events
from shared.ledger import Recorded

_OUTCOMES = (
    events.NotificationSent,
    events.NotificationAcknowledged,
    events.NotificationEscalated,
    events.NotificationWithdrawn,
)


class NotificationRow(ReplacedRow, frozen=True, kw_only=True):
    """`state`: `requested`, `sent`, `acknowledged`, `escalated` or `withdrawn`.

    `settled_by`: the agent who acknowledged, or whom it was escalated to.
    """

    table = "notification"
    key = ("tenant", "id")
    tenant: str
    id: str
    sequence: int
    conversation: str | None
    about: str
    reason: str
    recipient: str
    transport: str
    state: str
    requested: datetime
    escalates: datetime | None
    settled_by: str | None


_decoder = msgspec.json.Decoder(NotificationRow)


def key_of(recorded: Recorded) -> Key | None:
    """Return the tenant and the notification that an event is about."""
    event = recorded.event
    if isinstance(event, (events.NotificationRequested, *_OUTCOMES)):
        return event.tenant, event.open.notification_id
    return None


def evolve(known: NotificationRow | None, recorded: Recorded) -> NotificationRow | None:
    """Return the row after an event; `None` for an outcome of what was never requested."""
    event = recorded.event
    if isinstance(event, events.NotificationRequested):
        return _requested(recorded.sequence, event)
    return None if known is None else _after(replace(known, sequence=recorded.sequence), event)


def _requested(sequence: int, event: events.NotificationRequested) -> NotificationRow:
    opened = event.open
    return NotificationRow(
        tenant=event.tenant,
        id=opened.notification_id,
        sequence=sequence,
        conversation=event.conversation,
        about=opened.about,
        reason=opened.reason,
        recipient=opened.recipient,
        transport=",".join(opened.transports),
        state="requested",
        requested=event.recorded,
        escalates=opened.escalates,
        settled_by=None,
    )


def _after(known: NotificationRow, event: events.AnyEvent) -> NotificationRow:
    """An acknowledgement after an escalation counts; nothing undoes either."""
    match event:
        case events.NotificationAcknowledged():
            return replace(known, state="acknowledged", settled_by=event.open.by)
        case events.NotificationEscalated() if known.state != "acknowledged":
            return replace(known, state="escalated", settled_by=event.open.to)
        case events.NotificationWithdrawn():
            return replace(known, state="withdrawn")
        case events.NotificationSent() if known.state == "requested":
            return replace(known, state="sent")
        case _:
            return known


def write(_: Key, known: NotificationRow | None) -> NotificationRow:
    """Return the row itself."""
    assert known is not None, "a state that is empty is never written"
    return known


def read(state: bytes) -> NotificationRow:
    """Return the row itself."""
    return _decoder.decode(state)


FOLD: Fold[NotificationRow | None] = Fold(
    row=NotificationRow,
    kind=aggregates.NOTIFICATION,
    key=key_of,
    empty=None,
    evolve=evolve,
    write=write,
    read=read,
)
