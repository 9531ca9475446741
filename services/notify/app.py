"""notify, wired: what it reads, what it needs, in which order it starts and stops."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub

from services.notify.channels.screen import Screens
from services.notify.channels.smtp import SmtpServer
from services.notify.handlers import CommandHandler, LedgerHandlers, TimerHandler
from services.notify.mailing import ContactReports, Mailing
from services.notify.redelivery import Redelivery, as_arrived
from services.notify.store import NotificationStore
from services.notify.telling import TIMER_KIND, Telling
from shared import streams, subjects
from shared.bus import CONNECT_TIMEOUT_SECONDS, Bus, connection_options
from shared.clock import SystemClock
from shared.codec import PlainCodec
from shared.errors import BusUnavailable
from shared.ledger_nats import NatsLedger
from shared.policy import Policies
from shared.settings import Settings
from shared.timers import NatsTimers

NAME = "notify"
VERSION = "0.1.0"
PULL_TIMEOUT_SECONDS = 1.0
"""How long one pull waits; after the server was away, the next pull begins at most this much later."""
GRACE_SECONDS = 2.0
STOP_TIMEOUT_SECONDS = 3.0
COMMANDS_AT_ONCE = 8

log = structlog.get_logger("notify")


async def run(settings: Settings, policies: Policies, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Raises: StreamDrift when streams or consumers are not as this version needs them, SettingInvalid,
    BusUnavailable when NATS is not there at start or its connection is given up.
    """
    lost = asyncio.Event()

    async def closed() -> None:
        lost.set()

    broker = _broker(settings, closed)
    try:
        bus = Bus.of(await asyncio.wait_for(broker.connect(), CONNECT_TIMEOUT_SECONDS))
        await streams.assert_streams(bus, wanted(settings))
        _subscribe(broker, settings, policies, bus)
        await broker.start()
        await bus.announce(NAME, VERSION)
        log.info("service_started", tenants=policies.tenants())
        await _first(stop, lost)
        if not stop.is_set():
            raise BusUnavailable()
    except TimeoutError:
        raise BusUnavailable() from None
    finally:
        await _close(broker)
    log.info("service_stopped")


def wanted(settings: Settings) -> streams.Wanted:
    """Return the streams and consumers that must be there."""
    return streams.Wanted(
        streams=streams.stream_configs(
            replicas=settings.replicas, duplicate_window_seconds=settings.duplicate_window_seconds
        ),
        consumers=streams.notify_consumers(),
    )


def _broker(settings: Settings, closed: Any) -> NatsBroker:
    return NatsBroker(
        settings.nats_url.split(","),
        **connection_options(NAME),
        closed_cb=closed,
        middlewares=[Redelivery],
        graceful_timeout=GRACE_SECONDS,
        apply_types=False,
        logger=logging.getLogger("notify.faststream"),
    )


def _subscribe(broker: NatsBroker, settings: Settings, policies: Policies, bus: Bus) -> None:
    """The table of contents: which subject is handled by what."""
    clock, codec = SystemClock(), PlainCodec()
    store = NotificationStore(
        NatsLedger(bus, codec), cached=settings.aggregate_cache, retries=settings.append_retries
    )
    telling = Telling(store, Screens(bus), NatsTimers(bus), policies, clock)
    server = SmtpServer(settings.smtp_url)
    mailing = Mailing(store, server, ContactReports(bus, codec), policies, clock)
    ledger = LedgerHandlers(codec, telling, mailing)
    _consume(broker, streams.LEDGER, "notify-ledger", "ledger.>")(ledger.tell)
    _consume(broker, streams.LEDGER, "notify-mail", "ledger.>")(ledger.mail)
    fired = _consume(broker, streams.TIMERS, "notify-fired", subjects.fired_kind(TIMER_KIND))
    fired(TimerHandler(telling).ask)
    broker.subscriber(
        "cmd.*.acknowledge_notification",
        queue=NAME,
        decoder=as_arrived,
        max_workers=COMMANDS_AT_ONCE,
    )(CommandHandler(telling, policies, clock).acknowledge_notification)


def _consume(broker: NatsBroker, stream: str, durable: str, subject: str) -> Any:
    """Bind to a consumer that the bootstrap job made: one message at a time, acknowledged by `Redelivery`."""
    return broker.subscriber(
        subject,
        durable=durable,
        stream=JStream(stream, declare=False),
        pull_sub=PullSub(1, timeout=PULL_TIMEOUT_SECONDS),
        ack_policy=AckPolicy.MANUAL,
        decoder=as_arrived,
    )


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _close(broker: NatsBroker) -> None:
    """Stop and close, each bounded: the driver waits for ever when the server is gone."""
    client: Any = broker._connection  # noqa: SLF001  FastStream has no public way to close without draining
    with contextlib.suppress(Exception):
        await asyncio.wait_for(broker.stop(), STOP_TIMEOUT_SECONDS)
    if client is not None and not client.is_closed:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client.close(), STOP_TIMEOUT_SECONDS)
