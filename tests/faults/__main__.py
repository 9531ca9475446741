"""`python -m tests.faults`: does faults to a stack under load, one after another, and checks what was observed.

The short form takes less than two minutes on an idle machine; `--long` also fills both disks (as root), deletes a
stream, and goes through all faults several times in a random order. Every check is also run on damaged observations,
which it must refuse. Exit 0: every invariant holds; 1: one does not, or a check did not find its damage.
"""

import argparse
import asyncio
import contextlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import yaml

from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.story.checks.quiescence import until_at_rest
from deploy.story.providers.mail_sink import mail_sink
from services.router.tolerant_codec import TolerantCodec
from shared import bus as buses
from shared import errors, settings, subjects
from shared import policy as policies
from shared.ledger.jetstream import NatsLedger
from tests.faults.checking import BOUNDS_MISSED_BY, FATES, unfound, violations
from tests.faults.injecting import FAULTS, Fault, Place, small_disk
from tests.faults.observed import Observed, Recovery
from tests.faults.traffic import AGENTS, TENANT, Traffic, wait

SLOTS = 100
LONG_ROUNDS = 4
WARM_UP_DELIVERIES = 8
REST_TRIES = 4
QUERY_SECONDS = 10.0
REBUILD_SECONDS = 90.0
SETTLED_SECONDS = 40.0
COUNTS = ("received", *FATES, "missing")


async def run(faults: Sequence[Fault], seed: int, folder: Path) -> Observed:
    """Do the faults to a stack of its own and return what was observed."""
    policy, secrets = _policy(folder), settings.load_secrets(settings.Settings())
    observed = Observed(seed=seed, policy=policy)
    async with AsyncExitStack() as held:
        for server in {each.name.rpartition(" ")[2] for each in faults if "disk" in each.name}:
            held.enter_context(small_disk(folder / "stack", server))
        sink = await held.enter_async_context(mail_sink())
        environment = {
            "TELLONCE_POLICY": str(folder / "policy.yaml"),
            "TELLONCE_SMTP_URL": sink.url,
        }
        plan = Plan(folder=folder / "stack", environment=environment)
        stack = await held.enter_async_context(EmbeddedStack(plan))
        bus = await buses.connect(stack.addresses["nats"], "faults")
        held.push_async_callback(bus.close)
        traffic = Traffic(stack, bus, observed, policy, secrets)
        await _day(faults, Place(stack, bus), traffic, observed)
        await _look(bus, observed)
        observed.mails = list(sink.mails)
    return observed


async def _day(faults: Sequence[Fault], place: Place, traffic: Traffic, observed: Observed) -> None:
    """Let people work, do one fault after another, and wait until everything is done."""
    background = [asyncio.create_task(traffic.follow()), asyncio.create_task(traffic.count())]
    for agent in AGENTS:
        await traffic.does(agent, "sign_in")
    customers = asyncio.create_task(traffic.customers())
    try:
        for _ in range(WARM_UP_DELIVERIES):
            await traffic.decided_after(QUERY_SECONDS)
        for fault in faults:
            await _one(fault, place, traffic, observed)
    finally:
        customers.cancel()
    await traffic.finish()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLED_SECONDS):
            await traffic.until_decided(observed.acknowledged)
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


async def _one(fault: Fault, place: Place, traffic: Traffic, observed: Observed) -> None:
    """Do one fault, and see how long a new delivery takes from its beginning or its end."""
    patience = fault.bound_seconds * BOUNDS_MISSED_BY + 5.0
    doing = asyncio.create_task(fault.inject(place))
    if fault.meanwhile_seconds is not None:
        await wait()  # the fault has begun
        seconds = await traffic.decided_after(patience)
        meanwhile = Recovery(f"{fault.name}, meanwhile", seconds, fault.meanwhile_seconds)
        observed.recoveries.append(meanwhile)
    began = time.monotonic()
    await doing
    since = 0.0 if fault.lasts else time.monotonic() - began
    seconds = await traffic.decided_after(patience)
    seconds = None if seconds is None else seconds + since
    observed.recoveries.append(Recovery(fault.name, seconds, fault.bound_seconds))
    shown = "never" if seconds is None else f"{seconds:5.2f} s"
    print(f"  {fault.name:<24} decided again after {shown}", flush=True)


