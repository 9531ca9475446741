"""What an offer costs beside how many wait and how many agents there are: the router's own parts, on a server."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from msgspec.structs import replace

from services.router.cases import Cases
from services.router.dispatcher import Dispatcher
from services.router.domain.decide import decide
from services.router.domain.decision import Loaded
from services.router.intake import Intake
from services.router.lookup import History
from services.router.snapshot import NatsSnapshots
from services.router.tolerant_codec import TolerantCodec
from services.router.visits import LastVisits
from shared import clock, commands, policy, secret_values, settings, subjects, visits
from shared.arming import NatsTimers
from shared.codec import PlainCodec
from shared.deciding import Deciding, Reading
from shared.events import AgentId, ContactEvent
from shared.ledger.jetstream import NatsLedger
from shared.policies import Policies
from shared.visit_reader import VisitReader
from tests.bench.filling import agent
from tests.bench.growing import TENANT, Growing
from tests.bench.place import policy_of
from tests.router.samples import call, phone

AT_ONCE = 64
FEW = 16
OFFERS, SLOTS = 96, 100


class Desk:
    """The router's intake and dispatcher in this process. `spent`: seconds of its own CPU, by what it did."""

    def __init__(self, place: Growing) -> None:
        bus, chosen = place.bus, settings.Settings()
        secrets = secret_values.load_secrets(chosen)
        policies = Policies(policy.load(str(place.policy)))
        deciding = Deciding(
            NatsLedger(bus, PlainCodec()),
            NatsTimers(bus),
            cached=chosen.aggregate_cache,
            retries=chosen.append_retries,
        )
        self.cases = Cases(deciding, policies, secrets, clock.SystemClock())
        seen = LastVisits(VisitReader(bus, PlainCodec(), visits.keys_of(policies, secrets)))
        self._intake = Intake(self.cases, History(bus, 1.0), seen)
        self._reader = NatsLedger(bus, TolerantCodec())
        self.dispatcher = Dispatcher(self.cases, self._reader, NatsSnapshots(bus))
        self._callers = 0

    async def sign_in(self, numbers: Sequence[int]) -> None:
        """These agents come."""
        for number in numbers:
            await self._sign_in(AgentId(agent(number)))

    async def _sign_in(self, name: AgentId) -> None:
        command = commands.SignIn(
            command_id=uuid4().hex, issued_at=datetime.now(UTC), actor=f"agent:{name}"
        )
        origin = self.cases.origin(TENANT, command.command_id, command.actor)

        async def load(reading: Reading) -> Loaded:
            return Loaded(agents=await self.cases.agents(reading, [name]))

        await self.cases.change(TENANT, load, lambda loaded: decide(loaded, command, origin))

    async def call(self, count: int) -> float:
        """So many persons call; return the CPU of a call."""
        began = time.process_time()
        for first in range(0, count, AT_ONCE):
            calls = [self._call() for _ in range(first, min(first + AT_ONCE, count))]
            await asyncio.gather(*map(self._intake.take, calls))
        return (time.process_time() - began) / count

    def _call(self) -> ContactEvent:
        self._callers += 1
        now = datetime.now(UTC)
        event = call("started", uuid4().hex, handles=[phone(f"+48{600_000_000 + self._callers}")])
        return replace(event, occurred=now, recorded=now)

    async def follow(self) -> float:
        """See what was recorded; return the CPU of an event."""
        began, before = time.process_time(), self.dispatcher.position
        end = await self._reader.position()
        batches = self._reader.follow(before)
        while self.dispatcher.position < end:
            self.dispatcher.see(await anext(batches))
        await batches.aclose()  # type: ignore[attr-defined]
        return (time.process_time() - began) / max(1, end - before)

    async def offer(self) -> tuple[int, float]:
        """Offer what can be offered, and see that; return how many and the CPU of all."""
        began, before = time.process_time(), await self._reader.position()
        await self.dispatcher.offering.offer_all()
        await self.follow()
        return (await self._reader.position() - before) // 3, time.process_time() - began


async def compare(folder: Path, waiting: int, agents: int) -> AsyncIterator[str]:
    """Measure with few and with many who wait, with one agent and with many; yield the CPU of each, and as ratios."""
    least: dict[str, float] = {}
    for wait, count in ((FEW, 1), (FEW, agents), (waiting, 1), (waiting, agents)):
        place_of = folder / f"{wait}-{count}"
        place_of.mkdir(parents=True)
        slots = -(-SLOTS // count)
        policy = policy_of(place_of / "policy.yaml", map(agent, range(count + 1)), slots)
        async with Growing(place_of / "stack", policy) as place:
            desk = Desk(place)
            costs = await _measured(desk, wait, count)
            for name, seconds in (costs | await _restarted(place, desk, count)).items():
                least.setdefault(name, seconds)
                what = f"{name}, {wait} wait, {count} agents"
                yield f"{what:<58} {seconds / least[name]:7.2f}   {seconds * 1e3:8.3f} ms"


async def _measured(desk: Desk, waiting: int, agents: int) -> dict[str, float]:
    """Return the CPU of a call, of an event that is seen, and of an offer, while never fewer or many more wait."""
    await desk.sign_in(range(agents))
    await desk.follow()
    calls, seen, offers, spent = list[float](), list[float](), 0, 0.0
    if waiting > OFFERS:
        await desk.call(waiting - FEW)
        await desk.follow()
    while offers < OFFERS:
        calls.append(await desk.call(FEW))
        seen.append(await desk.follow())
        made, seconds = await desk.offer()
        offers, spent = offers + made, spent + seconds
    return {
        "a call": statistics.median(calls),
        "an event seen": statistics.median(seen),
        "an offer": spent / offers,
    }


async def _restarted(place: Growing, desk: Desk, agents: int) -> dict[str, float]:
    """Start a router beside a snapshot, with an agent who has come meanwhile: until it has offered to her."""
    await desk.dispatcher.keep_now()
    await place.bus.store(
        subjects.armed("router"), b""
    )  # else it reads the ledger for timers, once
    await desk.sign_in([agents])
    await desk.call(1)
    before, began = place.seen["contact.offered"], time.perf_counter()
    await place.launch("router")
    await place.until_seen("contact.offered", before + 1)
    offered = time.perf_counter() - began
    await place.until_ready("router")
    return {
        "a router's start until its first offer": offered,
        "a router's start, its CPU": place.cpu_seconds()["router"],
    }
