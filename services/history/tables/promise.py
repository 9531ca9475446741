"""Table `promise`: what was promised, and whether it was kept."""

from collections.abc import Iterable
from datetime import datetime

from services.history.tables import conversation, row
from services.history.tables.table import Reading, Step, Table, changed
from shared.conversation import Conversation
from shared.queries import AskPromises, PromiseLine, Promises


class PromiseRow(row.ReplacedRow, frozen=True, kw_only=True):
    """`agent`: the agent who made the promise; `kept`: the time of keeping, `None` while the promise is open."""

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
        )
        for promise in changed(before.promises, after.promises)
    ]


TABLE = Table(PromiseRow, rows, of=conversation.FOLD)


async def promises(reading: Reading, asked: AskPromises) -> Promises:
    """Answer what was promised, the most urgent first."""
    page = await reading.page(PromiseLine, "promises", asked.agent, asked.status, asked=asked)
    return Promises(
        position=await reading.position(), count=page.count, next=page.next, promises=page.lines
    )
