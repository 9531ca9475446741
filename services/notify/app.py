"""Wires notify: its streams, its dependencies, its handlers."""

import asyncio
from collections.abc import Mapping

import structlog

from services.notify.carriers import Carrier, smtp
from services.notify.channels import CHANNELS
from services.notify.domain.people import check_transports
from services.notify.handlers import CommandHandler, TimerHandler
from services.notify.notifying import Notifying
from services.notify.sending import ContactReports, Sending
from services.notify.store import NotificationStore
from services.notify.transports import TRANSPORTS
from shared import VERSION, arming, contact_log, policy, serving, streams
from shared.clock import SystemClock
from shared.codec import PlainCodec
from shared.commands import AcknowledgeNotification
from shared.deciding import Deciding
from shared.ledger.jetstream import NatsLedger
from shared.policy import Policies
from shared.settings import Settings

NAME = "notify"

log = structlog.get_logger("notify")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Raises: StreamDrift when streams or consumers are not as this version needs them, PolicyInvalid, SettingInvalid,
    BusUnavailable when the connection to NATS was given up.
    """
    chosen = policy.load(settings.policy)
    check_transports(chosen, TRANSPORTS)
    async with serving.connected(settings, NAME, stop) as here:
        await streams.assert_streams(here.bus, wanted(settings))
        subscribe(here, settings, Policies(chosen))
        await here.broker.start()
        await here.bus.announce(NAME, VERSION)
        log.info("service_ready")
        await stop.wait()


def wanted(settings: Settings) -> streams.WantedStreams:
    """Return the streams and consumers that must be there."""
    return streams.WantedStreams(
        streams=streams.stream_configs(
            replicas=settings.replicas, duplicate_window_seconds=settings.duplicate_window_seconds
        ),
        consumers=streams.notify_consumers(),
    )


def carriers(settings: Settings) -> Mapping[str, Carrier]:
    """Return what takes messages to providers, by name. Raises: SettingInvalid."""
    return {smtp.NAME: smtp.SmtpServer(settings.smtp_url)}


def subscribe(here: serving.Connection, settings: Settings, policies: Policies) -> None:
    """Wire every subject to its handler."""
    clock, codec = SystemClock(), PlainCodec()
    deciding = Deciding(
        NatsLedger(here.bus, codec),
        arming.NatsTimers(here.bus),
        cached=settings.aggregate_cache,
        retries=settings.append_retries,
    )
    store = NotificationStore(deciding)
    transports = {name: make(here.bus, settings, policies) for name, make in TRANSPORTS.items()}
    notifying = Notifying(store, transports, policies, clock)
    reports = ContactReports(contact_log.ContactLog(here.bus, codec))
    sending = Sending(store, CHANNELS, carriers(settings), reports, policies, clock)
    timers = TimerHandler(notifying)
    for consumer in streams.notify_consumers():
        match consumer.name:
            case "notify-ledger":
                serving.on_events(
                    here.broker, consumer, codec, lambda event, _: notifying.on_event(event)
                )
            case "notify-messages":
                serving.on_events(here.broker, consumer, codec, sending.on_event)
            case _:
                serving.on_stream(here.broker, consumer, timers.ask)
    commands = CommandHandler(notifying, policies, clock)
    verb = AcknowledgeNotification.verb
    serving.on_request(here.broker, f"cmd.*.{verb}", NAME, commands.acknowledge_notification)
