"""Table `request`: what asked for somebody's attention. Notify tells somebody of each but the lost calls."""

from collections.abc import Iterable
from datetime import datetime

from services.history.tables import conversation
from services.history.tables.parking import parked_count
from services.history.tables.presence import who_sees
from services.history.tables.row import AddedRow
from services.history.tables.table import Reading, Step, Table
from shared import events, queries
from shared.conversation import Conversation


class RequestRow(AddedRow, frozen=True, kw_only=True):
    """`id`: of the event; `kind`: see `OverlookedLine`; `callback_id`: of the call that is owed, if one is."""

    table = "request"
    tenant: str
    id: str
    conversation: str
    contact_id: str | None
    kind: str
    queue: str | None
    callback_id: str | None
    asked: datetime


def rows(step: Step[Conversation]) -> Iterable[RequestRow]:
    """Return the row of an event by which something new waits for somebody, or a call was lost."""
    event = step.recorded.event
    asked = _asked(event, step.before)
    if asked is None:
        return ()
    kind, queue, contact_id = asked
    tenant, name = step.key
    row = RequestRow(
        sequence=step.recorded.sequence,
        tenant=tenant,
        id=event.id,
        conversation=name,
        contact_id=contact_id,
        kind=kind,
        queue=queue,
        callback_id=getattr(event.open, "callback_id", None),
        asked=event.recorded,
    )
    return (row,)


TABLE = Table(RequestRow, rows, of=conversation.FOLD)


def _asked(
    event: events.AnyEvent, before: Conversation
) -> tuple[str, str | None, str | None] | None:
    """Return (kind, queue, contact) of what an event asks for; `None` when it asks for nothing."""
    match event:
        case events.ContactQueued(open=queued):
            known = before.contacts.by_id.get(queued.contact_id)
            if known is not None and known.queue == queued.queue and known.status == "waiting":
                return None
            return "waiting", queued.queue, queued.contact_id
        case events.TransferExpired() | events.TransferRejected():
            to, last = event.open.returned_to, before.contacts.last
            if to is None:
                return None
            queue = _queue(to)
            return "waiting" if queue else "owned", queue, last.contact_id if last else None
        case events.ConversationReturned(open=returned):
            last = before.contacts.last
            return "waiting", returned.queue, last.contact_id if last else None
        case events.ConversationJoined(open=more) | events.ConversationWoken(open=more) if (
            more.to_owner is not None
        ):
            return "owned", None, more.contact_id
        case events.ConversationMerged(open=merged) if merged.to_owner is not None:
            return "owned", None, None
        case events.CallbackRequested(open=owed):
            return "callback", owed.queue, owed.contact_id
        case events.ContactMissed() | events.ContactAbandoned() if not event.open.unreachable:
            return "lost", event.open.queue, event.open.contact_id
        case _:
            return _unfinished(event, before)


def _unfinished(
    event: events.AnyEvent, before: Conversation
) -> tuple[str, str | None, str | None] | None:
    """Return the same of what was said, done, or to be done, and did not come to its end."""
    match event:
        case events.MessageFailed():
            return "failed", before.ownership.queue, None
        case events.MessageUnattended(open=unattended):
            return "owned", None, unattended.contact_id
        case events.MessageUncertain():
            return "uncertain", before.ownership.queue, None
        case _:
            return _late(event, before)


def _late(
    event: events.AnyEvent, before: Conversation
) -> tuple[str, str | None, str | None] | None:
    """Return the same of what has a time, which is over or nearly so."""
    match event:
        case events.PromiseDueSoon(open=due_soon) | events.SlaWarned(open=due_soon):
            return "due_soon", _queue(due_soon.to), None
        case events.PromiseBroken(open=broken):
            return "broken", _queue(broken.to), None
        case events.PromiseOverdue(open=overdue) | events.EscalationOverdue(open=overdue):
            return "overdue", _queue(overdue.to), None
        case events.SlaBreached(open=breached) if not breached.answered:
            return "overdue", breached.queue, None
        case events.ContactWaitExceeded(open=waited) if waited.exceeds is None:
            return "overdue", waited.queue, waited.contact_id
        case events.CallbackOverdue(open=overdue) | events.CallbackEscalated(open=overdue):
            callback = before.matter.callbacks.get(overdue.callback_id)
            return "overdue", _queue(overdue.to), callback.contact_id if callback else None
        case _:
            return _to_be_looked_at(event)


def _to_be_looked_at(event: events.AnyEvent) -> tuple[str, str | None, str | None] | None:
    """Return the same of what a rule wants somebody to look at, and of what was not good for the customer."""
    match event:
        case events.AttentionRequested(open=wanted):
            return "rule", _queue(wanted.to), None
        case events.FeedbackGiven(open=given) if given.low:
            return "low_feedback", given.queue, given.contact_id
        case events.DiscontentNoticed(open=noticed):
            return "discontent", noticed.queue, None
        case _:
            return None


def _queue(to: str) -> str | None:
    """Return the queue that was told; `None` where an agent was."""
    return to.removeprefix("queue-") if to.startswith("queue-") else None


async def overlooked(reading: Reading, asked: queries.AskOverlooked) -> queries.Overlooked:
    """Answer which requests nobody who is there has seen, the longest overlooked first, and of how many matters."""
    seen_by = await who_sees(reading)
    page = await reading.page(
        queries.OverlookedLine, "overlooked", seen_by, asked=asked, distinct="conversation"
    )
    parked = await parked_count(reading)
    return queries.Overlooked(
        position=await reading.position(),
        count=page.count + parked,
        next=page.next,
        requests=page.lines,
        parked=parked,
    )
