"""Table `event`: every event as it lies in the ledger."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.history.tables.row import AddedRow
from services.history.tables.table import Reading, Step, Table
from shared import aggregates, queries
from shared.events import EntryRejected
from shared.queries import AskKnown, KnownAnswer, KnownEvent, SetAsideEvent

PAGE_MAX_BYTES = 512 * 1024
"""Of a page of the ledger: it begins with what fits, and has one event at least."""
NO_EVENT = msgspec.Raw(b"null")
REJECTED = str(EntryRejected.__struct_config__.tag)


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


async def entries(reading: Reading, asked: queries.AskEntries) -> queries.Entries:
    """Answer what the ledger holds, a page at a time."""
    limit = min(asked.limit or reading.rows_max, reading.rows_max)
    found = await reading.rows("entries", asked.after, limit + 1, PAGE_MAX_BYTES)
    page = [_entry(row) for row in found[:limit]]
    more = page and len(page) < found[0]["ahead"]
    return queries.Entries(
        position=await reading.position(),
        entries=page,
        next=page[-1].sequence if more else None,
    )


def _entry(row: Mapping[str, Any]) -> queries.LedgerEntry:
    """Return an entry as it was stored; nothing of what an operator rejected, which may be no JSON."""
    rejected = row["type"] == REJECTED and not row["aggregate"].startswith(aggregates.ENTRY.of(""))
    event = NO_EVENT if rejected else msgspec.Raw(row["body"])
    return queries.LedgerEntry(sequence=row["sequence"], event=event)
