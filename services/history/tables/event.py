"""Table `event`: every event as it lies in the ledger."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from services.history.tables.row import AddedRow
from services.history.tables.table import Reading, Step, Table
from shared.queries import AskKnown, KnownAnswer, KnownEvent, SetAsideEvent


class EventRow(AddedRow, frozen=True, kw_only=True):
    """`settled`: the latest store time of all events up to this one; `body`: the stored message, byte for byte."""

    table = "event"
    id: str
    tenant: str
    aggregate: str
    type: str
    conversation: str | None
    customer: str | None
    occurred: datetime
    recorded: datetime
    stored: datetime
    settled: datetime
    raw: str | None
    body: bytes


def rows(step: Step[Any]) -> Iterable[EventRow]:
    """Return the row of an event."""
    recorded = step.recorded
    event = recorded.event
    row = EventRow(
        sequence=recorded.sequence,
        id=event.id,
        tenant=event.tenant,
        aggregate=recorded.aggregate,
        type=event.type,
        conversation=event.conversation,
        customer=event.customer,
        occurred=event.occurred,
        recorded=event.recorded,
        stored=recorded.stored,
        settled=step.settled,
        raw=event.raw,
        body=recorded.body,
    )
    return (row,)


TABLE = Table(EventRow, rows)


async def known(reading: Reading, asked: AskKnown) -> KnownAnswer:
    """Answer which event ids became facts, and which are set aside."""
    rows = await reading.rows("known", asked.ids)
    events = {row["id"]: row for row in rows if row["state"] is None}
    aside = {row["id"]: row for row in rows if row["id"] not in events}
    return KnownAnswer(
        position=await reading.position(),
        known={
            name: KnownEvent(sequence=row["sequence"], raw=row["raw"])
            for name, row in events.items()
        },
        set_aside={
            name: SetAsideEvent(state=row["state"], raw=row["raw"]) for name, row in aside.items()
        },
    )
