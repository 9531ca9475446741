"""What queries read the tables by: a pool of connections, and the one state that each reader sees."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from typing_extensions import override

from services.history import sql
from services.history.store import (
    CLOSE_TIMEOUT_SECONDS,
    NOT_MIGRATED,
    Session,
    connect,
    translated,
)
from services.history.tables.row import FOUND, TRUE_AT
from shared.backoff import Backoff
from shared.errors import TellonceError, ViewUnavailable

POOL_CONNECTIONS_MAX = 8
ACQUIRE_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
LOOK_SECONDS = 1.0
"""How often somebody looks for reads that take too long."""
READ_ATTEMPTS = 3
READ_RETRY = Backoff(first_seconds=0.1, longest_seconds=1.0)

ENTERED = "SELECT 1"
"""How Postgres says that `begin_live` found a live generation."""

Reader = Callable[["Snapshot"], Awaitable[Any]]


class Snapshot(Session):
    """A reader's connection, for as long as it sees one state of the live generation."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._position: int | None = None

    async def rows(self, name: str, *arguments: Any) -> list[Mapping[str, Any]]:
        """Return the rows of a named query; the position comes with them, so that nobody need ask for it."""
        with translated():
            rows: list[Mapping[str, Any]] = await self._connection.fetch(
                sql.positioned(name), *arguments
            )
        self._position = rows[0][TRUE_AT]
        return rows if rows[0][FOUND] else []

    async def position(self) -> int:
        """Return the ledger position that this state is true for."""
        if self._position is None:
            await self.rows("position")
        assert self._position is not None
        return self._position


class SecondLook(Exception):
    """A reader wanted more than one SELECT, or the connection is in no generation that answers."""


class Glance(Snapshot):
    """A reader's connection for a single SELECT: it sees one state by itself, without a transaction."""

    _looked = False

    @override
    async def rows(self, name: str, *arguments: Any) -> list[Mapping[str, Any]]:
        """Return the rows of a named query. Raises: SecondLook."""
        if self._looked:
            raise SecondLook
        self._looked = True
        try:
            rows = await super().rows(name, *arguments)
        except ViewUnavailable as error:
            if error.details.get("reason") != NOT_MIGRATED:
                raise
            raise SecondLook from error
        if self._position is None:
            raise SecondLook
        return rows

    @override
    async def count(
        self, name: str, *arguments: Any, distinct: str | None = None
    ) -> list[Mapping[str, Any]]:
        """A list and its count are two SELECTs. Raises: SecondLook."""
        raise SecondLook


class Pool:
    """Connections for queries. It begins without any; each read takes a free one, or makes one.

    The driver's own pool begins three tasks a read and resets what no reader changes. That is half of what a small
    SELECT costs; a tenth is the driver's timer for each statement. Here one timer looks after all reads.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._room = asyncio.Semaphore(POOL_CONNECTIONS_MAX)
        self._open: set[Any] = set()
        self._free: list[Any] = []
        self._until: dict[Any, float] = {}
        self._look_again: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def read(
        self, reader: Reader, *, at_a_glance: bool = False, timeout_seconds: float | None = None
    ) -> Any:
        """Return what `reader` returns inside one snapshot of the live generation.

        `at_a_glance`: a single SELECT will do, as a rule; a reader that wants more begins again in a transaction;
        `timeout_seconds`: of each try, READ_TIMEOUT_SECONDS unless told.
        It is tried READ_ATTEMPTS times: after a restart of Postgres the first connections are dead.
        Raises: ViewUnavailable when Postgres does not answer or has no live generation yet.
        """
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                return await self._read_once(reader, at_a_glance, timeout_seconds)
            except ViewUnavailable:
                if attempt == READ_ATTEMPTS:
                    raise
            await READ_RETRY.pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    async def _read_once(
        self, reader: Reader, at_a_glance: bool, timeout_seconds: float | None
    ) -> Any:
        connection = await self._take()
        self._watch(connection, timeout_seconds or READ_TIMEOUT_SECONDS)
        usable = False
        try:
            answer = await _read(connection, reader, at_a_glance)
            usable = True
        except TellonceError as error:
            usable = not isinstance(error, ViewUnavailable)
            raise
        finally:
            self._give_back(connection, usable)
        return answer

    async def _take(self) -> Any:
        """Return a connection that nobody uses. Raises: ViewUnavailable."""
        if self._closed:
            raise ViewUnavailable(reason="closed")
        if not self._room.locked():
            await self._room.acquire()
        else:
            with translated():
                async with asyncio.timeout(ACQUIRE_TIMEOUT_SECONDS):
                    await self._room.acquire()
        try:
            while self._free:
                connection = self._free.pop()
                if not connection.is_closed():
                    return connection
                self._open.discard(connection)
            connection = await connect(self._dsn, "query", {}, timeout_seconds=None)
        except BaseException:
            self._room.release()
            raise
        self._open.add(connection)
        return connection

    def _give_back(self, connection: Any, usable: bool) -> None:
        """Take a connection back; one whose reader was cancelled or failed is ended, whatever state it is in."""
        usable = usable and not connection.is_closed()
        if usable and connection.is_in_transaction():
            task = asyncio.create_task(self._commit(connection))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        else:
            self._put(connection, usable)

    async def _commit(self, connection: Any) -> None:
        """End a reader's transaction; nobody waits for it with an answer in hand."""
        ended = False
        try:
            with contextlib.suppress(ViewUnavailable), translated():
                await connection.execute("COMMIT")
                ended = True
        finally:
            self._put(connection, ended)

    def _watch(self, connection: Any, timeout_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._until[connection] = loop.time() + timeout_seconds
        if self._look_again is None:
            self._look_again = loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """End the connections of reads that take too long; what they wait for fails."""
        loop = asyncio.get_running_loop()
        for connection, until in self._until.items():
            if loop.time() > until:
                connection.terminate()
        self._look_again = loop.call_later(LOOK_SECONDS, self._look) if self._until else None

    def _put(self, connection: Any, usable: bool) -> None:
        del self._until[connection]
        if usable and not self._closed:
            self._free.append(connection)
        else:
            connection.terminate()
            self._open.discard(connection)
        self._room.release()

    async def close(self) -> None:
        """End all connections; never waits longer than CLOSE_TIMEOUT_SECONDS for readers and Postgres."""
        self._closed = True
        with contextlib.suppress(ViewUnavailable), translated():
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                for _ in range(POOL_CONNECTIONS_MAX):
                    await self._room.acquire()
                for connection in self._free:
                    await connection.close()
        for connection in self._open:
            connection.terminate()


async def _read(connection: Any, reader: Reader, at_a_glance: bool) -> Any:
    if at_a_glance:
        with contextlib.suppress(SecondLook):
            return await reader(Glance(connection))
    with translated():
        entered = await connection.execute(sql.query("begin_live"))
    if entered != ENTERED:
        raise ViewUnavailable()
    return await reader(Snapshot(connection))
