"""Wires notify: its streams, its dependencies, its handlers."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial

from services.notify.carriers import Carrier, http, page, smtp
from services.notify.channels import CHANNELS
from services.notify.domain.asking import HAND_OVER
from services.notify.domain.messages import SendingSettings
from services.notify.domain.people import check_transports
from services.notify.handlers import CommandHandler, LedgerHandler, MessageHandler, TimerHandler
from services.notify.notifying import Notifying
from services.notify.older import OlderReader
from services.notify.parking import Parking
from services.notify.passing import Passing
from services.notify.sending import ContactReports, Sending
from services.notify.store import NotificationStore
from services.notify.transports import TRANSPORTS
from shared import arming, contact_log, serving, streams, worker
from shared.bus import Bus
from shared.callers import Callers
from shared.clock import SystemClock
from shared.codec import PlainCodec
from shared.commands import AcknowledgeNotification
from shared.events import LedgerAdopted
from shared.lanes import partitions_of
from shared.ledger import identity
from shared.ledger.jetstream import NatsLedger
from shared.mail_reference import keys_of
from shared.monitor import Monitor
from shared.policies import ByTenant
from shared.policy import Policy
from shared.readiness import Backlog, Readiness
from shared.rearming import keep_armed
from shared.refusals import NatsRefusals
from shared.settings import Settings
from shared.tasks import serve
from shared.tenants import Tenants
from shared.watching import Watch
from shared.worker import Worker

NAME = "notify"
SENDERS = (streams.NOTIFY_SENDING, streams.NOTIFY_MESSAGES)
LEAVE_SECONDS = HAND_OVER.total_seconds() + worker.LEAVE_SECONDS
"""At the end a message that is being handed over has as long as ever, and then its record: cut off, it is uncertain."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Raises: StreamDrift when streams or consumers are not as this version needs them, LedgerUnfounded,
    LedgerContradicted, MarkUnreadable, PolicyInvalid, SettingInvalid, BusUnavailable when the connection to NATS was
    given up.
    """
    tenants = Tenants(settings, check_policy)
    async with serving.connected(settings, NAME, stop) as here:
        watch = Watch(here.bus, streams.wanted_by(NAME, settings, streams.notify_consumers()))
        await watch.begin()
        await identity.check(here.bus, settings.ledger_mark)
        adopted = await identity.adopted(here.bus)
        ledger = NatsLedger(here.bus, PlainCodec())
        takers = await subscribe(here, settings, tenants, ledger, adopted)
        readiness = Readiness(
            here.bus,
            NAME,
            [watch.check_moving],
            parts=lambda: tenants.troubles,
            backlog=partial(backlog, watch),
            policies=tenants.policies.versions,
        )
        serving.on_health(here, NAME, readiness)
        await here.broker.start()
        async with asyncio.TaskGroup() as tasks:
            running = [
                *(tasks.create_task(take()) for take in takers),
                tasks.create_task(keep_armed(here.bus, arming.NatsTimers(here.bus), NAME)),
                tasks.create_task(ledger.acknowledged.watch()),
                tasks.create_task(watch.run()),
                tasks.create_task(readiness.run()),
                tasks.create_task(Monitor(settings, readiness).run()),
                tasks.create_task(tenants.follow()),
            ]
            await serve(running, stop)


async def backlog(watch: Watch) -> Backlog:
    """Return what notify has not told of."""
    waiting = [
        await watch.oldest_waiting(streams.LEDGER),
        await watch.oldest_waiting(streams.TIMERS, {streams.NOTIFY_SENDING}),
    ]
    return Backlog(oldest_unsent=min((each for each in waiting if each), default=None))


def carriers(settings: Settings, bus: Bus) -> Mapping[str, Carrier]:
    """Return what takes messages to providers, by name. Raises: SettingInvalid."""
    return {
        smtp.NAME: smtp.SmtpServer(settings.smtp_url, settings.providers_url),
        http.NAME: http.HttpCarrier(settings.providers_url),
        page.NAME: page.PageCarrier(bus),
    }


def check_policy(policy: Policy, secrets: Mapping[str, str]) -> None:
    """Raises: PolicyInvalid for a transport that there is not, SettingInvalid where a key has no value."""
    check_transports(policy, TRANSPORTS)
    keys_of(policy, secrets)


def sending_settings(settings: Settings, tenants: Tenants) -> SendingSettings:
    """Return what messages are made with."""
    secrets = tenants.secrets
    keys = ByTenant(tenants.policies, lambda policy: keys_of(policy, secrets))
    return SendingSettings(secrets=secrets, public_url=settings.public_url, reply_keys=keys)


async def subscribe(
    here: serving.Connection,
    settings: Settings,
    tenants: Tenants,
    ledger: NatsLedger,
    adopted: LedgerAdopted | None,
) -> list[Callable[[], Coroutine[None, None, None]]]:
    """Wire every subject to its handler; return what takes for ever what the streams deliver."""
    policies = tenants.policies
    clock, codec, armed = SystemClock(), PlainCodec(), arming.NatsTimers(here.bus)
    passing = Passing()
    kept, retries = settings.aggregate_cache, settings.append_retries
    store = NotificationStore(ledger, armed, passing, cached=kept, retries=retries)
    transports = {name: make(here.bus, settings, policies) for name, make in TRANSPORTS.items()}
    notifying = Notifying(store, transports, policies, clock)
    contacts = contact_log.ContactLog(here.bus, codec, partitions_of(policies))
    reports = ContactReports(contacts)
    contradicted = adopted.recorded if adopted and adopted.open.against else None
    around = sending_settings(settings, tenants)
    carried = carriers(settings, here.bus)
    sending = Sending(store, CHANNELS, carried, reports, policies, clock, around, contradicted)
    parking = Parking(here.bus, clock)

    older = OlderReader(here.bus)
    people = LedgerHandler(codec, ledger, passing, parking, notifying, armed)
    customers = MessageHandler(codec, ledger, sending, older)
    lanes = [streams.notify_lane(number) for number in range(streams.NOTIFY_LANES)]
    parking.handlers = {
        **dict.fromkeys([*lanes, streams.NOTIFY_LEDGER], people.tell),
        streams.NOTIFY_SENDING: customers.send,
        streams.NOTIFY_MESSAGES: customers.send_of_ledger,
        streams.fired(NAME): TimerHandler(notifying).ask,
    }
    commands = CommandHandler(notifying, policies, clock, NatsRefusals(here.bus))
    verb = AcknowledgeNotification.verb
    serving.on_request(here.broker, f"cmd.*.{verb}", NAME, commands.acknowledge_notification)
    await Callers(here, policies, NAME).command(verb, commands.acknowledge_notification)

    def working(consumer: streams.Consumer) -> Worker:
        leave = LEAVE_SECONDS if consumer.name in SENDERS else worker.LEAVE_SECONDS
        return Worker(here.bus, consumer, parking.handlers[consumer.name], parking.park, leave)

    return [
        *(working(consumer).run for consumer in streams.notify_consumers()),
        partial(older.run, working),
    ]
