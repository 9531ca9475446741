"""A rolling upgrade under traffic, and back again: every service beside the one that it follows."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from deploy.embedded.stack import ROOT, EmbeddedStack, Plan
from deploy.story.checks.quiescence import until_at_rest
from deploy.story.providers import doors
from deploy.story.providers.mail_sink import mail_sink
from shared import bus as buses
from shared import policy as policies
from shared import secret_values, settings
from shared.events import MessageFailed, MessageRequested, MessageSent, MessageUncertain
from shared.ledger import Recorded
from tests.faults.asking import wait
from tests.faults.checking import violations
from tests.faults.looking import look
from tests.faults.observed import Observed
from tests.faults.traffic import AGENTS, Traffic
from tests.support.servers import EmbeddedNats
from tests.upgrade.versions import Fleet, Version, types_of

FORWARD = ("history", "router", "notify", "ingest")
"""Readers before writers: the router reads CONTACTS, where notify and ingest write (docs/adr/0083)."""
ONE_BY_ONE = tuple((service,) for service in FORWARD)
TOGETHER = (FORWARD,)
"""The short form: all new ones are started beside all old ones, which are then ended in order."""
SLOTS = 100
SETTLED_SECONDS = 60.0
ANSWERED_SECONDS = 60.0

Say = Callable[[str, float], None]
Steps = Sequence[Sequence[str]]


class Crowd(Traffic):
    """Customers and agents who use whichever doors are open, in turn."""

    fleet: Fleet
    _turn = 0

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._requested: set[str] = set()
        self._ended: set[str] = set()
        self.types: set[str] = set()
        """Of all events until now."""

    @override
    def _see(self, recorded: Recorded) -> None:
        super()._see(recorded)
        self.types.add(recorded.event.type)
        match recorded.event:
            case MessageRequested() as event:
                self._requested.add(event.open.message_id)
            case MessageSent() | MessageFailed() | MessageUncertain() as event:
                self._ended.add(str(event.open.message_id))

    async def until_all_ended(self) -> None:
        """Wait until what was asked to be sent so far has an end. Raises: TimeoutError."""
        requested = set(self._requested)
        async with asyncio.timeout(SETTLED_SECONDS):
            while not requested <= self._ended:  # noqa: ASYNC110  the condition is a server's
                await wait()

    @override
    def url_of(self, delivery: doors.Delivery) -> str:
        there = [version for service, version in self.fleet.running if service == "ingest"]
        self._turn += 1
        door = self.fleet.door(there[self._turn % len(there)] if there else "old")
        return delivery.url.replace(self.stack.addresses["ingest"], door)


async def run(folder: Path, old: Path, say: Say, steps: Steps = ONE_BY_ONE) -> list[str]:
    """Upgrade under traffic and go back, and return what did not hold. `steps`: what is exchanged at a time."""
    policy = folder / "policy.yaml"
    policy.write_text(_policy(old), "utf-8")
    observed = Observed(seed=1, policy=policies.load(policy))
    async with AsyncExitStack() as held:
        sink = await held.enter_async_context(mail_sink())
        # The old one has no key, so its server asks nobody who he is.
        server = await held.enter_async_context(EmbeddedNats(folder / "nats"))
        environment = {
            "TELLONCE_POLICY": str(policy),
            "TELLONCE_SMTP_URL": sink.url,
            "TELLONCE_NATS_URL": server.url,
        }
        plan = Plan(folder=folder / "stack", environment=environment, bootstrap=(), services={})
        stack = await held.enter_async_context(EmbeddedStack(plan))
        bus = await buses.connect(stack.bus_address(), "upgrade")
        held.push_async_callback(bus.close)
        fleet = Fleet(stack, bus, {"old": old, "new": ROOT})
        held.push_async_callback(fleet.stop_all)
        secrets = secret_values.load_secrets(settings.Settings())
        traffic = Crowd(stack, bus, observed, secrets, sink)
        traffic.fleet = fleet
        held.push_async_callback(traffic.close)
        await _day(traffic, fleet, say, steps)
        await look(bus, observed)
        observed.mails = list(sink.mails)
    return violations(observed)


async def _day(traffic: Crowd, fleet: Fleet, say: Say, steps: Steps) -> None:
    """Let people work while one service after another is exchanged, there and back, and there again at once."""
    await fleet.bootstrap("old")
    await fleet.start(FORWARD, "old")
    background = [asyncio.create_task(traffic.follow()), asyncio.create_task(traffic.count())]
    for agent in AGENTS:
        await traffic.does(agent, "sign_in")
    customers = asyncio.create_task(traffic.customers())
    try:
        await _answered(traffic, say, "old")
        await fleet.bootstrap("new")
        await _answered(traffic, say, "old, on streams of new")
        for step in steps:
            await _exchange(traffic, fleet, step, "old", "new", say)
        for step in reversed(steps):
            await _exchange(traffic, fleet, step[::-1], "new", "old", say)
        await _nothing_is_left(traffic)
        _all_can_be_read(traffic, types_of(fleet.code["old"]))
        await fleet.stop(FORWARD, "old")
        fleet.stays = True
        await fleet.start(FORWARD, "new")
        await _answered(traffic, say, "new again")
    finally:
        customers.cancel()
    await traffic.finish()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLED_SECONDS):
            await traffic.until_decided({*traffic.observed.acknowledged})
    await until_at_rest(fleet.bus)
    await traffic.finish()
    await until_at_rest(fleet.bus)
    for task in background:
        task.cancel()


async def _nothing_is_left(traffic: Crowd) -> None:
    """The old version alone ends what was begun beside the new one."""
    try:
        await traffic.until_all_ended()
    except TimeoutError:
        traffic.observed.wrong.append("the old version alone leaves messages without an end")


def _all_can_be_read(traffic: Crowd, known: frozenset[str]) -> None:
    """The new version began nothing that the old one cannot read."""
    traffic.observed.wrong += [
        f"the old version cannot read {each}" for each in sorted(traffic.types - known)
    ]


async def _exchange(
    traffic: Crowd,
    fleet: Fleet,
    services: Sequence[str],
    before: Version,
    after: Version,
    say: Say,
) -> None:
    """Start some beside the others, see that both work, and end the others, in order."""
    names = ", ".join(services)
    await fleet.start(services, after)
    await _answered(traffic, say, f"{names}: {before} and {after}")
    await fleet.stop(services, before)
    await _answered(traffic, say, f"{names}: {after}")


async def _answered(traffic: Crowd, say: Say, when: str) -> None:
    """A mail goes through everything: it is taken, decided, offered, answered, and the answer arrives."""
    began = time.monotonic()
    taken = await traffic.until("answered", ANSWERED_SECONDS)
    say(when, time.monotonic() - began)
    if taken is None:
        traffic.observed.wrong.append(f"nobody is answered: {when}")


def _policy(old: Path) -> str:
    """Return the embedded policy of the old version, with agents who can take a crowd."""
    chosen = yaml.safe_load((old / "deploy/embedded/policy.yaml").read_text("utf-8"))
    for agent in chosen["agents"].values():
        agent["slots"] = SLOTS
    chosen["times"] = {"offer_seconds": 60, "notification_seconds": 3_600}
    return yaml.safe_dump(chosen)
