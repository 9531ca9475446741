"""From events to rows: pure, and the same whether events come one by one or all at once.

Conversations and customers go through the folds that the router decides with; the rows are what those folds say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from msgspec.structs import astuple, replace

from services.history.domain import timeline
from services.history.domain.rows import Changes, Key, Notification, Row, Views, plain, text_of
from services.history.domain.views import (
    callback_row,
    conversation_row,
    customer_row,
    fact_row,
    handle_rows,
    promise_row,
    slim_conversation,
    slim_customer,
)
from shared import conversation as conversations
from shared import customer as customers
from shared import events
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.customer import UNKNOWN_CUSTOMER
from shared.ledger import Recorded


def wanted(batch: Iterable[Recorded]) -> Views:
    """Return which conversations, customers and notifications a batch touches, each as if it were new."""
    views = Views()
    for recorded in batch:
        event = recorded.event
        kind, _, name = recorded.aggregate.partition("-")
        if kind == "conv":
            views.conversations[event.tenant, name] = NEW_CONVERSATION
        elif kind == "cust":
            views.customers[event.tenant, name] = UNKNOWN_CUSTOMER
        elif isinstance(event, _OUTCOMES):
            views.notifications[event.tenant, event.open.notification_id] = _NOT_REQUESTED
    return views


def project(batch: Sequence[Recorded], before: Views, settled: datetime) -> Changes:
    """Return what the batch changes. `before` is used up: it holds the folds after the batch.

    `settled`: the latest store time of all events before the batch.
    """
    changes = Changes()
    for recorded in batch:
        settled = max(settled, recorded.stored)
        _append(changes, recorded, settled)
        kind, _, name = recorded.aggregate.partition("-")
        key = (recorded.event.tenant, name)
        if kind == "conv":
            _conversation(changes, before, key, recorded)
        elif kind == "cust":
            _customer(changes, before, key, recorded)
        elif kind == "notif":
            _notification(changes, before, recorded)
    _views(changes, before)
    return changes


def chain(rolling: bytes, batch: Iterable[Recorded]) -> bytes:
    """Return the rolling digest after the batch: SHA-256 over the digest before, the sequence and the body."""
    for recorded in batch:
        body = hashlib.sha256(recorded.body).digest()
        rolling = hashlib.sha256(rolling + recorded.sequence.to_bytes(8, "big") + body).digest()
    return rolling


def _views(changes: Changes, after: Views) -> None:
    """Write each fold once, as the batch left it."""
    for key, conversation in after.conversations.items():
        if conversation.sequence:
            changes.replaced["conversation"][key] = conversation_row(key, conversation)
    for key, customer in after.customers.items():
        if customer.sequence:
            changes.replaced["customer"][key] = customer_row(key, customer)


def _append(changes: Changes, recorded: Recorded, settled: datetime) -> None:
    event = recorded.event
    changes.appended["event"].append(
        (
            recorded.sequence,
            plain(event.id),
            event.tenant,
            recorded.aggregate,
            event.type,
            text_of(event.conversation),
            text_of(event.customer),
            event.occurred,
            event.recorded,
            recorded.stored,
            settled,
            text_of(event.raw),
            recorded.body,
        )
    )
    shown = timeline.row_of(recorded)
    if shown is not None:
        changes.appended["timeline"].append(shown)


# -- conversations ------------------------------------------------------------------------------------


def _conversation(changes: Changes, views: Views, key: Key, recorded: Recorded) -> None:
    old = views.conversations.get(key, NEW_CONVERSATION)
    new = slim_conversation(conversations.evolve(old, recorded.sequence, recorded.event))
    views.conversations[key] = new
    _matters(changes, key, old, new)
    row = _request(key, old, recorded)
    if row is not None:
        changes.appended["request"].append(row)
    if isinstance(recorded.event, events.ContextPackaged):
        packed = recorded.event.open
        changes.appended["packet"].append(
            (recorded.sequence, key[0], plain(packed.packet_id), key[1], packed.sha256)
        )


def _matters(changes: Changes, key: Key, old: Conversation, new: Conversation) -> None:
    """Replace the rows of facts, promises and callbacks that the event changed (the fold shares the others)."""
    if new.matter.facts is not old.matter.facts:
        for fact_id, fact in new.matter.facts.items():
            if old.matter.facts.get(fact_id) is not fact:
                changes.replaced["fact"][*key, fact_id] = fact_row(key, fact)
    if new.matter.promises is not old.matter.promises:
        for promise_id, promise in new.matter.promises.items():
            if old.matter.promises.get(promise_id) is not promise:
                changes.replaced["promise"][*key, promise_id] = promise_row(key, promise)
    if new.matter.callbacks is not old.matter.callbacks:
        for callback_id, callback in new.matter.callbacks.items():
            if old.matter.callbacks.get(callback_id) is not callback:
                changes.replaced["callback"][*key, callback_id] = callback_row(key, callback)


def _request(key: Key, before: Conversation, recorded: Recorded) -> Row | None:
    """Return the row of an event by which something new waits for somebody, or a call was lost; else `None`."""
    event = recorded.event
    asked = _asked(event, before)
    if asked is None:
        return None
    kind, queue, contact_id = asked
    callback_id: str | None = getattr(event.open, "callback_id", None)
    return (
        recorded.sequence,
        key[0],
        plain(event.id),
        key[1],
        text_of(contact_id),
        kind,
        text_of(queue),
        text_of(callback_id),
        event.recorded,
    )


def _asked(
    event: events.AnyEvent, before: Conversation
) -> tuple[str, str | None, str | None] | None:
    """Return (kind, queue, contact) of what an event asks for; `None` when it asks for nothing.

    Notify tells somebody of each but the lost calls, and names the same event.
    """
    match event:
        case events.ContactQueued(open=queued):
            known = before.contacts.by_id.get(queued.contact_id)
            if known is not None and known.queue is not None and known.status == "waiting":
                return None
            return "waiting", queued.queue, queued.contact_id
        case events.TransferExpired() | events.TransferRejected():
            to, _, queue = (event.open.returned_to or "").partition("-")
            last = before.contacts.last
            contact_id = None if last is None else last.contact_id
            return ("waiting", queue, contact_id) if to == "queue" else None
        case events.ConversationJoined(open=joined) if joined.to_owner is not None:
            return "owned", None, joined.contact_id
        case events.CallbackRequested(open=owed):
            return "callback", owed.queue, owed.contact_id
        case events.ContactMissed() | events.ContactAbandoned():
            return "lost", event.open.queue, event.open.contact_id
        case _:
            return None


# -- customers ------------------------------------------------------------------------------------------


def _customer(changes: Changes, views: Views, key: Key, recorded: Recorded) -> None:
    old = views.customers.get(key, UNKNOWN_CUSTOMER)
    new = slim_customer(customers.evolve(old, recorded.sequence, recorded.event))
    views.customers[key] = new
    if new.handles is not old.handles:
        for row in handle_rows(key, new):
            changes.replaced["handle"][row[:4]] = row


# -- notifications ----------------------------------------------------------------------------------------

_OUTCOMES = (events.NotificationSent, events.NotificationAcknowledged, events.NotificationEscalated)

_NOT_REQUESTED = Notification(
    tenant="",
    id="",
    sequence=0,
    conversation=None,
    about="",
    reason="",
    recipient="",
    transport="",
    state="",
    requested=datetime.min.replace(tzinfo=UTC),
    escalates=None,
    settled_by=None,
)


def _notification(changes: Changes, views: Views, recorded: Recorded) -> None:
    event = recorded.event
    if isinstance(event, events.NotificationRequested):
        row = _requested(recorded.sequence, event)
    elif isinstance(event, _OUTCOMES):
        known = views.notifications.get((event.tenant, event.open.notification_id), _NOT_REQUESTED)
        if not known.id:
            return
        row = _after(replace(known, sequence=recorded.sequence), event)
    else:
        return
    views.notifications[row.tenant, row.id] = row
    changes.replaced["notification"][row.tenant, row.id] = astuple(row)


def _requested(sequence: int, event: events.NotificationRequested) -> Notification:
    opened = event.open
    return Notification(
        tenant=event.tenant,
        id=opened.notification_id,
        sequence=sequence,
        conversation=text_of(event.conversation),
        about=plain(opened.about),
        reason=opened.reason,
        recipient=plain(opened.recipient),
        transport=plain(",".join(opened.transports)),
        state="requested",
        requested=event.recorded,
        escalates=opened.escalates,
        settled_by=None,
    )


def _after(known: Notification, event: events.AnyEvent) -> Notification:
    """An acknowledgement after an escalation counts; nothing undoes either."""
    match event:
        case events.NotificationAcknowledged():
            return replace(known, state="acknowledged", settled_by=event.open.by)
        case events.NotificationEscalated() if known.state != "acknowledged":
            return replace(known, state="escalated", settled_by=plain(event.open.to))
        case events.NotificationSent() if known.state == "requested":
            return replace(known, state="sent")
        case _:
            return known
