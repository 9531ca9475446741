"""What an operator does to the ledger: puts an older one in its place, or deletes it; and the ways on (ADR 0030)."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from deploy.embedded import state
from deploy.embedded.errors import ProgramExited
from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.embedded.status import examine
from shared import aggregates, streams
from shared.codec import PlainCodec
from shared.events import LedgerAdopted
from shared.ledger.jetstream import NatsLedger
from tests.faults.asking import TENANT, wait
from tests.faults.proving import Place, family, state_of
from tests.faults.traffic import AGENTS

LATER_DELIVERIES = 3
WITHIN_SECONDS = 60.0
REFUSING = ("router", "notify", "ingest")
"""The services that refuse a ledger that its mark contradicts; history halts."""
CODE, REMEDY = "ledger.contradicted", "tellonce ledger adopt"


@contextlib.asynccontextmanager
async def put_back_for_a_while(place: Place) -> AsyncIterator[None]:
    """NATS comes back with an older copy of its data under services that go on; later with the right data."""
    stored = place.stack.folder / "nats" / "jetstream"
    older, right = stored.with_name("older"), stored.with_name("right")
    _copy_still(place, stored, older)
    await _go_on(place)
    with place.traffic.not_counting():
        _kill_and_exchange(place, stored, right, older)
        yield
        _kill_and_exchange(place, stored, older, right)
        await _until_right(place)
    shutil.rmtree(older)


@contextlib.asynccontextmanager
async def put_back_and_adopted(place: Place) -> AsyncIterator[None]:
    """An older copy is put back while the stack is down, refused by everybody, and adopted; providers deliver again."""
    stack, stored = place.stack, place.stack.folder / "nats" / "jetstream"
    older = stored.with_name("older")
    _copy_still(place, stored, older)
    await _go_on(place)
    with place.traffic.closed():
        await stack.stop()
        shutil.rmtree(stored)
        older.rename(stored)
        await _is_refused(place)
        async with EmbeddedStack(Plan(folder=stack.folder, bootstrap=(), services={})) as servers:
            await _refuse(place, servers)
            yield
            position = await _adopt(place)
        await stack.start()
        place.traffic.begin_again(position)
    await _sign_in(place)
    await place.traffic.everything_again()


@contextlib.asynccontextmanager
async def deleted_and_adopted(place: Place) -> AsyncIterator[None]:
    """LEDGER is deleted under a running stack, and what CONTACTS holds is decided again when that is adopted."""
    with place.traffic.closed():
        await place.bus.api(f"STREAM.DELETE.{streams.LEDGER}")
        yield
        await _until_told(place)
        place.traffic.begin_again(await _adopt(place))
    await _sign_in(place)


# -- copies ----------------------------------------------------------------------------------------------


def _copy_still(place: Place, stored: Path, copy: Path) -> None:
    """Copy the data while nobody writes it."""
    pids = family(place.pid("nats"))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        shutil.copytree(stored, copy)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def _go_on(place: Place) -> None:
    """Let the ledger grow by what is acknowledged."""
    for _ in range(LATER_DELIVERIES):
        await place.traffic.until("decided", WITHIN_SECONDS)


def _kill_and_exchange(place: Place, stored: Path, away: Path, back: Path) -> None:
    """End the server and exchange its data before the supervisor, who shares our thread, can start it again."""
    pid = place.pid("nats")
    os.kill(pid, signal.SIGKILL)
    while state_of(pid) not in {"", "Z"}:
        os.sched_yield()
    stored.rename(away)
    back.rename(stored)


async def _until_right(place: Place) -> None:
    """Wait until the server has its right data again."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while await _end(place) < place.traffic.reached:
            await wait()


async def _end(place: Place) -> int:
    with contextlib.suppress(Exception):
        return await NatsLedger(place.bus, PlainCodec()).position()
    return 0


# -- who refuses -----------------------------------------------------------------------------------------


