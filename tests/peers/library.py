"""The Python library eventsourcing, by an application of its own on the embedded Postgres, as its documents show it."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from functools import singledispatchmethod
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Composed

from shared.codec import decode, encode
from shared.events import AnyEvent
from shared.ledger import Recorded
from tests.peers.events import Decision, uuid_of
from tests.peers.store import LAID_AT_ONCE, READ_AT_ONCE, WRITERS, Threads, pieces, recorded
from tests.peers.timeline import COLUMNS, INDEX, TABLE, row
from tests.support.servers import EmbeddedPostgres

INSERT = f"INSERT INTO {{}} VALUES ({', '.join('%s' for _ in COLUMNS)})"
RUN_SECONDS = 300.0


class Case(Aggregate):  # type: ignore[misc]
    """One of our aggregates: its events hold ours."""

    @event("Opened")  # type: ignore[untyped-decorator]
    def __init__(self, stream: str, body: str) -> None:
        """Nothing is folded: only storing is measured."""

    @staticmethod
    def create_id(stream: str) -> UUID:
        """Give every aggregate of ours one id."""
        return uuid_of(stream)

    @event("Continued")  # type: ignore[untyped-decorator]
    def go_on(self, body: str) -> None:
        """Nothing is folded."""


class Cases(Application):  # type: ignore[misc]
    """The application. Aggregates stay with the writer."""


class Eventsourcing:
    """One application in one database, with the library's own encoding."""

    name: ClassVar[str] = "eventsourcing"
    promises: ClassVar[str] = (
        "expected version of each aggregate, by a unique key; all or nothing over the aggregates of one `save`; "
        "one order, for writers wait for each other at a lock of the table"
    )

    def __init__(self, server: EmbeddedPostgres) -> None:
        at = urlsplit(server.dsn)
        self._environment = {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_HOST": str(at.hostname),
            "POSTGRES_PORT": str(at.port),
            "POSTGRES_USER": str(at.username),
            "POSTGRES_PASSWORD": "none",
            "POSTGRES_DBNAME": at.path.removeprefix("/"),
            "POSTGRES_POOL_SIZE": str(WRITERS),
            "POSTGRES_MAX_WAITING": str(WRITERS),
        }
        self._server = server
        self._threads = Threads()
        self._app: Any = Cases(env=self._environment)
        self._cases: dict[str, Any] = {}
        self._runs = 0

    @classmethod
    async def open(cls, held: AsyncExitStack, server: EmbeddedPostgres) -> "Eventsourcing":
        """Make its tables in an empty database."""
        made = cls(server)
        held.callback(made.close)
        return made

    def close(self) -> None:
        """Give its connections back."""
        self._threads.close()
        self._app.close()

    @property
    def pids(self) -> Sequence[int]:
        assert self._server.pid is not None
        return [self._server.pid]

    def _case(self, aggregate: str, happened: AnyEvent) -> Any:
        """Return the aggregate with another event that is not saved yet."""
        body = encode(happened).decode()
        case = self._cases.get(aggregate)
        if case is None:
            case = self._cases[aggregate] = Case(stream=aggregate, body=body)
        else:
            case.go_on(body=body)
        return case

    async def lay(self, events: Sequence[AnyEvent]) -> None:
        for piece in pieces(events, LAID_AT_ONCE):
            made = [
                stored
                for each in piece
                for stored in map(
                    self._app.mapper.to_stored_event,
                    self._case(each.aggregate, each).collect_events(),
                )
            ]
            await self._threads.run(self._app.recorder.insert_events, made)

    async def append(self, events: Sequence[AnyEvent]) -> None:
        await self._threads.run(self._append, events)

    def _append(self, events: Sequence[AnyEvent]) -> None:
        for each in events:
            self._app.save(self._case(each.aggregate, each))

    async def decide(self, decisions: Sequence[Decision]) -> None:
        await self._threads.share(decisions, self._decide)

    def _decide(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            cases = {
                aggregate: self._case(aggregate, each)
                for aggregate, events in decision
                for each in events
            }
            self._app.save(*cases.values())

    async def batches(self) -> AsyncIterator[Sequence[Recorded]]:
        position = 0
        while section := await self._threads.run(self._section, position + 1):
            yield section
            position = section[-1].sequence

    def _section(self, first: int) -> list[Recorded]:
        found = self._app.recorder.select_notifications(first, READ_AT_ONCE)
        return [
            recorded(each.id, self._app.mapper.to_domain_event(each).body.encode())
            for each in found
        ]

    async def read(self, aggregates: Sequence[str]) -> int:
        return await self._threads.run(self._read, aggregates)

    def _read(self, aggregates: Sequence[str]) -> int:
        return sum(
            len([decode(each.body.encode()) for each in self._app.events.get(uuid_of(aggregate))])
            for aggregate in aggregates
        )

    async def run_projection(self, count: int) -> int:
        """Project the first events by the library's runner, into a view of their own: a transaction an event."""
        self._runs += 1
        return await self._threads.run(self._project, count, f"run{self._runs}")

    def _project(self, count: int, name: str) -> int:
        projection = type("Timeline", (TimelineProjection,), {"name": name})
        with ProjectionRunner(
            application_class=Cases,
            projection_class=projection,
            view_class=TimelineView,
            env=self._environment | {"POSTGRES_POOL_SIZE": "4"},
        ) as runner:
            runner.wait(count, timeout=RUN_SECONDS)
            projected: int = runner.view.max_tracking_id("Cases")
        return projected


class TimelineView(PostgresTrackingRecorder):  # type: ignore[misc]
    """One table, written with the position in one transaction."""

    def __init__(self, datastore: Any, **options: Any) -> None:
        super().__init__(datastore, **options)
        self._table = self.tracking_table_name.replace("tracking", "timeline")
        for text in (TABLE.format(self._table), INDEX.format(self._table, self._table)):
            self.sql_create_statements.append(Composed([SQL(text)]))
        self._insert = INSERT.format(self._table)

    def insert(self, values: tuple[Any, ...], tracking: Any) -> None:
        """Write a row and where it stands."""
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(self._insert, values, prepare=True)
            self._insert_tracking(cursor, tracking)


class TimelineProjection(Projection):  # type: ignore[misc]
    """Writes the same rows as `timeline.ByHand`."""

    @singledispatchmethod
    def process_event(self, stored: Any, tracking: Any) -> None:
        """Write one event."""
        self.view.insert(row(recorded(tracking.notification_id, stored.body.encode())), tracking)
