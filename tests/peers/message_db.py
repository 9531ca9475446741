"""message-db: its tables and functions on the embedded Postgres, by asyncpg; it has no server or client of its own."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import asyncpg

from shared.codec import decode, encode
from shared.events import AnyEvent
from shared.ledger import Recorded
from tests.peers.events import DECISION_EVENTS, Decision, uuid_of
from tests.peers.store import LAID_AT_ONCE, READ_AT_ONCE, WRITERS, pieces, recorded, side_by_side
from tests.support.servers import EmbeddedPostgres

DATABASE = Path(".venv-peers/node_modules/@eventide/message-db/database")
FUNCTIONS = (
    *("message-store-version", "hash-64", "acquire-lock", "category", "is-category", "id"),
    *("cardinal-id", "stream-version", "write-message", "get-stream-messages"),
    *("get-category-messages", "get-last-stream-message"),
)
SCRIPTS = (
    *("schema/message-store", "tables/messages", "types/message"),
    *(f"functions/{name}" for name in FUNCTIONS),
    *(f"indexes/messages-{name}" for name in ("id", "stream", "category")),
)
"""As its install.sh runs them. Without its role and rights, and without pgcrypto: Postgres has what it needs."""
READ = "SELECT global_position, data FROM messages WHERE global_position > $1 ORDER BY global_position LIMIT $2"
"""Its functions read a stream or a category; all of it in order stands in its table."""
STREAM = "SELECT data FROM get_stream_messages($1, 0, -1)"

ARGUMENTS = 5
Call = tuple[str, str, str, str, int]
"""Id, stream, type, data, expected version: what `write_message` takes."""


def _write(number: int) -> str:
    """Return the call of a statement that has this number, from 0."""
    first, *others, last = (f"${number * ARGUMENTS + each}" for each in range(1, ARGUMENTS + 1))
    return f"write_message({', '.join([first, *others])}::jsonb, NULL, {last})"


WRITE = f"SELECT {_write(0)}"


def available() -> bool:
    """Tell whether its package was fetched."""
    return DATABASE.is_dir()


class MessageDb:
    """One database with message-db in it."""

    name: ClassVar[str] = "message-db"
    promises: ClassVar[str] = (
        "expected version of each stream; one message a call, several are all or nothing in the caller's transaction; "
        "writers of one category wait for each other until the commit, and only a category is in order without late "
        "comers; JSON is kept as jsonb, not byte for byte"
    )

    def __init__(self, server: EmbeddedPostgres, pool: Any) -> None:
        self._server = server
        self.pool = pool
        self._versions: dict[str, int] = {}

    @classmethod
    async def open(cls, held: AsyncExitStack, server: EmbeddedPostgres) -> "MessageDb":
        """Install it into an empty database."""
        settings = {"search_path": "message_store,public", "client_min_messages": "error"}
        pool = await held.enter_async_context(
            asyncpg.create_pool(
                server.dsn, min_size=WRITERS, max_size=WRITERS, server_settings=settings
            )
        )
        for name in SCRIPTS:
            await pool.execute((DATABASE / f"{name}.sql").read_text("utf-8"))
        return cls(server, pool)

    @classmethod
    def version(cls) -> str:
        """Which version it says it is."""
        return (DATABASE / "VERSION.txt").read_text("utf-8").strip()

    @property
    def pids(self) -> Sequence[int]:
        assert self._server.pid is not None
        return [self._server.pid]

    def _call(self, stream: str, event: AnyEvent) -> Call:
        """Return what writes an event behind the last one of its stream."""
        version = self._versions.get(stream, -1)
        self._versions[stream] = version + 1
        kind = str(type(event).__struct_config__.tag)
        return str(uuid_of(event.id)), stream, kind, encode(event).decode(), version

    async def lay(self, events: Sequence[AnyEvent]) -> None:
        async with self.pool.acquire() as connection:
            for piece in pieces(events, LAID_AT_ONCE):
                calls = [self._call(event.aggregate, event) for event in piece]
                await connection.executemany(WRITE, calls)

    async def append(self, events: Sequence[AnyEvent]) -> None:
        async with self.pool.acquire() as connection:
            write = await connection.prepare(WRITE)
            for event in events:
                await write.fetchval(*self._call(event.aggregate, event))

    async def decide(self, decisions: Sequence[Decision]) -> None:
        """As its own clients write several messages: a transaction, a call for each."""

        async def writer(share: Iterable[Decision]) -> None:
            async with self.pool.acquire() as connection:
                write = await connection.prepare(WRITE)
                for decision in share:
                    async with connection.transaction():
                        for call in self._calls(decision):
                            await write.fetchval(*call)

        await side_by_side(decisions, writer)

    async def decide_in_one_statement(self, decisions: Sequence[Decision]) -> None:
        """In one statement with all calls, which no client of it does: one journey while others wait."""
        calls = ", ".join(_write(number) for number in range(DECISION_EVENTS))

        async def writer(share: Iterable[Decision]) -> None:
            async with self.pool.acquire() as connection:
                write = await connection.prepare(f"SELECT {calls}")
                for decision in share:
                    await write.fetchrow(
                        *(value for call in self._calls(decision) for value in call)
                    )

        await side_by_side(decisions, writer)

    def _calls(self, decision: Decision) -> list[Call]:
        return [self._call(stream, event) for stream, events in decision for event in events]

    async def batches(self) -> AsyncIterator[Sequence[Recorded]]:
        async with self.pool.acquire() as connection:
            read = await connection.prepare(READ)
            position = 0
            while rows := await read.fetch(position, READ_AT_ONCE):
                yield [recorded(row[0], row[1].encode()) for row in rows]
                position = rows[-1][0]

    async def read(self, aggregates: Sequence[str]) -> int:
        count = 0
        async with self.pool.acquire() as connection:
            read = await connection.prepare(STREAM)
            for aggregate in aggregates:
                count += len([decode(row[0].encode()) for row in await read.fetch(aggregate)])
        return count
