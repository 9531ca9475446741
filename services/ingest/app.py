"""Ingest's table of contents: which door leads where, and who normalises."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import structlog

from services.ingest.handlers import (
    call_list,
    chat_socket,
    crew,
    exchange,
    http_files,
    logged,
    mailbox,
    normalise,
    raw_store,
    s3,
    server,
    strangers,
)
from services.ingest.handlers.accounts import Accounts, Door
from services.ingest.handlers.answers import Answers
from services.ingest.handlers.attachments import Attachments
from services.ingest.handlers.balance import BalanceHandler
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.desks import Desks
from services.ingest.handlers.doors import Doors
from services.ingest.handlers.fetcher import Fetcher
from services.ingest.handlers.file_doors import AttachmentHandler, FileDoors, keys_of
from services.ingest.handlers.file_store import FileStore
from services.ingest.handlers.hours_door import HoursDoor
from services.ingest.handlers.left import LeftAccounts
from services.ingest.handlers.remote_reader import RemoteReader
from services.ingest.handlers.tallies import Tallies
from services.ingest.handlers.visit_store import VisitStore
from services.ingest.handlers.web import WebHandler
from shared import codec, contact_log, lanes, listening, queries, serving, streams, visits
from shared.bus import Bus
from shared.callers import Callers
from shared.clock import Clock, SystemClock
from shared.ledger import identity
from shared.monitor import Monitor
from shared.policies import Policies
from shared.readiness import Readiness, Trouble
from shared.settings import Settings
from shared.tasks import serve
from shared.tenants import Tenants
from shared.visit_reader import VisitReader
from shared.watching import Watch

NAME = "ingest"

log = structlog.get_logger("ingest")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    History and its Postgres are not needed: only the balance asks for them.
    Raises: StreamDrift, LedgerUnfounded, LedgerContradicted, MarkUnreadable, PolicyInvalid, SettingInvalid also
    when the port is taken, SecretPublic, BusUnavailable when the connection to NATS was given up.
    """
    tenants, clock = Tenants(settings), SystemClock()
    policies, secrets = tenants.policies, tenants.secrets
    accounts, keys = Accounts(policies, secrets), keys_of(policies, secrets)
    async with (
        s3.opened(settings, secrets) as contents,
        serving.connected(settings, NAME, stop) as here,
    ):
        bus = here.bus
        watch = Watch(bus, streams.wanted_by(NAME, settings))
        await watch.begin()
        await identity.check(bus, settings.ledger_mark)
        contacts = contact_log.ContactLog(bus, codec.PlainCodec(), lanes.partitions_of(policies))
        bodies, files = BodyStore(bus), FileStore(bus, clock, contents)
        store = raw_store.RawStore(bus, bodies, settings.header_max_bytes)
        visit_keys = visits.keys_of(policies, secrets)
        tallies = Tallies(bus, bodies, VisitReader(bus, codec.PlainCodec(), visit_keys))
        visited = VisitStore(bus, codec.PlainCodec(), visit_keys)
        fetcher = Fetcher(bus, bodies, accounts, settings)
        works = _Works(
            bus, bodies, store, contacts, visited, tallies, files, fetcher, clock, settings
        )
        at_work = crew.Crew(partial(_served, accounts, policies), works.of)
        left = LeftAccounts(bus, accounts.has)

        def troubles() -> list[Trouble]:
            of_files = [files.trouble] if files.trouble else []
            return [*at_work.troubles(), *of_files, *left.troubles, *tenants.troubles]

        readiness = Readiness(bus, NAME, parts=troubles, policies=policies.versions)
        serving.on_health(here, NAME, readiness)
        balance = BalanceHandler(bus, accounts, tallies)
        serving.on_request(here.broker, f"query.*.{queries.AskBalance.name}", NAME, balance.answer)
        callers = Callers(here, policies, NAME)
        await callers.query(queries.AskBalance.name, balance.answer)
        answers = Answers(bus)
        file_doors = FileDoors(files, keys, clock)
        async with _doors(
            settings, accounts, store, answers, bus, file_doors, readiness
        ) as address:
            base, seconds = settings.public_url or address, settings.attachment_address_seconds
            shown = AttachmentHandler(bus, files, keys, clock, base, seconds)
            asked = f"query.*.{queries.AskAttachment.name}"
            serving.on_request(here.broker, asked, NAME, shown.answer)
            await callers.query(queries.AskAttachment.name, shown.answer)
            await here.broker.start()
            log.info(logged.DOORS_OPENED, address=address)
            async with asyncio.TaskGroup() as tasks:
                runs = [watch.run, readiness.run, store.acknowledged.watch, left.run, answers.run]
                runs += [Monitor(settings, readiness).run]
                runs += [at_work.run, partial(tenants.follow, at_work.take_up)]
                await serve([tasks.create_task(each()) for each in runs], stop)
    log.info(logged.SERVICE_STOPPED)


