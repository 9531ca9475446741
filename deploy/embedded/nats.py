"""nats-server with JetStream on loopback: one node, or a cluster for the tests.

Always with `sync_interval: always`: an acknowledged message is on the disk. Ports and data stay over a restart.
"""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.embedded import binaries, errors, process, wire
from deploy.embedded.ports import LOOPBACK, free_ports

MAX_PAYLOAD_BYTES = 1024 * 1024
MAX_FILE_STORE_BYTES = 64 * 1024 * 1024 * 1024
MEMORY_LIMIT = "1GiB"
PROBE_SECONDS = 1.0
LEADER_SECONDS = 20.0
LEADER_POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class NodePorts:
    """The ports of one node: clients, monitoring over HTTP, routes to other nodes."""

    client: int
    monitor: int
    route: int

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{LOOPBACK}:{self.client}"


def choose_ports(count: int = 1) -> list[NodePorts]:
    """Free ports for `count` nodes. Raises: NoFreePort."""
    ports = iter(free_ports(3 * count))
    return [
        NodePorts(client=a, monitor=b, route=c) for a, b, c in zip(ports, ports, ports, strict=True)
    ]


def config_text(name: str, store: Path, ports: NodePorts, cluster: Sequence[NodePorts] = ()) -> str:
    """The server's configuration; `cluster` names every node's ports, ours included, or is empty."""
    settings: dict[str, object] = {
        "server_name": name,
        "listen": f"{LOOPBACK}:{ports.client}",
        "http": f"{LOOPBACK}:{ports.monitor}",
        "max_payload": MAX_PAYLOAD_BYTES,
        "jetstream": {
            "store_dir": str(store),
            "sync_interval": "always",
            "max_file_store": MAX_FILE_STORE_BYTES,
        },
    }
    if cluster:
        settings["cluster"] = {
            "name": "tellonce",
            "listen": f"{LOOPBACK}:{ports.route}",
            "routes": [f"nats://{LOOPBACK}:{node.route}" for node in cluster],
        }
    # The server reads JSON as its own format.
    return json.dumps(settings, indent=2) + "\n"


def nats_program(
    folder: Path,
    ports: NodePorts,
    *,
    log_path: Path | None = None,
    name: str | None = None,
    cluster: Sequence[NodePorts] = (),
) -> process.Program:
    """The server that keeps its data in `folder`. Raises: BinaryMissing.

    `name` is the server's own; without one it is made of the folder, so that two servers that were
    given one port are told apart.
    """
    folder = folder.absolute()
    name = name or f"nats-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    config = folder / "nats.conf"

    def write_config() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config.write_text(config_text(name, folder / "jetstream", ports, cluster))

    async def ready() -> bool:
        return await answers(ports.url, name)

    return process.Program(
        name="nats",
        argv=(str(binaries.nats_server()), "--config", str(config)),
        env={"GOMEMLIMIT": MEMORY_LIMIT},
        log_path=log_path or folder / "nats.log",
        before_start=write_config,
        ready=ready,
    )


async def answers(url: str, name: str) -> bool:
    """Whether JetStream answers there and the server has this name."""
    try:
        if await wire.server_name(url, timeout_seconds=PROBE_SECONDS) != name:
            return False
        reply = await wire.request(url, "$JS.API.INFO", timeout_seconds=PROBE_SECONDS)
    except wire.NotReached:
        return False
    return "error" not in json.loads(reply)


class EmbeddedNats:
    """One server with its data in `folder`.

    `async with EmbeddedNats(folder) as server: server.url`; `kill` is signal 9, `restart` keeps port and data.
    """

    def __init__(self, folder: Path, ports: NodePorts | None = None) -> None:
        self.folder = folder
        self.ports = ports or choose_ports()[0]
        self._child: process.Child | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self.ports.url

    @property
    def monitor_url(self) -> str:
        """Where the server's monitoring answers (`/jsz`, `/varz`, `/healthz`)."""
        return f"http://{LOOPBACK}:{self.ports.monitor}"

    @property
    def pid(self) -> int | None:
        """The server's process id; None while it is down."""
        child = self._child
        return child.pid if child is not None and child.exit_code is None else None

    async def start(self) -> None:
        """Start it and wait until it answers. Raises: SetupError."""
        self._child = await process.Child.start(nats_program(self.folder, self.ports))
        await self._child.wait_ready()

    async def kill(self) -> None:
        """End it by signal 9."""
        if self._child is not None:
            await self._child.kill()

    async def stop(self) -> None:
        """End it cleanly; nothing to do if it is down."""
        if self._child is not None:
            await self._child.stop()

    async def restart(self) -> None:
        """Stop it if it runs and start it on the same port and data. Raises: SetupError."""
        await self.stop()
        await self.start()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


class EmbeddedNatsCluster:
    """`size` servers with routes between them; node i is named `n<i>` and keeps its data in `folder/n<i>`."""

    def __init__(self, folder: Path, size: int = 3) -> None:
        self.folder = folder
        self.ports = choose_ports(size)
        self._children: list[process.Child | None] = [None] * size

    @property
    def urls(self) -> list[str]:
        """Where clients connect, one address per node."""
        return [ports.url for ports in self.ports]

    @property
    def monitor_urls(self) -> list[str]:
        """Where each node's monitoring answers."""
        return [f"http://{LOOPBACK}:{ports.monitor}" for ports in self.ports]

    def pid(self, index: int) -> int | None:
        """The process id of node `index`; None while it is down."""
        child = self._children[index]
        return child.pid if child is not None and child.exit_code is None else None

    async def start(self) -> None:
        """Start all nodes and wait until each of them answers, a leader included. Raises: SetupError."""
        for index in range(len(self.ports)):
            self._children[index] = await process.Child.start(self._program(index))
        await asyncio.gather(*(child.wait_ready() for child in self._children if child))

    async def kill(self, index: int) -> None:
        """End node `index` by signal 9."""
        child = self._children[index]
        if child is not None:
            await child.kill()

    async def restart(self, index: int) -> None:
        """Stop node `index` if it runs and start it on the same ports and data. Raises: SetupError."""
        child = self._children[index]
        if child is not None:
            await child.stop()
        self._children[index] = started = await process.Child.start(self._program(index))
        await started.wait_ready()

    async def leader_of(self, stream: str) -> int:
        """The index of the node that leads the stream now.

        Raises: ProgramNotReady if no leader is known within LEADER_SECONDS.
        """
        deadline = time.monotonic() + LEADER_SECONDS
        while time.monotonic() < deadline:
            name = await self._leader_name(stream)
            if name is not None:
                return int(name.removeprefix("n"))
            await asyncio.sleep(LEADER_POLL_SECONDS)
        raise errors.ProgramNotReady("the stream has no leader", stream=stream)

    async def stop(self) -> None:
        """End all nodes."""
        await asyncio.gather(*(child.stop() for child in self._children if child))

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await asyncio.gather(*(child.kill() for child in self._children if child))
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _program(self, index: int) -> process.Program:
        name = f"n{index}"
        return nats_program(
            self.folder / name, self.ports[index], name=name, cluster=tuple(self.ports)
        )

    async def _leader_name(self, stream: str) -> str | None:
        for index, url in enumerate(self.urls):
            if self.pid(index) is None:
                continue
            try:
                reply = await wire.request(
                    url, f"$JS.API.STREAM.INFO.{stream}", timeout_seconds=PROBE_SECONDS
                )
            except wire.NotReached:
                continue
            leader = json.loads(reply).get("cluster", {}).get("leader")
            if leader in {f"n{i}" for i in range(len(self.ports)) if self.pid(i) is not None}:
                return str(leader)
        return None
