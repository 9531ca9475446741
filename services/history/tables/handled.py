"""Table `handled`: how the contacts of each conversation were handled; table `stretch` has the time of agents."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.history.domain import handling, measures
from services.history.domain.handling import CHANGED_BY, NOTHING_HANDLED, HandledConversation
from services.history.tables import attendance
from services.history.tables.row import Key, ReplacedRow
from services.history.tables.table import Fold, Reading
from shared import aggregates, errors, instants, queries
from shared.ledger import Recorded

CONVERSATIONS_MAX = 20_000
"""Of so many one answer is made, and not of more."""
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(HandledConversation)


class HandledRow(ReplacedRow, frozen=True, kw_only=True):
    """`since`, `until`: the first and the last instant by which it has part in a range; `state`: the fold."""

    table = "handled"
    key = ("tenant", "id")
    tenant: str
    id: str
    since: datetime | None
    until: datetime | None
    state: bytes


def key_of(recorded: Recorded) -> Key | None:
    """Return the tenant and the conversation of an event that changes how it was handled; of others `None`."""
    if type(recorded.event) not in CHANGED_BY:
        return None
    kind, name = aggregates.split(recorded.aggregate)
    return (recorded.event.tenant, name) if kind == aggregates.CONVERSATION.prefix else None


def evolve(known: HandledConversation, recorded: Recorded) -> HandledConversation:
    """Return the fold after an event."""
    return handling.evolve(known, recorded.event)


def write(key: Key, known: HandledConversation) -> HandledRow:
    """Return the row of a conversation."""
    tenant, name = key
    counted = [each.began for each in known.contacts.values() if each.began is not None]
    counted += [each.at for each in known.promises.values()]
    return HandledRow(
        tenant=tenant,
        id=name,
        since=min(counted, default=None),
        until=max(counted, default=None),
        state=_encoder.encode(known),
    )


def read(state: bytes) -> HandledConversation:
    """Return the fold in a row's `state`."""
    return _decoder.decode(state)


FOLD = Fold(
    row=HandledRow,
    kind=aggregates.CONVERSATION,
    key=key_of,
    empty=NOTHING_HANDLED,
    evolve=evolve,
    write=write,
    read=read,
    beside=True,
)


# -- the answer ---------------------------------------------------------------------------------------


async def measured(reading: Reading, asked: queries.AskMeasures) -> queries.MeasuresAnswer:
    """Answer how the contacts of a range were handled. Raises: RangeTooLarge."""
    since, until = instants.within(asked.since), instants.within(asked.until)
    scope = measures.Scope(
        since=since, until=until, queue=asked.queue, agent=asked.agent, channel=asked.channel
    )
    found = await reading.rows("handled_in", since, until, CONVERSATIONS_MAX + 1)
    _check(found)
    handled = measures.HandledWork(
        conversations={row["id"]: read(row["state"]) for row in found},
        agents=await attendance.agents(reading, asked.agent),
        stretches=await attendance.stretches(reading, since, until, asked.agent),
    )
    return queries.MeasuresAnswer(
        position=await reading.position(), measures=measures.measured(handled, scope)
    )


def _check(found: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a range of too many conversations. Raises: RangeTooLarge."""
    if sum(row["in_range"] for row in found) > CONVERSATIONS_MAX:
        raise errors.RangeTooLarge(conversations_max=CONVERSATIONS_MAX)
