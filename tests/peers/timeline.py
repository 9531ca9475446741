"""A timeline written by hand from any store's events: one table and no folds, the least that a projection can be."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from shared.ledger import Recorded
from tests.peers.store import READ_AT_ONCE, Store, pieces

COLUMNS = (
    *("position", "tenant", "aggregate", "conversation", "customer"),
    *("occurred", "recorded", "type", "actor", "open"),
)
TABLE = """
CREATE TABLE {} (
    position bigint PRIMARY KEY, tenant text NOT NULL, aggregate text NOT NULL, conversation text, customer text,
    occurred timestamptz NOT NULL, recorded timestamptz NOT NULL, type text NOT NULL, actor text NOT NULL,
    open text NOT NULL
)"""
INDEX = "CREATE INDEX ON {} (conversation, position); CREATE INDEX ON {} (customer, position)"
AT = "CREATE TABLE {} (position bigint NOT NULL)"

_encode = msgspec.json.Encoder().encode


def row(recorded: Recorded) -> tuple[Any, ...]:
    """Return what the timeline says of an event."""
    event = recorded.event
    return (
        recorded.sequence,
        event.tenant,
        event.aggregate,
        event.conversation,
        event.customer,
        event.occurred,
        event.recorded,
        str(type(event).__struct_config__.tag),
        event.actor,
        _encode(event.data.open).decode(),
    )


class ByHand:
    """Writes timelines into one database, each time into an empty table."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def project(self, store: Store) -> int:
        """Read everything and write it, READ_AT_ONCE rows with their position in a transaction; how many rows."""
        connection = await asyncpg.connect(self._dsn)
        try:
            await self._empty(connection)
            count = 0
            async for batch in store.batches():
                for piece in pieces(batch, READ_AT_ONCE):
                    await self._write(connection, piece)
                    count += len(piece)
            return count
        finally:
            await connection.close()

    async def _empty(self, connection: Any) -> None:
        await connection.execute("DROP TABLE IF EXISTS by_hand, by_hand_at")
        await connection.execute(TABLE.format("by_hand"))
        await connection.execute(INDEX.format("by_hand", "by_hand"))
        await connection.execute(AT.format("by_hand_at"))
        await connection.execute("INSERT INTO by_hand_at VALUES (0)")

    async def _write(self, connection: Any, batch: Sequence[Recorded]) -> None:
        async with connection.transaction():
            await connection.copy_records_to_table(
                "by_hand", records=[row(each) for each in batch], columns=COLUMNS
            )
            await connection.execute("UPDATE by_hand_at SET position = $1", batch[-1].sequence)
