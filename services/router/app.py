"""Wires the router: the streams to consume, and the handler of each."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from services.router.cases import Cases, check_keys
from services.router.commands import Commands
from services.router.dispatcher import Dispatcher
from services.router.intake import Intake
from services.router.lanes import LaneWatch, Turns
from services.router.lookup import History
from services.router.parking import Parking
from services.router.policies import apply_policy
from services.router.returning import Returning
from services.router.snapshot import NatsSnapshots
from services.router.timers import FiredTimers
from services.router.tolerant_codec import TolerantCodec
from services.router.visits import LastVisits
from shared import arming, clock, codec, serving, streams, visits, worker
from shared.callers import Callers
from shared.commands import COMMANDS
from shared.deciding import Deciding
from shared.ledger import identity
from shared.ledger.jetstream import NatsLedger
from shared.monitor import Monitor
from shared.readiness import Check, Readiness
from shared.rearming import keep_armed
from shared.refusals import NatsRefusals
from shared.settings import Settings
from shared.tasks import serve
from shared.tenants import Tenants
from shared.visit_reader import VisitReader
from shared.watching import Watch
from shared.worker import Worker

NAME = "router"

log = structlog.get_logger("router")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Raises: StreamDrift, LedgerUnfounded, LedgerContradicted, MarkUnreadable,
    PolicyInvalid, SettingInvalid, BusUnavailable when the connection to NATS was given up."""
    tenants = Tenants(settings, check_keys)
    async with serving.connected(settings, NAME, stop) as here:
        watch = Watch(here.bus, streams.wanted_by(NAME, settings, streams.router_consumers()))
        await watch.begin()
        await identity.check(here.bus, settings.ledger_mark)
        ledger = NatsLedger(here.bus, codec.PlainCodec())
        timers = arming.NatsTimers(here.bus)
        deciding = Deciding(
            ledger,
            timers,
            cached=settings.aggregate_cache,
            retries=settings.append_retries,
        )
        returning = Returning(here.bus, ledger, clock.SystemClock())
        cases = Cases(deciding, tenants.policies, tenants.secrets, clock.SystemClock())
        for tenant in tenants.policies.tenants():
            await apply_policy(cases, tenant)
            returning.note(tenant)
        reader = NatsLedger(here.bus, TolerantCodec())
        dispatcher = Dispatcher(cases, reader, NatsSnapshots(here.bus))
        turns = Turns(tenants.policies)
        workers = await subscribe(here, settings, cases, turns, tenants.secrets)

        async def take_up(changed: frozenset[str]) -> None:
            turns.take_up()
            dispatcher.take_up(changed)
            for tenant in changed.intersection(tenants.policies.tenants()):
                await apply_policy(cases, tenant)
                returning.note(tenant)

        lane_watch = LaneWatch(cases, watch)
        readiness = ready_by([watch.check_moving, dispatcher.check], here, tenants, lane_watch)
        serving.on_health(here, NAME, readiness)
        await here.broker.start()
        async with asyncio.TaskGroup() as tasks:
            running = [
                *(tasks.create_task(each.run()) for each in workers),
                tasks.create_task(dispatcher.follow()),
                tasks.create_task(dispatcher.dispatch()),
                tasks.create_task(dispatcher.keep()),
                tasks.create_task(keep_armed(here.bus, timers, NAME)),
                tasks.create_task(ledger.acknowledged.watch()),
                tasks.create_task(watch.run()),
                tasks.create_task(lane_watch.run()),
                tasks.create_task(tenants.follow(take_up)),
                tasks.create_task(returning.run()),
                tasks.create_task(readiness.run()),
                tasks.create_task(Monitor(settings, readiness, [dispatcher.measure]).run()),
            ]
            await serve(running, stop)


def ready_by(
    checks: Sequence[Check], here: serving.Connection, tenants: Tenants, lane_watch: LaneWatch
) -> Readiness:
    """Return what says how this process is."""
    return Readiness(
        here.bus,
        NAME,
        checks,
        parts=lambda: tenants.troubles,
        backlog=lane_watch.backlog,
        policies=tenants.policies.versions,
    )


async def subscribe(
    here: serving.Connection,
    settings: Settings,
    cases: Cases,
    turns: Turns,
    secrets: Mapping[str, str],
) -> list[Worker]:
    """Wire every subject to its handler; return who takes what the streams deliver."""
    history = History(here.bus, settings.request_timeout_seconds)
    keys = visits.keys_of(cases.policies, secrets)
    seen = LastVisits(VisitReader(here.bus, codec.PlainCodec(), keys))
    intake, timers = Intake(cases, history, seen), FiredTimers(cases)
    contacts = worker.opening(codec.PlainCodec(), lambda event, _: intake.take(event))
    parking = Parking(cases, here.bus, contacts, timers.ask)
    commands = Commands(cases, parking, NatsRefusals(here.bus))
    callers = Callers(here, cases.policies, NAME)
    for verb, kind in COMMANDS.items():
        if kind.served_by == NAME:
            serving.on_request(here.broker, f"cmd.*.{verb}", NAME, partial(commands.handle, verb))
            await callers.command(verb, partial(commands.handle, verb))
    return [
        Worker(
            here.bus,
            consumer,
            turns.in_turn(consumer.lane, consumer.name, contacts),
            parking.park_contact,
        )
        if consumer.lane is not None
        else Worker(here.bus, consumer, timers.ask, parking.park_timer)
        for consumer in streams.router_consumers()
    ]