async def _is_refused(place: Place) -> None:
    """The stack does not start, and says why and what to do."""
    try:
        await place.stack.start()
    except ProgramExited as refusal:
        _names_its_remedy(place, "the stack", refusal.how_to_mend)
    else:
        place.observed.wrong.append("a stack starts with an older ledger")


async def _refuse(place: Place, servers: EmbeddedStack) -> None:
    """Every service that is started beside the older ledger ends, and nothing is acknowledged or answered."""
    before = len(place.observed.acknowledged), len(place.observed.replies)
    await asyncio.gather(*(_refuses(place, servers, name) for name in REFUSING))
    if (len(place.observed.acknowledged), len(place.observed.replies)) != before:
        place.observed.wrong.append("something was acknowledged beside an older ledger")
    code, said = await _tellonce(place, "ledger", "check", "--json")
    if code != 1 or json.loads(said)["against"].get("mark") != "shorter":
        place.observed.wrong.append(f"ledger check: {code} {said}")


async def _refuses(place: Place, servers: EmbeddedStack, service: str) -> None:
    environment = {
        **place.stack.plan.environment,
        "TELLONCE_NATS_URL": servers.addresses["nats"],
        "TELLONCE_NATS_SEED_FILE": servers.bus_address(service).seed_file,
        "TELLONCE_POSTGRES_DSN": servers.addresses["postgres"],
        "TELLONCE_LEDGER_MARK": str(place.stack.folder / state.LEDGER_MARK),
        "TELLONCE_INGEST_PORT": place.stack.addresses["ingest"].rpartition(":")[2],
    }
    code, said = await _run(environment, sys.executable, "-m", f"services.{service}")
    if code != 1:
        place.observed.wrong.append(f"{service} beside an older ledger: exit code {code}")
    _names_its_remedy(place, service, said)


def _names_its_remedy(place: Place, who: str, said: str) -> None:
    place.observed.wrong += [
        f"{who} does not say {word}" for word in (CODE, REMEDY) if word not in said
    ]


async def _until_told(place: Place) -> None:
    """Wait until the status names the ledger, and the bootstrap job refuses to make it anew."""
    log = place.stack.folder / "logs" / "bootstrap.log"
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            while not _tells(await examine(place.stack.folder)) or CODE not in log.read_text(
                "utf-8"
            ):
                await wait()
    except TimeoutError:
        place.observed.wrong.append("the status does not name the ledger that is gone")
    _names_its_remedy(place, "the bootstrap job", log.read_text("utf-8"))


def _tells(found: state.Status) -> bool:
    told = " ".join(trouble for each in found.troubles.values() for trouble in each)
    return found.state == "degraded" and streams.LEDGER in told


# -- the way on --------------------------------------------------------------------------------------------


async def _adopt(place: Place) -> int:
    """An operator accepts what stands, which is on the record with what contradicted it; return where that ends."""
    stood = await _end(place)
    code, said = await _tellonce(place, "ledger", "adopt", "--reason", "no newer copy")
    ledger = NatsLedger(place.bus, PlainCodec())
    last = (await ledger.read_leader(TENANT, aggregates.LEDGER_IDENTITY))[-1].event
    named = isinstance(last, LedgerAdopted) and last.open.against and last.open.position >= stood
    if code != 0 or not named:
        place.observed.wrong.append(f"ledger adopt: {code} {said}")
    return stood


async def _sign_in(place: Place) -> None:
    """Agents find themselves signed out, or not."""
    for agent in AGENTS:
        await place.traffic.does(agent, "sign_in")


async def _tellonce(place: Place, *argv: str) -> tuple[int, str]:
    """Give a command line; return its exit code and what it printed."""
    program = str(Path(sys.executable).with_name("tellonce"))
    data = ("--data", str(place.stack.folder))
    return await _run(place.stack.plan.environment, program, *argv, *data)


async def _run(environment: Mapping[str, str], *argv: str) -> tuple[int, str]:
    """Run a program to its end; return its exit code and what it printed. Raises: TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), WITHIN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, said.decode(errors="replace")
