"""Table `callback`: the calls that are owed, and how they ended."""

from collections.abc import Iterable
from datetime import datetime

from services.history.tables import conversation, row
from services.history.tables.table import Reading, Step, Table, changed
from shared.conversation import Conversation
from shared.queries import AskCallbacks, CallbackLine, Callbacks


class CallbackRow(row.ReplacedRow, frozen=True, kw_only=True):
    """`contact_id`: the call that was lost; `status`: `open`, `reached` or `closed`; the others as in `Callback`."""

    table = "callback"
    key = ("tenant", "conversation", "callback_id")
    tenant: str
    conversation: str
    callback_id: str
    contact_id: str
    queue: str
    due: datetime
    reason: str
    attempts: int
    status: str
    outcome: str | None
    promised: datetime | None
    settled: datetime | None
    closed_for: str | None
    goes_on_as: str | None


def rows(step: Step[Conversation]) -> Iterable[CallbackRow]:
    """Return the rows of the callbacks that an event changed."""
    before, after = step.before.matter, step.after.matter
    if before is after:
        return ()
    tenant, name = step.key
    return [
        CallbackRow(
            tenant=tenant,
            conversation=name,
            callback_id=callback.callback_id,
            contact_id=callback.contact_id,
            queue=callback.queue,
            due=callback.due,
            reason=callback.reason,
            attempts=callback.attempts,
            status=callback.status,
            outcome=callback.outcome,
            promised=callback.promised,
            settled=callback.settled,
            closed_for=callback.closed_for,
            goes_on_as=callback.goes_on_as,
        )
        for callback in changed(before.callbacks, after.callbacks)
    ]


TABLE = Table(CallbackRow, rows, of=conversation.FOLD)


async def callbacks(reading: Reading, asked: AskCallbacks) -> Callbacks:
    """Answer who is owed a call, the most urgent first."""
    page = await reading.page(CallbackLine, "callbacks", asked.queue, asked.status, asked=asked)
    return Callbacks(
        position=await reading.position(), count=page.count, next=page.next, callbacks=page.lines
    )
