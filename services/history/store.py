"""Postgres: the one file that imports its driver.

A `Session` is one connection; the projector and a rebuild own one each, queries borrow them from a pool.
Whatever the driver raises because Postgres is away, starting, stopping or slow becomes `ViewUnavailable`.
"""

import asyncio
import contextlib
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any, Literal

import asyncpg
from msgspec.structs import astuple

from services.history import sql
from services.history.tables.row import Key, ReplacedRow, Row, text_places
from shared.errors import ViewUnavailable

CONNECT_TIMEOUT_SECONDS = 3.0
STATEMENT_TIMEOUT_SECONDS = 30.0
LONG_TIMEOUT_SECONDS = 600.0
CLOSE_TIMEOUT_SECONDS = 2.0
NUL_STANDS_AS = "\N{SYMBOL FOR NULL}"
"""Postgres text holds no NUL byte; the ledger does."""
FROZEN_OWNER_SECONDS = 6
"""Postgres ends the session of an owner that says nothing for so long: its lock is free for a standby."""

NOT_MIGRATED = "not_migrated"
"""The reason of ViewUnavailable where no tables were ever made."""

Isolation = Literal["read_committed", "repeatable_read"]

_SESSION_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO",
    "bytea_output": "hex",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "client_connection_check_interval": "1s",  # a query ends soon after whoever asked has ended the connection
}
_WATCHED = {
    "idle_session_timeout": f"{FROZEN_OWNER_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{FROZEN_OWNER_SECONDS}s",
}

AWAY = (
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
        with translated():
            rows: list[Mapping[str, Any]]
            rows = await self._connection.fetch(sql.query(name), *arguments)
        return rows

    async def count(
        self, name: str, *arguments: Any, distinct: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return one row whose `count` is how many rows a named query has, or values of its column `distinct`."""
        with translated():
            rows: list[Mapping[str, Any]] = await self._connection.fetch(
                sql.counting(name, distinct), *arguments
            )
        return rows

    async def fetch_one(self, name: str, *arguments: Any) -> Mapping[str, Any] | None:
        """Return the first row of a named query; `None` when there is none."""
        with translated():
            row: Mapping[str, Any] | None = await self._connection.fetchrow(
                sql.query(name), *arguments
            )
        return row

    async def execute(self, name: str, *arguments: Any) -> None:
        """Run a named query and drop what it returns."""
        with translated():
            await self._connection.execute(sql.query(name), *arguments)

    async def index(self, table: str) -> None:
        """Make the keys and indexes of a table. Raises: RowRepeated where a key is there twice."""
        with translated(), _new():
            await self._connection.execute(
                sql.query(f"index_{table}"), timeout=LONG_TIMEOUT_SECONDS
            )

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
        with translated():
            await self._connection.execute(written["statement"])

    async def write(self, row: type[Row], rows: Collection[Row]) -> None:
        """Write rows of a table, new ones by COPY. Raises: RowRepeated when a new one is there already."""
        values = [_storable(each) for each in rows]
        with translated(), _new():
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
        with translated(), _new():
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
        with translated():
            rows: list[Mapping[str, Any]] = await self._connection.fetch(
                sql.before(tables), *arguments
            )
        return rows

    async def copy_out(self, statement: str, take: Callable[[bytes], None]) -> None:
        """Give `take` the rows of a query without parameters in COPY's text form, piece by piece."""

        async def receive(piece: bytes) -> None:
            take(piece)

        with translated():
            await self._connection.copy_from_query(
                statement, output=receive, timeout=LONG_TIMEOUT_SECONDS
            )

    @contextlib.asynccontextmanager
    async def transaction(
        self, isolation: Isolation = "read_committed", *, readonly: bool = False
    ) -> AsyncIterator[None]:
        """All or nothing."""
        with translated():
            async with self._connection.transaction(isolation=isolation, readonly=readonly):
                yield

    async def close(self) -> None:
        """End the connection; never waits longer than CLOSE_TIMEOUT_SECONDS."""
        try:
            await asyncio.wait_for(self._connection.close(), CLOSE_TIMEOUT_SECONDS)
        except (*AWAY, asyncpg.PostgresError):
            self._connection.terminate()


async def connect(
    dsn: str,
    name: str,
    settings: Mapping[str, str],
    *,
    timeout_seconds: float | None = STATEMENT_TIMEOUT_SECONDS,
) -> Any:
    """Return the driver's connection. Its statements keep one plan: planning costs as much as running most of them.

    `timeout_seconds`: of a statement; without it somebody else ends what takes too long. Raises: ViewUnavailable.
    """
    with translated():
        return await asyncpg.connect(
            dsn,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=timeout_seconds,
            server_settings={
                **_SESSION_SETTINGS,
                "application_name": f"tellonce-history-{name}",
                **settings,
            },
        )


@contextlib.asynccontextmanager
async def owner_session(dsn: str, *, watched: bool) -> AsyncIterator[Session]:
    """Give a connection that may hold locks. `watched`: Postgres ends it when its owner is frozen.

    Raises: ViewUnavailable.
    """
    session = Session(await connect(dsn, "projector", _WATCHED if watched else {}))
    try:
        yield session
    finally:
        await session.close()


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
def translated() -> Iterator[None]:
    """Turn what the driver raises when Postgres is away into our error."""
    try:
        yield
    except AWAY as error:
        raise ViewUnavailable(reason=type(error).__name__) from error
    except asyncpg.UndefinedTableError as error:
        raise ViewUnavailable(reason=NOT_MIGRATED) from error
