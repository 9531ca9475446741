"""The stages of a contact, one at a time and all together, against their messages sent bare.

Bare: what a stage stored is stored once more under other ids, in streams of the same settings beside the real ones, in
the same batches and as many of them at once. Timers and acknowledgements are not repeated.
"""

import asyncio
import base64
import contextlib
import itertools
import statistics
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from shared import subjects
from shared.bus.storing import submit_batch
from shared.codec import PlainCodec
from shared.ledger import Recorded
from shared.ledger.jetstream import NatsLedger
from shared.streams import CONTACTS, LEDGER, RAW, notify_consumers, router_consumers
from tests.bench.figures import Ratios, timed
from tests.bench.lab import SERVER, TENANT, Lab
from tests.bench.place import copied

ROUNDS = 3
FORMS = 100
AGENTS = 5
CONNECTIONS = 32
AT_ONCE = 16
"""As many as a worker handles side by side."""
RATE = 20.0
STORE_SECONDS = 10.0
OPENED, OFFERED, NOTIFIED = "conversation.opened", "contact.offered", "notification.sent"
ARRIVAL, INTAKE, OFFER, NOTICE = "door and CONTACTS", "intake", "offer", "notice"
FLOOD, TOLD = "all together, a flood", f"told, at {RATE:.0f} a second"
ROUTER = [each for each in router_consumers() if each.stream == CONTACTS]
NOTIFY = [each for each in notify_consumers() if each.stream == LEDGER]
ALONE = (ARRIVAL, INTAKE, OFFER, NOTICE)
EVERY_SERVICE = ("ingest", "history", "router", "notify")

Batch = Sequence[tuple[str, bytes]]
"""Subjects and bodies that are stored together or not at all."""


@dataclass
class Stage:
    """A comparison, and per form: messages that services sent, milliseconds of CPU of services and server."""

    ratios: Ratios
    used: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def lines(self) -> list[str]:
        used = [f"{what} {statistics.median(each):.2f}" for what, each in self.used.items()]
        return [self.ratios.line(), *([f"    a form: {', '.join(used)}"] if used else [])]


