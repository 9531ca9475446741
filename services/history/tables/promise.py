"""Table `promise`: what was promised, and whether it was kept."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from services.history.tables import conversation, row
from services.history.tables.table import Reading, Step, Table, changed
from shared import instants, queries
from shared.conversation import Conversation
from shared.queries import AskPromises, PromiseLine, Promises


class PromiseRow(row.ReplacedRow, frozen=True, kw_only=True):
    """`agent`: whose it is; `kept`: the time of keeping; `ending`: `withdrawn` or `broken`; neither while it is open.

    `first_due`, `moved`, `missed`: see `shared.conversation.Promise`.
    """

    table = "promise"
    key = ("tenant", "conversation", "promise_id")
    tenant: str
    conversation: str
    promise_id: str
    agent: str
    text: row.Words
    made: datetime
    due: datetime
    kept: datetime | None
    queue: str | None
    first_due: datetime | None
    moved: int
    missed: bool
    ending: str | None


def rows(step: Step[Conversation]) -> Iterable[PromiseRow]:
    """Return the rows of the promises that an event changed."""
    before, after = step.before.matter, step.after.matter
    if before is after:
        return ()
    tenant, name = step.key
    return [
        PromiseRow(
            tenant=tenant,
            conversation=name,
            promise_id=promise.promise_id,
            agent=promise.by,
            text=promise.text,
            made=promise.made,
            due=promise.due,
            kept=promise.kept,
            queue=promise.queue,
            first_due=promise.first_due,
            moved=promise.moved,
            missed=promise.missed,
            ending=promise.end,
        )
        for promise in changed(before.promises, after.promises)
    ]


TABLE = Table(PromiseRow, rows, of=conversation.FOLD)


async def promises(reading: Reading, asked: AskPromises) -> Promises:
    """Answer what was promised, the most urgent first."""
    page = await reading.page(
        PromiseLine, "promises", asked.agent, asked.queue, asked.status, asked=asked
    )
    return Promises(
        position=await reading.position(), count=page.count, next=page.next, promises=page.lines
    )


async def promise_rates(reading: Reading, asked: queries.AskPromiseRates) -> queries.PromiseRates:
    """Answer how many promises were kept in time, in all, by agent and by queue."""
    since, until = (
        None if at is None else instants.within(at) for at in (asked.since, asked.until)
    )
    lines: dict[str, list[queries.PromiseRateLine]] = {"all": [], "agent": [], "queue": []}
    for found in await reading.rows("promise_rates", since, until):
        lines[found["whose"]].append(_rate(found))
    return queries.PromiseRates(
        position=await reading.position(),
        all=lines["all"][0],
        agents=lines["agent"],
        queues=lines["queue"],
    )


def _rate(counted: Mapping[str, Any]) -> queries.PromiseRateLine:
    kept, late, broken = counted["in_time"], counted["late"], counted["broken"]
    due = kept + late + broken
    return queries.PromiseRateLine(
        name=counted["name"],
        kept=kept,
        late=late,
        broken=broken,
        rate=round(kept / due, 4) if due else None,
    )