async def _look(bus: buses.Bus, observed: Observed) -> None:
    """Read everything that is checked, from the stack at rest."""
    ledger = NatsLedger(bus, TolerantCodec())
    end = await ledger.position()
    recorded: list[Any] = []
    async with contextlib.aclosing(ledger.follow(0)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            recorded += batch
            if recorded[-1].sequence >= end:
                break
    observed.recorded = recorded
    observed.position = (await _ask(bus, "position", min_seq=end))["position"]
    named = {each.event.conversation for each in observed.readable() if each.event.conversation}
    observed.timelines = {name: await _timeline(bus, name) for name in sorted(named)}
    digests = await _request(bus, subjects.ops("history", "rebuild"), {}, REBUILD_SECONDS)
    observed.live_digest, observed.rebuilt_digest = digests["live"], digests["rebuilt"]
    observed.balance = await _balance(bus)
    observed.proved = await _proved(bus)
    observed.overlooked = [
        line["id"]
        for line in await _listed(bus, "overlooked", "requests")
        if line["state"] == "none"
    ]


async def _timeline(bus: buses.Bus, conversation: str) -> list[int]:
    rows = await _listed(bus, "timeline", "rows", conversation=conversation)
    return [row["sequence"] for row in rows]


async def _listed(bus: buses.Bus, query: str, lines: str, **asked: Any) -> list[dict[str, Any]]:
    """Return the lines of all pages of a list."""
    page = await _ask(bus, query, **asked)
    found = list(page[lines])
    while page["next"] is not None:
        page = await _ask(bus, query, **{**asked, "after": page["next"]})
        found += page[lines]
    return found


async def _balance(bus: buses.Bus) -> dict[str, int]:
    """Return the balance as it was counted, once all is counted."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        found = await _ask(bus, "balance")
        settled = found["to"] >= found["end"] and not found["missing"]
        if settled or time.monotonic() > deadline:
            return {name: found[name] for name in COUNTS}
        await wait()


async def _proved(bus: buses.Bus) -> dict[str, int]:
    """Return the balance that RAW gives when it is parsed again."""
    total, first, end = dict.fromkeys(COUNTS, 0), 0, 0
    while first <= end:
        found = await _ask(bus, "balance", **{"from": first})
        total = {name: total[name] + found[name] for name in COUNTS}
        first, end = found["to"] + 1, found["end"]
    return total


async def _ask(bus: buses.Bus, name: str, **question: Any) -> dict[str, Any]:
    return await _request(bus, subjects.query(TENANT, name), question, SETTLED_SECONDS)


async def _request(
    bus: buses.Bus, subject: str, body: dict[str, Any], within_seconds: float
) -> dict[str, Any]:
    """Ask until somebody answers with more than "later". Raises: AssertionError after `within_seconds`."""
    deadline, last = time.monotonic() + within_seconds, ""
    while time.monotonic() < deadline:
        try:
            answer = await bus.request(
                subject, msgspec.json.encode(body), timeout_seconds=within_seconds
            )
            reply: dict[str, Any] = msgspec.json.decode(answer)
            if not (reply.get("error") or {}).get("retryable"):
                assert "error" not in reply, reply
                return reply
            last = str(reply)
        except errors.TellonceError as error:
            last = error.code
        await wait()
    raise AssertionError(f"{subject} is not answered: {last}")


def _policy(folder: Path) -> policies.Policy:
    """Write the embedded policy with agents who can take a crowd; return it."""
    chosen = yaml.safe_load(Path(settings.Settings().policy).read_text("utf-8"))
    for agent in chosen["agents"].values():
        agent["slots"] = SLOTS
    chosen["times"] |= {"offer_seconds": 60, "notification_seconds": 3_600}
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(chosen), "utf-8")
    return policies.load(path)


def wanted(names: Sequence[str], seed: int, *, long: bool) -> list[Fault]:
    """Return the faults to do, in order."""
    able = [each for each in FAULTS if not each.only_long or long]
    if os.geteuid() != 0:
        able = [each for each in able if "disk" not in each.name]
    if names:
        return [each for each in FAULTS if each.name in names]
    if not long:
        return able
    shuffled = random.Random(seed)
    return [each for _ in range(LONG_ROUNDS) for each in shuffled.sample(able, len(able))]


def report(observed: Observed) -> int:
    """Print what was observed and what does not hold; the exit code."""
    print(f"{len(observed.acknowledged)} deliveries acknowledged, {len(observed.recorded)} events")
    for each in observed.recoveries:
        shown = "never" if each.seconds is None else f"{each.seconds:6.2f} s"
        print(f"  {each.fault:<32} {shown}   bound {each.bound_seconds:4.1f} s")
    found = violations(observed)
    for violation in found[:20]:
        print(f"VIOLATED {violation}")
    blind = unfound(observed)
    for name in blind:
        print(f"BLIND {name}: the check did not find its damage")
    if not found and not blind:
        print("every invariant holds, every check found its damage")
    return 1 if found or blind else 0


def _folder(kept: Path | None) -> contextlib.AbstractContextManager[Path]:
    """Give the folder of a run: a kept one, else one that is gone afterwards."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        return contextlib.nullcontext(kept)
    return _temporary()


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tellonce-faults-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def main() -> int:
    """Read the command line, run, and sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--long", action="store_true", help="all faults, several times")
    parser.add_argument(
        "--fault", action="append", default=[], choices=[each.name for each in FAULTS]
    )
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="an empty folder; the data and logs stay"
    )
    chosen = parser.parse_args()
    faults = wanted(chosen.fault, chosen.seed, long=chosen.long)
    print(f"seed {chosen.seed}: {len(faults)} faults")
    began = time.monotonic()
    with _folder(chosen.keep) as folder:
        code = report(asyncio.run(run(faults, chosen.seed, folder)))
    print(f"{time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
