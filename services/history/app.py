"""Wires history: the stream to follow, the queries to answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

import structlog

from services.history import answering, operations, readiness
from services.history.filling import Filler
from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projector import Projector
from services.history.rebuild import RebuildResult, rebuild
from shared import clock, codec, ensuring, queries, serving, streams, tasks
from shared.bus import connect
from shared.callers import Callers
from shared.ledger import identity
from shared.ledger.jetstream import NatsLedger
from shared.monitor import Monitor
from shared.readiness import Readiness
from shared.settings import Settings
from shared.tenants import Tenants

NAME = "history"

log = structlog.get_logger("history")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Raises: StreamDrift, PolicyInvalid, SettingInvalid, SecretPublic, BusUnavailable when the connection to NATS was
    given up, or what the client raises when no server answers.
    """
    tenants = Tenants(settings)
    async with serving.connected(settings, NAME, stop) as here, opened(settings) as pool:
        await ensuring.assert_streams(here.bus, streams.wanted_by(NAME, settings))
        ledger = NatsLedger(here.bus, codec.PlainCodec())
        positions = Positions()
        answers = answering.Answers(
            pool,
            ledger,
            tenants.policies,
            positions,
            clock.SystemClock(),
            rows_max=settings.query_rows,
            wait_seconds=settings.query_wait_seconds,
        )
        await subscribe(here, answers, Callers(here, tenants.policies, NAME))
        state = readiness.ProjectionState(pool, ledger, positions)
        ready = Readiness(
            here.bus,
            NAME,
            [state.check],
            parts=lambda: tenants.troubles,
            backlog=state.backlog,
            policies=tenants.policies.versions,
        )
        serving.on_health(here, NAME, ready)
        await here.broker.start()
        projector = Projector(
            settings.postgres_dsn,
            ledger,
            positions,
            state,
            adopted=partial(identity.adopted, here.bus),
            batch_max=settings.projection_batch,
            filler=filler(settings, ledger),
        )
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(projector.run()),
                group.create_task(ready.run()),
                group.create_task(Monitor(settings, ready).run()),
                group.create_task(tenants.follow()),
            ]
            await tasks.serve(running, stop)


async def subscribe(here: serving.Connection, answers: answering.Answers, callers: Callers) -> None:
    """Wire every subject to its handler."""
    for name, kind in queries.QUERIES.items():
        if kind.served_by == NAME:
            await serving.on_query(here, f"query.*.{name}", NAME, partial(answers.answer, kind))
            await callers.query(name, partial(answers.answer, kind))
    serving.on_request(
        here.broker, f"ops.{NAME}.rebuild", NAME, operations.OperatorRequests().rebuild
    )


async def rebuild_once(settings: Settings, *, switch: bool) -> RebuildResult:
    """Rebuild and compare; see `rebuild.rebuild`."""
    bus = await connect(settings.bus_address(), f"{NAME}-rebuild")
    try:
        async with opened(settings) as pool:
            ledger = NatsLedger(bus, codec.PlainCodec())
            return await rebuild(
                settings.postgres_dsn,
                pool,
                ledger,
                batch_max=settings.projection_batch,
                switch=switch,
                filler=filler(settings, ledger),
            )
    finally:
        await bus.close()


def filler(settings: Settings, ledger: NatsLedger) -> Filler:
    """Return what fills a new generation."""
    return Filler(settings.postgres_dsn, ledger.in_bulk(), settings.rebuild_processes)


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Pool]:
    """Give the connections for queries and end them."""
    pool = Pool(settings.postgres_dsn)
    try:
        yield pool
    finally:
        await pool.close()
