"""A stack that grows: servers of its own, services started and killed one by one, and somebody who plays customers and
agents on it."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import msgspec

from deploy.embedded import probes
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.process import Child, Program
from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.rights import KEEPER
from services.router.snapshot import NatsSnapshots
from shared import subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from shared.codec import PlainCodec
from shared.ledger import Recorded
from shared.ledger.jetstream import NatsLedger
from tests.bench.door import Door, Form
from tests.bench.place import cpu_seconds, read_json

TENANT = "demo"
WITHIN_SECONDS = 120.0
LEARNED_WITHIN_SECONDS = 1_800.0
POLL_SECONDS = 0.01
SESSIONS = "postgres' sessions"
"""The processes of Postgres that serve a connection; the others work by themselves."""


class Growing:
    """`async with Growing(folder, policy) as place: await place.start("router")`.

    `seen`: how many events of each type were recorded since it was entered; `offers`: by conversation, to whom.
    """

    def __init__(self, folder: Path, policy: Path) -> None:
        self.folder = folder
        environment = {"TELLONCE_POLICY": str(policy)}
        plan = Plan(folder=folder, environment=environment, users=(KEEPER,), services={})
        self.stack = EmbeddedStack(plan)
        self.policy = policy
        self.services: dict[str, Child] = {}
        self.seen: Counter[str] = Counter()
        self.offers: dict[str, tuple[str, str]] = {}
        self._form = Form()
        self._held = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._held.enter_async_context(self.stack)
        self._held.push_async_callback(self.stop)
        self.bus: Bus = await connect(self.stack.bus_address(KEEPER), "bench-growing")
        self._held.push_async_callback(self.bus.close)
        self.ledger = NatsLedger(self.bus, PlainCodec())
        await self.watch()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._held.aclose()

    async def watch(self) -> None:
        """Look at what is recorded from now on."""
        self._live = await self.bus.subscribe(f"live.ledger.*.{TENANT}.>", self._saw)

    async def look_away(self) -> None:
        """Look at nothing: whoever fills the ledger would look at all of it."""
        await self._live.stop()

    async def _saw(self, message: Message) -> None:
        event = read_json(message)
        self.seen[event["type"]] += 1
        if event["type"] == "contact.offered":
            offered = event["data"]["open"]
            self.offers[event["conversation"]] = offered["agent"], offered["offer_id"]

    # -- services -------------------------------------------------------------------------------------

    async def start(self, *names: str) -> None:
        """Start services and wait until they are ready, however long the ledger is that they read."""
        for name in names:
            await self.launch(name)
        for name in names:
            await self.until_ready(name)

    async def launch(self, name: str) -> None:
        """Start a service without waiting for it."""
        bus = self.stack.bus_address()
        program = Program(
            name=name,
            argv=(sys.executable, "-m", f"services.{name}"),
            log_path=self.folder / "logs" / f"{name}.log",
            ready=lambda: probes.service_answers(bus, name),
            env=self.environment(name),
        )
        self.services[name] = await Child.start(program)

    def environment(self, service: str) -> dict[str, str]:
        """Return the settings of a service."""
        return {
            "TELLONCE_POLICY": str(self.policy),
            "TELLONCE_NATS_URL": self.stack.addresses["nats"],
            "TELLONCE_NATS_SEED_FILE": self.stack.bus_address(service).seed_file,
            "TELLONCE_POSTGRES_DSN": self.stack.addresses["postgres"],
            "TELLONCE_INGEST_PORT": self.stack.addresses["ingest"].rsplit(":", 1)[1],
        }

    async def until_ready(self, name: str) -> None:
        """Raises: TimeoutError, RuntimeError when it has ended."""
        child = self.services[name]
        async with asyncio.timeout(LEARNED_WITHIN_SECONDS):
            while not await child.program.ready():
                if child.exit_code is not None:
                    raise RuntimeError(child.program.log_path.read_text("utf-8")[-2_000:])
                await asyncio.sleep(POLL_SECONDS)

    async def kill(self, *names: str) -> None:
        """End services by signal 9."""
        for name in names:
            await self.services.pop(name).kill()

    async def stop(self) -> None:
        """End all services."""
        await self.kill(*self.services)

    # -- what they take ---------------------------------------------------------------------------------

    def cpu_seconds(self) -> dict[str, float]:
        """Return what every service and server has used so far."""
        return {
            name: sum(cpu_seconds(pid) for pid in pids) for name, pids in self._processes().items()
        }

    def memory_mb(self) -> dict[str, float]:
        """Return what every service and server has in memory, its share of what is shared."""
        return {
            name: sum(_memory_mb(pid) for pid in pids) for name, pids in self._processes().items()
        }

    def _processes(self) -> dict[str, list[int]]:
        servers = {name: _family(pid) for name, pid in self.stack.status().pids.items()}
        sessions = [pid for pid in servers.get("postgres", []) if _is_session(pid)]
        running = {name: [child.pid] for name, child in self.services.items()}
        return {**servers, SESSIONS: sessions, **running}

    def disk_mb(self, server: str) -> float:
        """Return how much a server's data takes on disk."""
        files = (each for each in (self.folder / server).rglob("*") if each.is_file())
        return sum(_allocated(each) for each in files) / 1e6

    # -- what happens -----------------------------------------------------------------------------------

    async def write_in(self, person: int, text: str) -> None:
        """A person sends the form. Raises: AssertionError when it is not taken."""
        fields = {
            "submission_id": uuid4().hex,
            "name": f"Person {person}",
            "email": f"person{person}@mail.example",
            "phone": f"+48{person:09d}",
            "topic": "other",
            "message": text,
        }
        body = json.dumps(fields).encode()
        door = await Door.open(self.stack.addresses["ingest"])
        await door.post(self._form.request(uuid4().hex, body))
        door.close()

    async def does(self, actor: str, verb: str, **fields: Any) -> None:
        """Give a command. Raises: RuntimeError when it is refused."""
        given = {
            "command_id": uuid4().hex,
            "issued_at": datetime.now(UTC).isoformat(),
            "actor": f"agent:{actor}",
            **fields,
        }
        answer = await self.bus.request(subjects.command(TENANT, verb), msgspec.json.encode(given))
        if b'"ok":true' not in answer:
            raise RuntimeError(answer.decode())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds. Raises: TimeoutError."""
        async with asyncio.timeout(WITHIN_SECONDS):
            while not condition():  # noqa: ASYNC110  the condition is a server's
                await asyncio.sleep(POLL_SECONDS)

    async def until_seen(self, kind: str, count: int) -> None:
        """Wait until so many events of a type were recorded. Raises: TimeoutError."""
        await self.until(lambda: self.seen[kind] >= count)

    async def until_projected(self) -> None:
        """Wait until history has all that is recorded now. Raises: TimeoutError."""
        wanted = await self.ledger.position()
        async with asyncio.timeout(LEARNED_WITHIN_SECONDS):
            while await self.projected() < wanted:  # noqa: ASYNC110  the condition is a server's
                await asyncio.sleep(POLL_SECONDS)

    async def until_kept(self) -> None:
        """Wait for the router's first snapshot. Raises: TimeoutError."""
        kept = NatsSnapshots(self.bus)
        async with asyncio.timeout(WITHIN_SECONDS):
            while await kept.newest() is None:  # noqa: ASYNC110  the condition is a server's
                await asyncio.sleep(POLL_SECONDS)

    async def projected(self) -> int:
        """Return up to where history has projected."""
        answer = await self.asked("position", {})
        return int(answer.get("position", 0))

    async def asked(self, query: str, question: dict[str, Any]) -> dict[str, Any]:
        """Ask history."""
        body = msgspec.json.encode(question)
        found = await self.bus.request(subjects.query(TENANT, query), body, timeout_seconds=60.0)
        answer: dict[str, Any] = msgspec.json.decode(found)
        return answer

    async def recorded(self, after: int) -> list[Recorded]:
        """Return what was recorded after a position."""
        end, found = await self.ledger.position(), list[Recorded]()
        if after < end:
            async for batch in self.ledger.follow(after):
                found += batch
                if found[-1].sequence >= end:
                    break
        return found


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1_024


def _family(pid: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    return [pid, *(int(each) for each in children)]


def _allocated(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


def _is_session(pid: int) -> bool:
    """Tell by a process's title: `postgres: <user> <database> <host>(<port>) …`."""
    try:
        title = Path(f"/proc/{pid}/cmdline").read_text("utf-8")
    except OSError:
        return False
    return f" {LOOPBACK}(" in title
