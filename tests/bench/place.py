"""Where a measurement runs: versions, machine, and a second set of streams beside the real ones."""

import json
import os
import platform
import random
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import nats
import yaml
from nats.aio.client import Client
from typing_extensions import override

from deploy import rights
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.stack import EmbeddedStack
from shared import settings, streams
from shared.bus import Bus, driver
from shared.bus.deliveries import Message
from shared.ids import scoped_id

DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")
QUEUE = "hotline"
LONG_SECONDS = 86_400
BESIDE = "bench"
"""First token of all subjects beside the real ones."""
_ID = re.compile(rb"\b[a-z2-7]{32}\b")
_PHONE = re.compile(rb"\+4860\d{7}")


async def driver_on(stack: EmbeddedStack) -> Client:
    """Return a connection of the driver to a stack's bus, as one who may do everything there."""
    address = stack.bus_address(rights.KEEPER)
    return await nats.connect(address.servers, name="bench", **driver.credentials(address))


def told(seed: int) -> str:
    """Return what was measured on: libraries, machine, seed; the servers are asked while they run."""
    processor = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        processor = named.group(1) if named else platform.machine()
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("nats-py", "faststream", "asyncpg", "msgspec")
    )
    return (
        f"{packages}, python {platform.python_version()}\n"
        f"{os.cpu_count()} x {processor}, {platform.system()} {platform.release()}; seed {seed}"
    )


async def nats_told(monitor_url: str) -> str:
    """Return what a running nats-server says of itself: version, nodes, how it syncs."""
    async with httpx.AsyncClient(base_url=monitor_url, trust_env=False) as client:
        said = (await client.get("/varz")).raise_for_status().json()
    config = said["jetstream"]["config"]
    seconds = config["sync_interval"] / 1e9
    sync = "always" if config.get("sync_always") else f"{seconds:g} s"
    nodes = "a cluster" if said.get("cluster", {}).get("name") else "one node"
    return f"nats-server {said['version']} ({nodes}, sync_interval: {sync})"


async def postgres_told(dsn: str) -> str:
    """Return what a running Postgres says of itself: version, and what a commit waits for."""
    connection = await asyncpg.connect(dsn)
    try:
        number, *values = [
            await connection.fetchval(f"SHOW {name}") for name in ("server_version", *DURABILITY)
        ]
    finally:
        await connection.close()
    shown = ", ".join(f"{name}: {value}" for name, value in zip(DURABILITY, values, strict=True))
    return f"postgres {number} ({shown})"


async def stack_told(stack: EmbeddedStack) -> str:
    """Return what the servers of a running stack say of themselves; one given by its address is not monitored."""
    nats = "a nats-server given by its address"
    if "nats" in stack.status().pids:
        port = json.loads((stack.folder / "ports.json").read_text("utf-8"))["nats_monitor"]
        nats = await nats_told(f"http://{LOOPBACK}:{port}")
    return f"{nats}, {await postgres_told(stack.addresses['postgres'])}"


def policy_of(path: Path, agents: Iterable[str], slots: int) -> Path:
    """Write a policy in which these agents, and no others, take from the hotline, and nothing falls due; return it."""
    policy = yaml.safe_load(Path(settings.Settings().policy).read_text("utf-8"))
    policy["agents"]["piotr"]["queues"] = []
    policy["agents"] |= {
        name: {"name": name, "queues": [QUEUE], "teams": [QUEUE], "slots": slots} for name in agents
    }
    policy["times"] |= {"offer_seconds": LONG_SECONDS, "notification_seconds": LONG_SECONDS}
    path.write_text(yaml.safe_dump(policy), "utf-8")
    return path


def cpu_seconds(pid: int) -> float:
    """Return the time on a processor of all threads; ticks of `stat` are too coarse for a few contacts."""
    spent = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            spent += int((thread / "schedstat").read_text("utf-8").split()[0])
    return spent / 1e9


class Beside(Bus):
    """The same connection and server, but every stream subject has `bench.` before it.

    So the house's own clients write to streams of the same settings that nobody else consumes.
    """

    @override
    async def publish(
        self,
        subject: str,
        body: bytes = b"",
        *,
        reply: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        await super().publish(_moved(subject), body, reply=reply, headers=_moved_target(headers))


def _moved(subject: str) -> str:
    return subject if subject.startswith(("$", "_")) else f"{BESIDE}.{subject}"


def _moved_target(headers: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """A schedule names where it fires: that moves too."""
    target = "Nats-Schedule-Target"
    if headers is None or target not in headers:
        return headers
    return {**headers, target: _moved(headers[target])}


async def make_streams_beside(bus: Bus) -> None:
    """Make BENCH_<name> for every stream of the house, with its settings."""
    for config in streams.stream_configs():
        moved: dict[str, Any] = {**config, "name": beside(config["name"])}
        moved["subjects"] = [_moved(each) for each in config["subjects"]]
        if "republish" in config:
            src, dest = config["republish"]["src"], config["republish"]["dest"]
            moved["republish"] = {"src": _moved(src), "dest": f"live.{_moved(dest)}"}
        await bus.api(f"STREAM.CREATE.{moved['name']}", moved)


def beside(stream: str) -> str:
    return f"BENCH_{stream}"


def copied(body: bytes, number: int) -> bytes:
    """Return a stored event as another customer's: all ids and numbers are others, the same ones everywhere."""

    def other_id(found: re.Match[bytes]) -> bytes:
        return scoped_id("copy", str(number), found.group().decode()).encode()

    def other_phone(found: re.Match[bytes]) -> bytes:
        digits = random.Random(f"{number}{found.group().decode()}").randrange(10**7)
        return b"+4860%07d" % digits

    return _PHONE.sub(other_phone, _ID.sub(other_id, body))


def read_json(message: Message) -> dict[str, Any]:
    """Return the object in a message."""
    found: dict[str, Any] = msgspec.json.decode(message.body)
    return found
