"""Postgres: the one file that imports its driver.

A `Session` is one connection; the projector and a rebuild own one each, queries borrow them from a `Pool`.
Whatever the driver raises because Postgres is away, starting, stopping or slow becomes `ViewUnavailable`.
"""

import asyncio
import contextlib
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any, Literal

import asyncpg
from msgspec.structs import astuple
from typing_extensions import override

from services.history import sql
from services.history.tables.row import FOUND, TRUE_AT, Key, ReplacedRow, Row, text_places
from shared.backoff import Backoff
from shared.errors import ViewUnavailable

CONNECT_TIMEOUT_SECONDS = 3.0
STATEMENT_TIMEOUT_SECONDS = 30.0
COPY_OUT_TIMEOUT_SECONDS = 600.0
CLOSE_TIMEOUT_SECONDS = 2.0
POOL_CONNECTIONS_MAX = 8
ACQUIRE_TIMEOUT_SECONDS = 5.0
READ_ATTEMPTS = 3
READ_RETRY = Backoff(first_seconds=0.1, longest_seconds=1.0)
NUL_STANDS_AS = "\N{SYMBOL FOR NULL}"
"""Postgres text holds no NUL byte; the ledger does."""
FROZEN_OWNER_SECONDS = 6
"""Postgres ends the session of an owner that says nothing for so long: its lock is free for a standby."""

ENTERED = "SELECT 1"
"""How Postgres says that `begin_live` found a live generation."""

NOT_MIGRATED = "not_migrated"
"""The reason of ViewUnavailable where no tables were ever made."""

Isolation = Literal["read_committed", "repeatable_read"]

_SESSION_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO",
    "bytea_output": "hex",
    "jit": "off",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_WATCHED = {
    "idle_session_timeout": f"{FROZEN_OWNER_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{FROZEN_OWNER_SECONDS}s",
}

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver's own state is torn when a connection dies within an operation
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    OSError,
    TimeoutError,
)


class RowRepeated(Exception):
    """A row that was to be added is there already."""


class Session:
    """One connection. Raises ViewUnavailable from every call when Postgres does not answer."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, name: str, *arguments: Any) -> list[Mapping[str, Any]]:
        """Return the rows of a named query."""
        with _translated():
            rows: list[Mapping[str, Any]]
            rows = await self._connection.fetch(sql.query(name), *arguments)
        return rows

    async def count(
        self, name: str, *arguments: Any, distinct: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return one row whose `count` is how many rows a named query has, or values of its column `distinct`."""
        with _translated():
            rows: list[Mapping[str, Any]] = await self._connection.fetch(
                sql.counting(name, distinct), *arguments
            )
        return rows

    async def fetch_one(self, name: str, *arguments: Any) -> Mapping[str, Any] | None:
        """Return the first row of a named query; `None` when there is none."""
        with _translated():
            row: Mapping[str, Any] | None = await self._connection.fetchrow(
                sql.query(name), *arguments
            )
        return row

    async def execute(self, name: str, *arguments: Any) -> None:
        """Run a named query and drop what it returns."""
        with _translated():
            await self._connection.execute(sql.query(name), *arguments)

    async def create_schema(self, schema: str) -> None:
        """Make an empty schema and enter it for good."""
        await self._run_written("write_create_schema", schema)
        await self.execute("enter_for_good", schema)

    async def drop_schema(self, schema: str) -> None:
        """Drop a schema and everything in it; nothing happens when it is not there."""
        await self._run_written("write_drop_schema", schema)

    async def _run_written(self, name: str, schema: str) -> None:
        """Run the statement that a named query writes: a name cannot be an argument of these."""
        written = await self.fetch_one(name, schema)
        assert written is not None
        with _translated():
            await self._connection.execute(written["statement"])

    async def write(self, row: type[Row], rows: Collection[Row]) -> None:
        """Write rows of a table, new ones by COPY. Raises: RowRepeated when a new one is there already."""
        values = [_storable(each) for each in rows]
        with _translated(), _new():
            if issubclass(row, ReplacedRow):
                await self._connection.execute(sql.replacing(row), *_arrays(values))
            else:
                await self._connection.copy_records_to_table(
                    row.table, records=values, columns=row.__struct_fields__
                )

    async def move(self, changes: Mapping[type[Row], Collection[Row]], *checkpoint: Any) -> bool:
        """Move the checkpoint and write a few rows of several tables; tell whether it was where it had to be.

        `checkpoint`: the arguments of `move_checkpoint`. Raises: RowRepeated when a new row is there already.
        """
        columns = [
            column
            for rows in changes.values()
            for column in _arrays([_storable(each) for each in rows])
        ]
        with _translated(), _new():
            moved = await self._connection.fetchrow(
                sql.moving(tuple(changes)), *checkpoint, *columns
            )
        return moved is not None

    async def before(
        self, keys: Mapping[type[ReplacedRow], Iterable[Key]]
    ) -> list[Mapping[str, Any]]:
        """Return the `state` under each of these keys that is there, with its `fold` (the table), `tenant` and `id`."""
        tables = tuple(row.table for row in keys)
        arguments = [column for each in keys.values() for column in _arrays(each)]
        with _translated():
            rows: list[Mapping[str, Any]] = await self._connection.fetch(
                sql.before(tables), *arguments
            )
        return rows

    async def copy_out(self, statement: str, take: Callable[[bytes], None]) -> None:
        """Give `take` the rows of a query without parameters in COPY's text form, piece by piece."""

        async def receive(piece: bytes) -> None:
            take(piece)

        with _translated():
            await self._connection.copy_from_query(
                statement, output=receive, timeout=COPY_OUT_TIMEOUT_SECONDS
            )

    @contextlib.asynccontextmanager
    async def transaction(
        self, isolation: Isolation = "read_committed", *, readonly: bool = False
    ) -> AsyncIterator[None]:
        """All or nothing."""
        with _translated():
            async with self._connection.transaction(isolation=isolation, readonly=readonly):
                yield

    async def close(self) -> None:
        """End the connection; never waits longer than CLOSE_TIMEOUT_SECONDS."""
        try:
            await asyncio.wait_for(self._connection.close(), CLOSE_TIMEOUT_SECONDS)
        except (*_AWAY, asyncpg.PostgresError):
            self._connection.terminate()


