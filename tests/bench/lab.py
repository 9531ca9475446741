"""The servers of a stack whose services run as they are wanted, with forms that come in, and what the ledger says."""

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import httpx
import msgspec

from deploy.embedded.ports import LOOPBACK
from deploy.embedded.process import Child
from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.rights import KEEPER
from shared import streams, subjects
from shared.bus import Bus
from shared.bus.deliveries import Message
from tests.bench.door import Door, Form
from tests.bench.place import (
    LONG_SECONDS,
    Beside,
    cpu_seconds,
    driver_on,
    make_streams_beside,
    policy_of,
    read_json,
)

TENANT = "demo"
WITHIN_SECONDS = 120.0
POLL_SECONDS = 0.005
SERVER = "nats"
TEXT = "Dzień dobry, moja paczka nie dotarła do automatu, a kod nie działa. " * 4


class Lab:
    """A stack on which nothing falls due. `agents`: who may take forms; each takes `slots` of them at once."""

    def __init__(self, folder: Path, agents: Collection[str], slots: int) -> None:
        self._folder = folder
        self._agents, self._slots = agents, slots
        self._held = AsyncExitStack()
        self._running: dict[str, Child] = {}
        self._form = Form()
        self.posted = 0
        self.times: dict[str, list[float]] = defaultdict(list)
        """When the events of each type were seen."""
        self.first: dict[tuple[str, str], float] = {}
        """When the first event of a type was seen, by conversation."""
        self.led_to: dict[str, str] = {}
        """The conversation that a form led to, by its submission id."""

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        policy = policy_of(self._folder / "policy.yaml", self._agents, self._slots)
        environment = {"TELLONCE_POLICY": str(policy)}
        plan = Plan(
            folder=self._folder / "stack", environment=environment, users=(KEEPER,), services={}
        )
        self.stack = await self._held.enter_async_context(EmbeddedStack(plan))
        client = await driver_on(self.stack)
        self._held.push_async_callback(client.close)
        self.bus, self.beside = Bus.of(client), Beside.of(client)
        await make_streams_beside(self.bus)
        await self.bus.subscribe(f"live.ledger.*.{TENANT}.>", self._saw)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in list(self._running):
            await self.stop(name)
        await self._held.aclose()

    # -- services -----------------------------------------------------------------------------------------

    async def start(self, *names: str) -> None:
        """Start services and wait until they are ready."""
        for name in names:
            argv = (sys.executable, "-m", f"services.{name}")
            child = await Child.start(self.stack.service_program(name, argv))
            self._running[name] = child
            await child.wait_ready()

    async def stop(self, *names: str) -> None:
        for name in names:
            await self._running.pop(name).stop()

    async def pause(self, consumers: Iterable[streams.Consumer]) -> None:
        """Let consumers give nothing until they are resumed."""
        until = (datetime.now(UTC) + timedelta(seconds=LONG_SECONDS)).isoformat()
        await self._paused(consumers, {"pause_until": until})

    async def resume(self, consumers: Iterable[streams.Consumer]) -> None:
        await self._paused(consumers, {})

    async def _paused(self, consumers: Iterable[streams.Consumer], body: Mapping[str, str]) -> None:
        paused = (
            self.bus.api(f"CONSUMER.PAUSE.{each.stream}.{each.name}", body) for each in consumers
        )
        await asyncio.gather(*paused)

    async def sign_in(self, agents: Sequence[str]) -> None:
        """Have agents sign in: they are offered what waits."""
        for agent in agents:
            command = {
                "command_id": uuid4().hex,
                "issued_at": datetime.now(UTC),
                "actor": f"agent:{agent}",
            }
            reply = await self.bus.request(
                subjects.command(TENANT, "sign_in"), msgspec.json.encode(command)
            )
            assert msgspec.json.decode(reply)["ok"], reply

    # -- what comes in --------------------------------------------------------------------------------------

    def forms(self, count: int) -> dict[str, bytes]:
        """Return requests of people who never wrote before, by submission id."""
        first = self.posted + 1
        self.posted += count
        return dict(self._request(number) for number in range(first, first + count))

    def _request(self, number: int) -> tuple[str, bytes]:
        submission = f"s{number}"
        body = {
            "submission_id": submission,
            "name": f"Person {number}",
            "email": f"person{number}@mail.example",
            "phone": f"+4860{number:07d}",
            "topic": "other",
            "order": f"ORD-{number:09d}",
            "message": TEXT,
        }
        raw = json.dumps(body, ensure_ascii=False).encode()
        return submission, self._form.request(f"m{number}", raw)

    async def flood(self, requests: Collection[bytes], connections: int) -> None:
        """Post all, over so many connections at once."""
        waiting = iter(requests)

        async def post() -> None:
            door = await Door.open(self.stack.addresses["ingest"])
            for request in waiting:
                await door.post(request)
            door.close()

        await asyncio.gather(*(post() for _ in range(connections)))

    async def pace(
        self, requests: Mapping[str, bytes], rate: float, connections: int
    ) -> dict[str, float]:
        """Post `rate` a second; return when each was sent, by submission id."""
        doors = [await Door.open(self.stack.addresses["ingest"]) for _ in range(connections)]
        free: asyncio.Queue[Door] = asyncio.Queue()
        for door in doors:
            free.put_nowait(door)
        sent: dict[str, float] = {}

        async def post(submission: str) -> None:
            door = await free.get()
            sent[submission] = time.perf_counter()
            await door.post(requests[submission])
            free.put_nowait(door)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as posting:
            for number, submission in enumerate(requests):
                await _wait_until(began + number / rate)
                posting.create_task(post(submission))
        for door in doors:
            door.close()
        return sent

    # -- what is seen -----------------------------------------------------------------------------------------

    async def _saw(self, message: Message) -> None:
        now, event = time.perf_counter(), read_json(message)
        kind, conversation = event["type"], event.get("conversation") or ""
        self.times[kind].append(now)
        self.first.setdefault((kind, conversation), now)
        if kind == "form.submitted":
            self.led_to[event["data"]["open"]["provider_id"]] = conversation

    async def until(self, done: Callable[[], bool]) -> None:
        """Raises: TimeoutError."""
        async with asyncio.timeout(WITHIN_SECONDS):
            while not done():  # noqa: ASYNC110  it is looked at what a subscription saw
                await asyncio.sleep(POLL_SECONDS)

    async def until_stored(self, stream: str, sequence: int) -> None:
        """Wait until a stream's last sequence is this. Raises: TimeoutError."""
        async with asyncio.timeout(WITHIN_SECONDS):
            while await self.last(stream) < sequence:  # noqa: ASYNC110  the condition is a server's
                await asyncio.sleep(POLL_SECONDS)

    async def last(self, stream: str) -> int:
        info = await self.bus.api(f"STREAM.INFO.{stream}")
        return int(info["state"]["last_seq"])

    # -- what it costs ------------------------------------------------------------------------------------------

    def cpu_seconds(self, name: str) -> float:
        """Return what a running service, or the server, has used so far."""
        pid = self.stack.status().pids[SERVER] if name == SERVER else self._running[name].pid
        return cpu_seconds(pid)

    async def messages(self, name: str) -> int:
        """Return how many messages a service's connection has sent to the server."""
        ports = json.loads((self.stack.folder / "ports.json").read_text("utf-8"))
        url = f"http://{LOOPBACK}:{ports['nats_monitor']}"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            said = (await client.get("/connz?limit=1000")).raise_for_status().json()
        return sum(each["in_msgs"] for each in said["connections"] if each.get("name") == name)


async def _wait_until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.perf_counter()))
