"""Lets a shop have its day on a stack of its own, and a burst after it, and reads how it ended."""

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.rights import KEEPER
from deploy.story.checks.quiescence import until_at_rest
from deploy.story.providers import PROVIDERS
from deploy.story.providers.api_server import ApiServer, listening
from deploy.story.providers.mail_sink import mail_sink
from shared import bus as buses
from shared import policy as policies
from shared import secret_values, settings
from tests.faults.asking import wait
from tests.faults.checking import BOUNDS_MISSED_BY
from tests.faults.looking import look
from tests.faults.observed import Observed, Recovery
from tests.load.colleagues import SHIFTS, SLOTS, Colleagues
from tests.load.customers import CHAT, SOCIAL, Customers
from tests.load.day import CONTACTS_PER_HOUR, EVEN, Arrival, planned
from tests.load.floor import Floor
from tests.load.minutes import Minutes
from tests.load.verdicts import DECIDED_WITHIN_SECONDS, Ended

REST_TRIES = 4
WORKED_OFF_SECONDS = 60.0
WORKED_OFF_TRIES = 3
POLL_SECONDS = 0.1
TIMES = {
    "offer_seconds": 10,
    "transfer_seconds": 20,
    "callback_seconds": 60,
    "notification_seconds": 30,
}
"""A day is an hour: what the policy gives minutes for has seconds."""
CACHED = 256
"""Full long before the day ends: what grows after that is no cache that fills."""
SUPERVISOR = "night"
STRANGERS = {"address_per_minute": 6_000, "account_per_minute": 6_000}
"""All visitors of this shop have one address."""
PAGE: Mapping[str, Any] = {
    "queue": "hotline",
    "secrets": {"signing": "META_APP_SECRET", "verify": "META_APP_SECRET", "token": "META_TOKEN"},
    "address": "700100",
    "reaches": "account",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is to be. `contacts`: in an hour; `times`: how many times as many in the burst."""

    seed: int
    minutes: float
    burst_minutes: float
    contacts: float = CONTACTS_PER_HOUR
    times: float = 5.0


@dataclass
class Day:
    """A run that has ended."""

    ended: Ended
    minutes: Minutes
    floor: Floor


async def run(asked: Asked, folder: Path) -> Day:
    """Have the day and the burst; return how it ended."""
    secrets = secret_values.load_secrets(settings.Settings())
    observed = Observed(seed=asked.seed, policy=_policy(folder))
    async with AsyncExitStack() as held:
        sink = await held.enter_async_context(mail_sink())
        apis = await held.enter_async_context(listening(ApiServer(PROVIDERS)))
        environment = {
            "TELLONCE_POLICY": str(folder / "policy.yaml"),
            "TELLONCE_SMTP_URL": sink.url,
            "TELLONCE_PROVIDERS_URL": apis.url,
            "TELLONCE_AGGREGATE_CACHE": str(CACHED),
        }
        plan = Plan(folder=folder / "stack", environment=environment, users=(KEEPER,))
        stack = await held.enter_async_context(EmbeddedStack(plan))
        bus = await buses.connect(stack.bus_address(KEEPER), "load")
        held.push_async_callback(bus.close)
        floor = Floor(stack, bus, observed, secrets)
        held.push_async_callback(floor.close)
        day = await _day(asked, floor)
        await look(bus, observed)
        observed.mails = list(sink.mails)
        day.ended.end = datetime.now(UTC)
    return day


async def _day(asked: Asked, floor: Floor) -> Day:
    """Let people come and work, and wait until everything is done."""
    day_seconds, burst_seconds = asked.minutes * 60.0, asked.burst_minutes * 60.0
    minutes, customers = Minutes(day_seconds), Customers(floor)
    await floor.look_at_screens()
    background = [asyncio.create_task(each) for each in (floor.follow(), minutes.watch(floor))]
    chance = random.Random(asked.seed)
    a_second = asked.contacts / 3_600.0
    came = planned(chance, a_second * day_seconds, day_seconds)
    crowd = planned(chance, asked.times * a_second * burst_seconds, burst_seconds, EVEN, came)
    async with asyncio.TaskGroup() as tasks:
        colleagues = Colleagues(floor, tasks)
        shifts = tasks.create_task(colleagues.shifts(day_seconds))
        await _they_come(came, customers, tasks, day_seconds)
        await shifts
        await colleagues.everybody_comes()
        await _they_come(crowd, customers, tasks, burst_seconds)
        if crowd:
            await _until_decided(floor)
        await _work_off(floor, colleagues)
        floor.listener = lambda _: None
    busy = await _until_nothing_moves(floor)
    floor.observed.rested = datetime.now(UTC)
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    looks, half_came = minutes.of_day(), minutes.half_came()
    ended = Ended(floor.observed, looks, floor.told, datetime.now(UTC), half_came)
    ended.untaken, ended.busy, ended.undecided = customers.untaken, busy, floor.undecided()
    return Day(ended, minutes, floor)


async def _they_come(
    arrivals: Sequence[Arrival], customers: Customers, tasks: asyncio.TaskGroup, seconds: float
) -> None:
    """Let everybody come at her time, and return when the time is over."""
    began = time.monotonic()
    for each in arrivals:
        await wait(max(0.0, began + each.seconds - time.monotonic()))
        tasks.create_task(customers.comes(each))
    await wait(max(0.0, began + seconds - time.monotonic()))


async def _until_decided(floor: Floor) -> None:
    """Write down how long it takes from the end of a burst until all that was taken is decided."""
    since, taken = time.monotonic(), set(floor.observed.acknowledged)
    seconds: float | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DECIDED_WITHIN_SECONDS * BOUNDS_MISSED_BY):
            while not taken <= floor.decided:
                await wait(POLL_SECONDS)
            seconds = time.monotonic() - since
    what = "the burst: everything decided"
    floor.observed.recoveries.append(Recovery(what, seconds, DECIDED_WITHIN_SECONDS))


async def _work_off(floor: Floor, colleagues: Colleagues) -> None:
    """Wait until every matter is closed, within bounds."""
    for _ in range(WORKED_OFF_TRIES):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WORKED_OFF_SECONDS):
                while floor.open:
                    await wait(POLL_SECONDS)
                return
        await colleagues.clear_up()


async def _until_nothing_moves(floor: Floor) -> list[str]:
    """Return the consumers that still have something to do after a while."""
    busy: list[str] = []
    for _ in range(REST_TRIES):
        busy = await until_at_rest(floor.bus)
        if not busy:
            break
    return busy


def _policy(folder: Path) -> policies.Policy:
    """Write the embedded policy with the colleagues and times of this shop; return it."""
    chosen = yaml.safe_load(Path(settings.Settings().policy).read_text("utf-8"))
    chosen["agents"] = {
        name: {"name": name.title(), "queues": list(shift.queues), "slots": SLOTS}
        for name, shift in SHIFTS.items()
    }
    for queue in chosen["queues"].values():
        queue["supervisor"] = SUPERVISOR
    chosen["times"] |= TIMES
    chosen["accounts"][CHAT]["strangers"] = STRANGERS
    chosen["accounts"][SOCIAL] = PAGE
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(chosen), "utf-8")
    return policies.load(path)
