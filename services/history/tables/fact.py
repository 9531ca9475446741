"""Table `fact`: what was told, corrected and told again."""

from collections.abc import Iterable
from datetime import datetime

from services.history.tables import conversation, row
from services.history.tables.table import Step, Table, changed
from shared.conversation import Conversation


class FactRow(row.ReplacedRow, frozen=True, kw_only=True):
    """`sequence`: of the event that stated the fact; `repeated`: how often the customer had to repeat the fact."""

    table = "fact"
    key = ("tenant", "conversation", "fact_id")
    tenant: str
    conversation: str
    fact_id: str
    sequence: int
    name: str
    value: row.Words
    origin: str
    channel: str | None
    contact_id: str | None
    told_to: str | None
    said: datetime
    corrected: bool
    repeated: int


def rows(step: Step[Conversation]) -> Iterable[FactRow]:
    """Return the rows of the facts that an event changed."""
    before, after = step.before.matter, step.after.matter
    if before is after:
        return ()
    tenant, name = step.key
    return [
        FactRow(
            tenant=tenant,
            conversation=name,
            fact_id=fact.fact_id,
            sequence=fact.sequence,
            name=fact.name,
            value=fact.value,
            origin=fact.origin,
            channel=fact.channel,
            contact_id=fact.contact_id,
            told_to=fact.told_to,
            said=fact.said,
            corrected=fact.corrected,
            repeated=fact.repeated,
        )
        for fact in changed(before.facts, after.facts)
    ]


TABLE = Table(FactRow, rows, of=conversation.FOLD)
