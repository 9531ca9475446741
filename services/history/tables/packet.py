"""Table `packet`: where each context packet lies; its bytes stay in the event."""

from collections.abc import Iterable

import msgspec

from services.history.domain.packets import stored_packet
from services.history.tables import conversation
from services.history.tables.row import AddedRow
from services.history.tables.table import Reading, Step, Table
from shared import errors, events, queries
from shared.conversation import Conversation

NOTHING = msgspec.Raw(b"null")


class PacketRow(AddedRow, frozen=True, kw_only=True):
    table = "packet"
    tenant: str
    packet_id: str
    conversation: str
    sha256: str


def rows(step: Step[Conversation]) -> Iterable[PacketRow]:
    """Return the row of a `context.packaged`."""
    event = step.recorded.event
    assert isinstance(event, events.ContextPackaged)
    tenant, name = step.key
    row = PacketRow(
        sequence=step.recorded.sequence,
        tenant=tenant,
        packet_id=event.open.packet_id,
        conversation=name,
        sha256=event.open.sha256,
    )
    return (row,)


TABLE = Table(PacketRow, rows, of=conversation.FOLD, on=events.ContextPackaged)


async def context(reading: Reading, asked: queries.AskContext) -> queries.ContextAnswer:
    """Answer a packet as the bytes that were stored. Raises: ConversationUnknown."""
    if asked.conversation is not None:
        row = await reading.first("packet_of_conversation", asked.conversation)
        if row is None:
            raise errors.ConversationUnknown(conversation=asked.conversation)
    else:
        row = await reading.first("packet_by_id", asked.packet_id)
    if row is None or row["packet_id"] is None:
        return queries.ContextAnswer(
            position=await reading.position(),
            packet=NOTHING,
            packet_id=None,
            sha256=None,
            sequence=None,
        )
    return queries.ContextAnswer(
        position=await reading.position(),
        packet=stored_packet(row["body"]),
        packet_id=row["packet_id"],
        sha256=row["sha256"],
        sequence=row["sequence"],
    )
