"""Does faults to a stack under load, one after another, and writes down what was observed."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import yaml

from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.embedded.status import examine
from deploy.rights import KEEPER
from deploy.story.checks.quiescence import until_at_rest
from deploy.story.providers.mail_sink import mail_sink
from shared import bus as buses
from shared import errors, secret_values, settings
from shared import policy as policies
from tests.faults.asking import wait
from tests.faults.checking import BOUNDS_MISSED_BY
from tests.faults.injecting import Fault, small_disk
from tests.faults.looking import look
from tests.faults.observed import Done, Observed, Recovery
from tests.faults.proving import Look, Place
from tests.faults.traffic import AGENTS, Traffic, Until
from tests.support.cut_cluster import CutCluster

SLOTS = 100
WARM_UP_DELIVERIES = 8
REST_TRIES = 4
SETTLED_SECONDS = 40.0
BITES_SECONDS = 30.0
READY_SECONDS = 60.0


async def run(faults: Sequence[Fault], seed: int, folder: Path) -> Observed:
    """Do the faults to a stack of its own and return what was observed."""
    secrets = secret_values.load_secrets(settings.Settings())
    observed = Observed(seed=seed, policy=_policy(folder))
    async with AsyncExitStack() as held:
        for server in {each.name.rpartition(" ")[2] for each in faults if "disk" in each.name}:
            held.enter_context(small_disk(folder / "stack", server))
        sink = await held.enter_async_context(mail_sink())
        environment = {
            "TELLONCE_POLICY": str(folder / "policy.yaml"),
            "TELLONCE_SMTP_URL": sink.url,
        }
        cluster = None
        if any(each.cluster for each in faults):
            cluster = await held.enter_async_context(CutCluster(folder / "three"))
            environment |= {"TELLONCE_NATS_URL": ",".join(cluster.urls), "TELLONCE_REPLICAS": "3"}
        plan = Plan(folder=folder / "stack", environment=environment, users=(KEEPER,))
        stack = await held.enter_async_context(EmbeddedStack(plan))
        bus = await buses.connect(stack.bus_address(KEEPER), "faults")
        held.push_async_callback(bus.close)
        traffic = Traffic(stack, bus, observed, secrets, sink)
        held.push_async_callback(traffic.close)
        await _day(faults, Place(stack, bus, traffic, observed, cluster))
        await look(bus, observed)
        observed.mails = list(sink.mails)
    return observed


async def _day(faults: Sequence[Fault], place: Place) -> None:
    """Let people work, do one fault after another, and wait until everything is done."""
    traffic = place.traffic
    background = [asyncio.create_task(traffic.follow()), asyncio.create_task(traffic.count())]
    for agent in AGENTS:
        await traffic.does(agent, "sign_in")
    customers = asyncio.create_task(traffic.customers())
    try:
        for _ in range(WARM_UP_DELIVERIES):
            await traffic.until("decided", SETTLED_SECONDS)
        for fault in faults:
            await _one(fault, place)
    finally:
        customers.cancel()
    await traffic.finish()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLED_SECONDS):
            await traffic.until_decided({*place.observed.acknowledged})
    await _until_nothing_moves(place.bus)
    await traffic.finish()
    await _until_nothing_moves(place.bus)
    for task in background:
        task.cancel()


async def _until_nothing_moves(bus: buses.Bus) -> None:
    """A consumer that was made anew gives all that there ever was: on a busy machine that takes a while."""
    for _ in range(REST_TRIES):
        if not await until_at_rest(bus):
            return


async def _one(fault: Fault, place: Place) -> None:
    """Do one fault, see that it was really done, and how long a new delivery takes meanwhile and afterwards."""
    await _until_ready(place)
    seen = await fault.proof.begin(place)
    idle = await _sees(seen)
    began, begun = datetime.now(UTC), time.monotonic()
    place.observed.done.append(Done(fault.name, began, "it was not ended", bitten=False))
    async with fault.happens(place):
        begun = time.monotonic() if fault.lasts_seconds else begun
        bitten = not idle and await _until_seen(seen)
        shown = (
            "it was so before"
            if idle
            else fault.proof.says
            if bitten
            else "never seen: " + fault.proof.says
        )
        place.observed.done[-1] = Done(fault.name, began, shown, bitten)
        if fault.meanwhile is not None:
            await _measure(f"{fault.name}, meanwhile", *fault.meanwhile, place)
        await wait(max(0.0, begun + fault.lasts_seconds - time.monotonic()))
    since = time.monotonic() if fault.lasts_seconds else begun
    await _measure(fault.name, fault.until, fault.bound_seconds, place, since)
    if fault.ready_seconds is not None:
        await _measure_ready(fault, fault.ready_seconds, place, since)


async def _measure(
    what: str, until: Until, bound_seconds: float, place: Place, since: float | None = None
) -> None:
    """Write down how long a new delivery takes, counted from `since`, else from now."""
    since = time.monotonic() if since is None else since
    taken = await place.traffic.until(until, bound_seconds * BOUNDS_MISSED_BY + 5.0)
    seconds = None if taken is None else time.monotonic() - since
    _tell(place.observed, Recovery(f"{what}: {until}", seconds, bound_seconds))


async def _measure_ready(fault: Fault, bound_seconds: float, place: Place, since: float) -> None:
    """Write down when the status is ready, without a trouble."""
    seconds = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(bound_seconds * BOUNDS_MISSED_BY + 5.0):
            while (found := await examine(place.stack.folder)).state != "ready" or found.troubles:
                await wait()
            seconds = time.monotonic() - since
    _tell(place.observed, Recovery(f"{fault.name}: ready", seconds, bound_seconds))


def _tell(observed: Observed, recovery: Recovery) -> None:
    observed.recoveries.append(recovery)
    shown = "  never " if recovery.seconds is None else f"{recovery.seconds:6.2f} s"
    print(f"  {recovery.what:<42} {shown}   bound {recovery.bound_seconds:4.1f} s", flush=True)


async def _until_ready(place: Place) -> None:
    """Wait until every program runs: a fault that is done to a process that is just started does nothing."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            while place.stack.status().state != "ready":  # noqa: ASYNC110  the condition is a server's
                await wait()


async def _until_seen(seen: Look) -> bool:
    deadline = time.monotonic() + BITES_SECONDS
    while not await _sees(seen):
        if time.monotonic() > deadline:
            return False
        await wait(0.02)
    return True


async def _sees(seen: Look) -> bool:
    try:
        return await seen()
    except (errors.TellonceError, TimeoutError):
        return False


def _policy(folder: Path) -> policies.Policy:
    """Write the embedded policy with agents who can take a crowd; return it."""
    chosen = yaml.safe_load(Path(settings.Settings().policy).read_text("utf-8"))
    for agent in chosen["agents"].values():
        agent["slots"] = SLOTS
    chosen["times"] |= {"offer_seconds": 60, "notification_seconds": 3_600}
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(chosen), "utf-8")
    return policies.load(path)