def _served(accounts: Accounts, policies: Policies) -> dict[str, Door | str]:
    """Return for whom there is work: every account, and every tenant."""
    return {**{door.place: door for door in accounts.all()}, **{t: t for t in policies.tenants()}}


@dataclass(frozen=True, slots=True)
class _Works:
    """What the work for an account and for a tenant is made of."""

    bus: Bus
    bodies: BodyStore
    store: raw_store.RawStore
    contacts: contact_log.ContactLog
    visited: VisitStore
    tallies: Tallies
    files: FileStore
    fetcher: Fetcher
    clock: Clock
    settings: Settings

    def of(self, served: Door | str) -> crew.Work:
        """Return the work for an account, or for a tenant: the files of its messages are fetched."""
        if isinstance(served, Door):
            return self._of_account(served)
        fetched = Attachments(self.bus, served, self.files, self.fetcher, self.contacts, self.clock)
        return crew.Work([fetched.run], [fetched])

    def _of_account(self, door: Door) -> crew.Work:
        """Return the work for an account: its deliveries are normalised, counted, and fetched where it is polled."""
        news, batch = asyncio.Event(), self.settings.normalise_batch
        normaliser = normalise.Normaliser(
            self.bus, self.bodies, self.contacts, self.visited, door, batch, news.set
        )
        readers = self._readers(door)
        counting = partial(self.tallies.keep, door, news)
        fetching = [each.run for each in readers]
        return crew.Work([normaliser.run, counting, *fetching], [normaliser, *readers])

    def _readers(self, door: Door) -> list[RemoteReader]:
        """Return who reads what ingest fetches itself of an account."""
        found: list[RemoteReader] = []
        rules, bus, store, clock = door.rules, self.bus, self.store, self.clock
        if rules.imap is not None and door.channel.NAME == mailbox.CHANNEL:
            size, gateway = self.settings.mail_max_bytes, self.settings.providers_url
            found.append(mailbox.Mailbox(door, bus, store, clock, size, gateway))
        if (rules.ami or rules.ari) is not None and exchange.reads(door):
            found.append(exchange.Exchange(door, bus, store, self.bodies, clock))
        if rules.poll is not None:
            web = http_files.of(self.settings, call_list.ANSWER_MAX_BYTES)
            found.append(call_list.CallListReader(door, bus, store, clock, web))
        return found


@contextlib.asynccontextmanager
async def _doors(
    settings: Settings,
    accounts: Accounts,
    store: raw_store.RawStore,
    answers: Answers,
    bus: Bus,
    files: FileDoors,
    readiness: Readiness,
) -> AsyncIterator[str]:
    """Keep the doors open while the block runs; gives their address."""
    settings = server.fitted(settings)
    clock = SystemClock()
    visitors = strangers.Strangers(settings)
    await visitors.recall(bus, accounts.all())
    host, port = settings.ingest_host, settings.ingest_port
    names = "TELLONCE_INGEST_HOST and TELLONCE_INGEST_PORT"
    with contextlib.closing(listening.bound_socket(host, port, names)) as bound:
        own_address = listening.address(bound)
        web = WebHandler(
            Doors(accounts, store, settings, clock, settings.public_url or own_address),
            chat_socket.ChatSocket(accounts, store, visitors, answers, Desks(bus), settings, clock),
            files,
            HoursDoor(accounts, bus, clock),
            ready=lambda: bus.connected and readiness.ready,
        )
        async with _serving(server.door_server(web, settings), bound):
            yield own_address


@contextlib.asynccontextmanager
async def _serving(doors: server.DoorServer, bound: socket.socket) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(doors.serve(sockets=[bound]))
        await doors.listening.wait()
        try:
            yield
        finally:
            doors.should_exit = True
