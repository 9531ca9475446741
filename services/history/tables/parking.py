"""Table `parking`: what was parked, what could not be read, and what became of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from services.history.tables.row import AddedRow
from services.history.tables.table import Reading, Step, Table
from shared import events, parked_ids, queries

RAW = "RAW"
"""The stream of an event's evidence: `shared.streams` leads to the bus, which no table reaches."""


class ParkingRow(AddedRow, frozen=True, kw_only=True):
    """`state`: `parked`, `retried` or `skipped`; the last row of an id counts. Where it stands is in the first one."""

    table = "parking"
    tenant: str
    parked_id: str
    state: str
    type: str | None
    event_id: str | None
    stream: str | None
    position: int | None
    raw: str | None
    error: str | None
    failures: int | None
    recorded: datetime


def rows(step: Step[Any]) -> Iterable[ParkingRow]:
    """Return the row of an event about what waits for an operator."""
    event = step.recorded.event
    match event:
        case events.ContactParked() | events.WorkParked():
            return (_row(step, event, "parked", event.open),)
        case events.PayloadQuarantined():
            return (_unread(step, event),)
        case events.ContactRetried() | events.WorkRetried():
            return (_row(step, event, "retried"),)
        case events.ContactSkipped() | events.WorkSkipped():
            return (_row(step, event, "skipped"),)
        case _:
            return ()


def _row(
    step: Step[Any], event: events.ParkingEvent, state: str, parked: events.ParkedOpen | None = None
) -> ParkingRow:
    return ParkingRow(
        sequence=step.recorded.sequence,
        tenant=event.tenant,
        parked_id=event.open.parked_id,
        state=state,
        type=getattr(parked, "event_type", None),
        event_id=getattr(parked, "event_id", None),
        stream=None if parked is None else parked.stream,
        position=None if parked is None else parked.sequence,
        raw=event.raw,
        error=None if parked is None else parked.error,
        failures=None if parked is None else parked.failures,
        recorded=event.recorded,
    )


def _unread(step: Step[Any], event: events.PayloadQuarantined) -> ParkingRow:
    """Return the row of a delivery that could not be read: parked, for a person must look at it in RAW."""
    recorded = step.recorded
    return ParkingRow(
        sequence=recorded.sequence,
        tenant=event.tenant,
        parked_id=parked_ids.of_unread(recorded.aggregate, recorded.sequence),
        state="parked",
        type=event.type,
        event_id=None,
        stream=RAW,
        position=events.RawRef.parse(event.raw).sequence if event.raw else 0,
        raw=event.raw,
        error=event.open.code,
        failures=1,
        recorded=event.recorded,
    )


TABLE = Table(ParkingRow, rows, on=events.ParkingEvent | events.PayloadQuarantined)


async def parked(reading: Reading, asked: queries.AskParked) -> queries.ParkedAnswer:
    """Answer what is parked now, the longest parked first."""
    page = await reading.page(queries.ParkedLine, "parked", asked=asked)
    return queries.ParkedAnswer(
        position=await reading.position(), count=page.count, next=page.next, parked=page.lines
    )


async def parked_count(reading: Reading) -> int:
    """Return how much is parked now."""
    row = await reading.first("parked_count")
    assert row is not None
    return int(row["parked"])
