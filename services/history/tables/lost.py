"""Table `lost`: the contacts that nobody took, each with the call that is owed for it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from services.history.domain.losses import counts
from services.history.tables import paging
from services.history.tables.row import AddedRow
from services.history.tables.table import Reading, Step, Table
from shared import events
from shared.queries import AskMissed, Missed, MissedLine


class LostRow(AddedRow, frozen=True, kw_only=True):
    """`reason`: how it was lost; `unreachable`: no number was known, and no call is owed."""

    table = "lost"
    tenant: str
    conversation: str
    contact_id: str
    lost: datetime
    reason: str
    queue: str
    callback_id: str
    unreachable: bool


def rows(step: Step[Any]) -> Iterable[LostRow]:
    """Return the row of an event by which a contact was lost."""
    event = step.recorded.event
    if not isinstance(event, events.ContactMissed | events.ContactAbandoned):
        return ()
    row = LostRow(
        sequence=step.recorded.sequence,
        tenant=event.tenant,
        conversation=event.conversation or "",
        contact_id=event.open.contact_id,
        lost=event.recorded,
        reason=event.open.reason or event.type.removeprefix("contact."),
        queue=event.open.queue,
        callback_id=event.open.callback_id,
        unreachable=event.open.unreachable,
    )
    return (row,)


TABLE = Table(LostRow, rows, on=events.ContactMissed | events.ContactAbandoned)


async def missed(reading: Reading, asked: AskMissed) -> Missed:
    """Answer what became of the contacts that were lost in a time, the first first."""
    place, limit = paging.place(asked.after, asked.name), reading.limit(asked)
    found = await reading.rows("lost", asked.since, asked.until, asked.queue)
    wanted = [each for each in found if asked.fate in (None, each["fate"])]
    behind = [
        each for each in wanted if place is None or (each["page_at"], each["page_id"]) > place
    ]
    page = paging.page(MissedLine, asked.name, behind, limit, len(wanted))
    everything = paging.page(MissedLine, asked.name, found, len(found), len(found))
    return Missed(
        position=await reading.position(),
        count=page.count,
        next=page.next,
        counts=counts(everything.lines),
        contacts=page.lines,
    )