async def compare(folder: Path) -> list[str]:
    """Return a line or two per stage."""
    agents = [f"agent-{number}" for number in range(3 * ROUNDS * AGENTS)]
    signing_in = iter(agents)
    async with Lab(folder, agents, slots=FORMS // AGENTS) as lab:
        stages = Stages(lab)
        await lab.start(*EVERY_SERVICE)
        for _ in range(ROUNDS):
            await stages.alone(list(itertools.islice(signing_in, AGENTS)))
            await stages.together(list(itertools.islice(signing_in, 2 * AGENTS)))
    return [line for stage in stages.found.values() for line in stage.lines()]


class Stages:
    """Takes forms through the stages of a lab. `found`: what was measured so far."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._bare = Bare(lab)
        self._ledger = NatsLedger(lab.bus, PlainCodec())
        self.found = {
            name: Stage(Ratios(f"{name} / its messages bare", FORMS)) for name in (*ALONE, FLOOD)
        }
        self.found[TOLD] = Stage(Ratios(f"{TOLD} (p50) / its stores in turn", 1))

    async def alone(self, agents: Sequence[str]) -> None:
        """Take forms through each stage by itself: the next one is held; earlier rounds' agents have no room left."""
        lab, requests = self._lab, self._lab.forms(FORMS)
        contacts, events = await lab.last(CONTACTS), await lab.last(LEDGER)
        await lab.pause(ROUTER)
        await lab.pause(NOTIFY)
        async with self._measured(ARRIVAL, "ingest") as ours:
            flood = lab.flood(requests.values(), CONNECTIONS)
            stored = lab.until_stored(CONTACTS, contacts + FORMS)
            ours.append(await timed(asyncio.gather(flood, stored)))
        async with self._measured(INTAKE, "router") as ours:
            ours.append(await timed(asyncio.gather(lab.resume(ROUTER), self._until(OPENED))))
        async with self._measured(OFFER, "router") as ours:
            ours.append(await timed(asyncio.gather(lab.sign_in(agents), self._until(OFFERED))))
        async with self._measured(NOTICE, "notify") as ours:
            ours.append(await timed(asyncio.gather(lab.resume(NOTIFY), self._until(NOTIFIED))))
        await self._repeat(contacts, events)

    async def _repeat(self, contacts: int, events: int) -> None:
        """Store once more what the stages have stored."""
        arrived = await self._bare.arrivals(contacts)
        openings, offers, notices = parted(await self._since(events))
        for name, batches, at_once in (
            (ARRIVAL, arrived, CONNECTIONS),
            (INTAKE, openings, AT_ONCE),
            (OFFER, offers, AT_ONCE),
            (NOTICE, notices, AT_ONCE),
        ):
            self.found[name].ratios.bare.append(await self._bare.store(batches, at_once))
        self._sample = [arrived[0], arrived[-1], openings[0], notices[0]]

    async def together(self, agents: Sequence[str]) -> None:
        """Take a flood through everything, then forms at a pace; bare is what the stages were in that round."""
        lab, flood, told = self._lab, self.found[FLOOD].ratios, self.found[TOLD].ratios
        await lab.sign_in(agents)
        async with self._measured(FLOOD, *EVERY_SERVICE) as ours:
            posting = lab.flood(lab.forms(FORMS).values(), CONNECTIONS)
            ours.append(await timed(posting) + await timed(self._until(NOTIFIED)))
        flood.bare.append(sum(self.found[name].ratios.bare[-1] for name in ALONE))
        await self._until(OFFERED)
        sent = await lab.pace(lab.forms(FORMS), RATE, AT_ONCE)
        await self._until(NOTIFIED)
        delays = [lab.first[NOTIFIED, lab.led_to[name]] - at for name, at in sent.items()]
        told.ours.append(statistics.median(delays))
        await self._until(OFFERED)
        told.bare.append(sum([await self._bare.one_by_one(each) for each in self._sample]))

    async def _until(self, kind: str) -> None:
        """Wait until there is an event of a type for each form posted so far."""
        await self._lab.until(lambda: len(self._lab.times[kind]) >= self._lab.posted)

    @contextlib.asynccontextmanager
    async def _measured(self, name: str, *services: str) -> AsyncIterator[list[float]]:
        """Measure what services and server use while the block runs; give where its seconds go."""
        lab, stage = self._lab, self.found[name]
        programs = (*services, SERVER)
        before = {each: lab.cpu_seconds(each) for each in programs}
        sent = [await lab.messages(each) for each in services]
        yield stage.ratios.ours
        more = [await lab.messages(each) - had for each, had in zip(services, sent, strict=True)]
        stage.used["messages"].append(sum(more) / FORMS)
        for each, had in before.items():
            stage.used[f"{each} ms"].append((lab.cpu_seconds(each) - had) * 1_000 / FORMS)

    async def _since(self, after: int) -> list[Recorded]:
        end, found = await self._ledger.position(), list[Recorded]()
        async for batch in self._ledger.follow(after):
            found += batch
            if found[-1].sequence >= end:
                break
        return found


def parted(events: Iterable[Recorded]) -> list[list[Batch]]:
    """Return the openings, the offers and the notices in them, each as it was stored: by what one cause led to."""
    by_cause: dict[str, list[tuple[str, str, bytes]]] = defaultdict(list)
    notices: list[Batch] = []
    for each in events:
        event, subject = each.event, subjects.ledger(TENANT, each.aggregate)
        if event.type.startswith("notification."):
            notices.append([(subject, each.body)])
        else:
            cause = event.causation or event.correlation or event.id
            by_cause[cause].append((event.type, subject, each.body))
    return [*(_with(kind, by_cause.values()) for kind in (OPENED, OFFERED)), notices]


def _with(kind: str, decisions: Iterable[Sequence[tuple[str, str, bytes]]]) -> list[Batch]:
    return [
        [(subject, body) for _, subject, body in each]
        for each in decisions
        if any(type_ == kind for type_, _, _ in each)
    ]


class Bare:
    """Stores batches in the streams beside the real ones."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._copies = itertools.count(1)

    async def arrivals(self, contacts: int) -> list[Batch]:
        """Return this round's deliveries, then its contact events: a form is one of each."""
        found: list[Batch] = []
        for stream in (RAW, CONTACTS):
            for number in range(contacts + 1, contacts + FORMS + 1):
                got = await self._lab.bus.api(f"STREAM.MSG.GET.{stream}", {"seq": number})
                message = got["message"]
                found.append([(message["subject"], base64.b64decode(message["data"]))])
        return found

    async def store(self, batches: Sequence[Batch], at_once: int) -> float:
        """Return the seconds that it took."""
        number = next(self._copies)
        copies = iter([self._copy(batch, number) for batch in batches])

        async def work() -> None:
            for batch in copies:
                await self._send(batch)

        return await timed(asyncio.gather(*(work() for _ in range(at_once))))

    async def one_by_one(self, batch: Batch) -> float:
        """Return the seconds that a batch takes at rest: the median of some."""
        took = [await self.store([batch], 1) for _ in range(AT_ONCE)]
        return statistics.median(took)

    async def _send(self, batch: Batch) -> None:
        if len(batch) == 1:
            await self._lab.beside.store(*batch[0])
            return
        messages = [(subject, body, dict[str, str]()) for subject, body in batch]
        ack = await submit_batch(self._lab.beside, uuid4().hex, messages, STORE_SECONDS)
        if ack.error is not None:
            raise RuntimeError(ack.error.description)

    def _copy(self, batch: Batch, number: int) -> Batch:
        return [
            (copied(each.encode(), number).decode(), copied(body, number)) for each, body in batch
        ]
