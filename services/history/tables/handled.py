"""Table `handled`: how the contacts of each conversation were handled; table `stretch` has the time of agents."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.history.domain import handling, measures
from services.history.domain.handling import CHANGED_BY, NOTHING_HANDLED, HandledConversation
from services.history.tables import attendance, conversation
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
    empty=NOTHING_HANDLED,
    evolve=evolve,
    write=write,
    read=read,
    beside=conversation.FOLD,
    on=CHANGED_BY,
)


# -- the answer ---------------------------------------------------------------------------------------


async def measured(reading: Reading, asked: queries.AskMeasures) -> queries.MeasuresAnswer:
    """Answer how the contacts of a range were handled. Raises: RangeTooLarge."""
    since, until = instants.within(asked.since), instants.within(asked.until)
    scope = measures.Scope(
        since=since, until=until, queue=asked.queue, agent=asked.agent, channel=asked.channel
    )
    handled = measures.HandledWork(
        conversations=await _conversations(reading, since, until),
        agents=await attendance.agents(reading, asked.agent),
        stretches=await attendance.stretches(reading, since, until, asked.agent),
    )
    # It may take half a second of computing: whoever asks something else is answered meanwhile.
    found = await asyncio.to_thread(measures.measured, handled, scope)
    return queries.MeasuresAnswer(position=await reading.position(), measures=found)


async def _conversations(
    reading: Reading, since: datetime, until: datetime
) -> dict[str, HandledConversation]:
    """Return the conversations on which the figures of a range depend. Raises: RangeTooLarge."""
    ranged = await reading.rows("handled_in", since, until, CONVERSATIONS_MAX + 1)
    if ranged and ranged[0]["in_range"] > CONVERSATIONS_MAX:
        raise errors.RangeTooLarge(conversations_max=CONVERSATIONS_MAX)
    rows = await reading.rows("handled", [each["id"] for each in ranged], since)
    return await asyncio.to_thread(_read_all, rows)


def _read_all(rows: Sequence[Mapping[str, Any]]) -> dict[str, HandledConversation]:
    return {row["id"]: read(row["state"]) for row in rows}