class Snapshot(Session):
    """A reader's connection, for as long as it sees one state of the live generation."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._position: int | None = None

    async def rows(self, name: str, *arguments: Any) -> list[Mapping[str, Any]]:
        """Return the rows of a named query; the position comes with them, so that nobody need ask for it."""
        with _translated():
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


@contextlib.asynccontextmanager
async def owner_session(dsn: str, *, watched: bool) -> AsyncIterator[Session]:
    """Give a connection that may hold locks. `watched`: Postgres ends it when its owner is frozen.

    Raises: ViewUnavailable.
    """
    settings = {
        **_SESSION_SETTINGS,
        "application_name": "tellonce-history-projector",
        "plan_cache_mode": "force_generic_plan",
    }
    with _translated():
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=STATEMENT_TIMEOUT_SECONDS,
            server_settings={**settings, **_WATCHED} if watched else settings,
        )
    session = Session(connection)
    try:
        yield session
    finally:
        await session.close()


class Pool:
    """Connections for queries. `open` needs no Postgres; each read makes or mends its connection."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._going_back: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, dsn: str) -> "Pool":
        """Return a pool without any connection yet."""
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=POOL_CONNECTIONS_MAX,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=STATEMENT_TIMEOUT_SECONDS,
            server_settings={**_SESSION_SETTINGS, "application_name": "tellonce-history-query"},
            reset=_as_it_is,
        )
        return cls(pool)

    async def read(
        self, reader: Callable[[Snapshot], Awaitable[Any]], *, at_a_glance: bool = False
    ) -> Any:
        """Return what `reader` returns inside one snapshot of the live generation.

        `at_a_glance`: a single SELECT will do, as a rule; a reader that wants more begins again in a transaction.
        It is tried READ_ATTEMPTS times: after a restart of Postgres the first connections are dead.
        Raises: ViewUnavailable when Postgres does not answer or has no live generation yet.
        """
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                return await self._read_once(reader, at_a_glance)
            except ViewUnavailable:
                if attempt == READ_ATTEMPTS:
                    raise
            await READ_RETRY.pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    async def _read_once(
        self, reader: Callable[[Snapshot], Awaitable[Any]], at_a_glance: bool
    ) -> Any:
        with _translated():
            connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
            began = False
            try:
                if at_a_glance:
                    with contextlib.suppress(SecondLook):
                        return await reader(Glance(connection))
                began = True
                if await connection.execute(sql.query("begin_live")) != ENTERED:
                    raise ViewUnavailable()
                return await reader(Snapshot(connection))
            finally:
                task = asyncio.create_task(self._give_back(connection, began))
                self._going_back.add(task)
                task.add_done_callback(self._going_back.discard)

    async def _give_back(self, connection: Any, began: bool) -> None:
        """End a reader's transaction, cancelled at its beginning or not; nobody waits for it with an answer in hand."""
        with contextlib.suppress(*_AWAY):  # it is the pool's no more when that was closed meanwhile
            try:
                if began:
                    await connection.execute("COMMIT")
            except (*_AWAY, asyncpg.PostgresError):
                connection.terminate()
            await self._pool.release(connection)

    async def close(self) -> None:
        """End all connections; never waits longer than CLOSE_TIMEOUT_SECONDS."""
        try:
            await asyncio.wait_for(self._pool.close(), CLOSE_TIMEOUT_SECONDS)
        except (*_AWAY, asyncpg.PostgresError):
            self._pool.terminate()


async def _as_it_is(_: Any) -> None:
    """A reader's connection keeps nothing beyond its transaction, so there is nothing to reset."""


def _storable(row: Row) -> tuple[Any, ...]:
    """Return the values of a row as Postgres can hold them; nearly all are as they are."""
    values = astuple(row)
    for place in text_places(type(row)):
        text = values[place]
        if text and "\0" in text:
            return tuple(map(_without_nul, values))
    return values


def _arrays(values: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return one array per column of some rows."""
    return [list(column) for column in zip(*values, strict=True)]


def _without_nul(value: Any) -> Any:
    return value.replace("\0", NUL_STANDS_AS) if isinstance(value, str) else value


@contextlib.contextmanager
def _new() -> Iterator[None]:
    """Turn what the driver raises for a row that is there already into our error."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise RowRepeated(error.constraint_name) from error


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what the driver raises when Postgres is away into our error."""
    try:
        yield
    except _AWAY as error:
        raise ViewUnavailable(reason=type(error).__name__) from error
    except asyncpg.UndefinedTableError as error:
        raise ViewUnavailable(reason=NOT_MIGRATED) from error
