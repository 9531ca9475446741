"""History's table of contents: what it follows and what it answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

import structlog

from services.history.answering import Answers
from services.history.operations import OperatorRequests
from services.history.positions import Positions
from services.history.projector import Projector
from services.history.readiness import Announcement
from services.history.rebuild import RebuildResult, rebuild
from services.history.store import Pool
from shared import VERSION, policy, streams
from shared.bus import connect
from shared.clock import SystemClock
from shared.codec import PlainCodec
from shared.ledger.jetstream import NatsLedger
from shared.policy import Policies
from shared.queries import QUERIES
from shared.serving import Connection, connected, on_request
from shared.settings import Settings
from shared.streams import WantedStreams
from shared.tasks import end, serve

NAME = "history"

log = structlog.get_logger("history")


def wanted(settings: Settings) -> WantedStreams:
    """Return the stream that history needs."""
    configs = streams.stream_configs(
        replicas=settings.replicas, duplicate_window_seconds=settings.duplicate_window_seconds
    )
    return WantedStreams(streams=[config for config in configs if config["name"] == streams.LEDGER])


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Raises: StreamDrift, PolicyInvalid, BusUnavailable when the connection to NATS was given up, or what the client
    raises when no server answers.
    """
    policies = Policies(policy.load(settings.policy))
    async with connected(settings, NAME, stop) as here, opened(settings) as pool:
        await streams.assert_streams(here.bus, wanted(settings))
        ledger = NatsLedger(here.bus, PlainCodec())
        positions = Positions()
        answers = Answers(
            pool,
            ledger,
            policies,
            positions,
            SystemClock(),
            rows_max=settings.query_rows,
            wait_seconds=settings.query_wait_seconds,
        )
        subscribe(here, answers)
        await here.broker.start()
        announcement = Announcement(settings.nats_url, NAME, VERSION)
        projector = Projector(
            settings.postgres_dsn,
            ledger,
            positions,
            announcement,
            batch_max=settings.projection_batch,
        )
        projecting = asyncio.create_task(projector.run())
        try:
            await serve([projecting], stop)
        finally:
            await end([projecting])
            await announcement.not_ready()


def subscribe(here: Connection, answers: Answers) -> None:
    """Wire every subject to its handler."""
    for name, kind in QUERIES.items():
        if kind.served_by == NAME:
            on_request(here.broker, f"query.*.{name}", NAME, partial(answers.answer, kind))
    on_request(here.broker, f"ops.{NAME}.rebuild", NAME, OperatorRequests().rebuild)


async def rebuild_once(settings: Settings, *, switch: bool) -> RebuildResult:
    """Rebuild and compare; see `rebuild.rebuild`."""
    bus = await connect(settings.nats_url, f"{NAME}-rebuild")
    try:
        async with opened(settings) as pool:
            return await rebuild(
                settings.postgres_dsn,
                pool,
                NatsLedger(bus, PlainCodec()),
                batch_max=settings.projection_batch,
                switch=switch,
            )
    finally:
        await bus.close()


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Pool]:
    """Give the connections for queries and end them."""
    pool = await Pool.open(settings.postgres_dsn)
    try:
        yield pool
    finally:
        await pool.close()
