"""The router's table of contents: what it consumes and who handles it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import structlog

from services.router.clerk import Clerk
from services.router.commands import Commands
from services.router.dispatcher import Dispatcher
from services.router.intake import Intake
from services.router.lenient import LenientCodec
from services.router.lookup import History
from services.router.policies import apply_policy
from services.router.store import Store
from services.router.timers import FiredTimers
from shared import policy, streams
from shared.clock import SystemClock
from shared.codec import PlainCodec
from shared.commands import COMMANDS
from shared.ledger.jetstream import NatsLedger
from shared.policy import Policies
from shared.serving import Connected, connected, on_events, on_request, on_stream
from shared.settings import Settings, load_secrets
from shared.streams import Wanted
from shared.tasks import end, serve
from shared.timers import NatsTimers

NAME = "router"
VERSION = "0.1.0"

log = structlog.get_logger("router")


def wanted(settings: Settings) -> Wanted:
    """Return the streams and consumers that the router needs."""
    every = streams.stream_configs(
        replicas=settings.replicas, duplicate_window_seconds=settings.duplicate_window_seconds
    )
    return Wanted(streams=every, consumers=streams.router_consumers())


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Raises: StreamDrift, PolicyInvalid, SettingInvalid, BusUnavailable
    when the connection to NATS was given up."""
    policies = Policies(policy.load(settings.policy))
    async with connected(settings, NAME, stop) as here:
        await streams.assert_streams(here.bus, wanted(settings))
        ledger = NatsLedger(here.bus, PlainCodec())
        store = Store(ledger, cached=settings.aggregate_cache, retries=settings.append_retries)
        clerk = Clerk(store, NatsTimers(here.bus), policies, load_secrets(settings), SystemClock())
        for tenant in policies.tenants():
            await apply_policy(clerk, tenant)
        dispatcher = Dispatcher(clerk, NatsLedger(here.bus, LenientCodec()))
        subscribe(here, settings, clerk)
        await here.broker.start()
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(dispatcher.follow()),
                tasks.create_task(dispatcher.dispatch()),
            ]
            await here.bus.announce(NAME, VERSION)
            log.info("service_ready")
            await serve(running, stop)
            await end(running)


def subscribe(here: Connected, settings: Settings, clerk: Clerk) -> None:
    """Wire every subject to its handler."""
    history = History(here.bus, settings.request_timeout_seconds)
    window = timedelta(seconds=settings.duplicate_window_seconds)
    intake, timers = Intake(clerk, history, window), FiredTimers(clerk)
    for consumer in streams.router_consumers():
        if consumer.stream == streams.CONTACTS:
            on_events(here.broker, consumer, PlainCodec(), lambda event, _: intake.take(event))
        else:
            on_stream(here.broker, consumer, timers.ask)
    commands = Commands(clerk)
    for verb, kind in COMMANDS.items():
        if kind.served_by == NAME:
            on_request(here.broker, f"cmd.*.{verb}", NAME, partial(commands.handle, verb))
