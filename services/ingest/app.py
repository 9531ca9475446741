"""Ingest's table of contents: which door leads where, and who normalises."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import structlog

from services.ingest.handlers import (
    call_list,
    chat_socket,
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
from services.ingest.handlers.left import LeftAccounts
from services.ingest.handlers.remote_reader import RemoteReader
from services.ingest.handlers.tallies import Tallies
from services.ingest.handlers.visit_store import VisitStore
from services.ingest.handlers.web import WebHandler
from shared import codec, contact_log, lanes, listening, policy, queries, serving, streams, visits
from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.ledger import identity
from shared.monitor import Monitor
from shared.policy import Policies
from shared.readiness import Readiness, Trouble
from shared.settings import Settings, load_secrets
from shared.tasks import serve
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
    chosen = policy.load(settings.policy)
    policies, secrets, clock = Policies(chosen), load_secrets(settings), SystemClock()
    accounts, keys = Accounts(policies, secrets), keys_of(policies, secrets)
    async with (
        s3.opened(settings, secrets) as contents,
        serving.connected(settings, NAME, stop) as here,
    ):
        bus = here.bus
        watch = Watch(bus, streams.wanted_by(NAME, settings))
        await watch.begin()
        await identity.check(bus, chosen.tenant, settings.ledger_mark)
        news = [(door, asyncio.Event()) for door in accounts.all()]
        contacts = contact_log.ContactLog(bus, codec.PlainCodec(), lanes.lanes_of(policies))
        bodies = BodyStore(bus)
        visit_keys = visits.keys_of(policies, secrets)
        normalisers = _normalisers(bus, bodies, contacts, visit_keys, settings, news)
        files, fetcher = FileStore(bus, clock, contents), Fetcher(bus, bodies, accounts, settings)
        attachments = Attachments(bus, chosen.tenant, files, fetcher, contacts, clock)
        store = raw_store.RawStore(bus, bodies, settings.header_max_bytes)
        readers = _readers(accounts, bus, store, bodies, clock, settings)
        left = LeftAccounts(bus, chosen.tenant, {door.name for door in accounts.all()})
        readiness = Readiness(
            bus,
            NAME,
            parts=lambda: (
                _troubles(*normalisers, attachments, files, *readers) + list(left.troubles)
            ),
        )
        serving.on_health(here, NAME, readiness)
        seen = VisitReader(bus, codec.PlainCodec(), visit_keys)
        tallies = Tallies(bus, bodies, seen)
        balance = BalanceHandler(bus, accounts, tallies)
        serving.on_request(here.broker, f"query.*.{queries.AskBalance.name}", NAME, balance.answer)
        answers = Answers(bus)
        file_doors = FileDoors(files, keys, clock)
        async with _doors(
            settings, accounts, store, answers, bus, file_doors, readiness
        ) as address:
            base, seconds = settings.public_url or address, settings.attachment_address_seconds
            shown = AttachmentHandler(bus, files, keys, clock, base, seconds)
            asked = f"query.*.{queries.AskAttachment.name}"
            serving.on_request(here.broker, asked, NAME, shown.answer)
            await here.broker.start()
            log.info(logged.DOORS_OPENED, address=address)
            async with asyncio.TaskGroup() as tasks:
                runs = [watch.run, readiness.run, store.acknowledged.watch, left.run, answers.run]
                runs += [Monitor(settings, readiness).run]
                runs += [attachments.run, *(each.run for each in normalisers)]
                runs += [each.run for each in readers]
                running = [tasks.create_task(each()) for each in runs]
                running += [tasks.create_task(tallies.keep(*each)) for each in news]
                await serve(running, stop)
    log.info(logged.SERVICE_STOPPED)


class _Part(Protocol):
    trouble: Trouble | None


def _troubles(*parts: _Part) -> list[Trouble]:
    return [each.trouble for each in parts if each.trouble]


def _normalisers(
    bus: Bus,
    bodies: BodyStore,
    contacts: contact_log.ContactLog,
    visit_keys: Mapping[str, bytes],
    settings: Settings,
    news: Sequence[tuple[Door, asyncio.Event]],
) -> list[normalise.Normaliser]:
    """Return a normaliser for each account, which tells when there is news of its deliveries."""
    visited, batch = VisitStore(bus, codec.PlainCodec(), visit_keys), settings.normalise_batch
    return [
        normalise.Normaliser(bus, bodies, contacts, visited, door, batch, came.set)
        for door, came in news
    ]


def _readers(
    accounts: Accounts,
    bus: Bus,
    store: raw_store.RawStore,
    bodies: BodyStore,
    clock: Clock,
    settings: Settings,
) -> list[RemoteReader]:
    """Return who reads what ingest fetches itself, one for each account that has it."""
    found: list[RemoteReader] = []
    web = http_files.of(settings, call_list.ANSWER_MAX_BYTES)
    for door in accounts.all():
        rules, channel = door.rules, door.channel.NAME
        if rules.imap is not None and channel == mailbox.CHANNEL:
            size, gateway = settings.mail_max_bytes, settings.providers_url
            found.append(mailbox.Mailbox(door, bus, store, clock, size, gateway))
        if (rules.ami or rules.ari) is not None and exchange.reads(door):
            found.append(exchange.Exchange(door, bus, store, bodies, clock))
        if rules.poll is not None:
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
