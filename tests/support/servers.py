"""Real servers of a test's own: nats-server on one node or three, and Postgres.

Each is a process, in a container where TEST_CONTAINERS is set (`make test-containers`).
"""

import asyncio
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.embedded import errors, nats, ports, postgres, process, wire
from deploy.embedded.ports import LOOPBACK
from shared.bus_address import BusAddress

LEADER_SECONDS = 20.0
LEADER_POLL_SECONDS = 0.05
CONTAINERS = "TEST_CONTAINERS"


async def started(program: process.Program) -> process.Child:
    """Start a server where this run has its servers. Raises: ProgramNotStarted."""
    if CONTAINERS not in os.environ:
        return await process.Child.start(program)
    # Its client is loaded where it is wanted only.
    from tests.support.containers import Contained  # noqa: PLC0415

    return await Contained.start(program)


class _Server:
    """One server of a test: started by `start` or `async with`; `kill` is signal 9, `restart` keeps port and data."""

    def __init__(self) -> None:
        self._child: process.Child | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id; None while it is down."""
        child = self._child
        return child.pid if child is not None and child.exit_code is None else None

    def _program(self) -> process.Program:
        raise NotImplementedError

    async def start(self) -> None:
        """Start it and wait until it answers. Raises: SetupError."""
        self._child = await started(self._program())
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


class EmbeddedNats(_Server):
    """One server with its data in `folder`, and the users of a folder; without one it asks nobody who he is.

    `async with EmbeddedNats(folder) as server: server.url`; `kill` is signal 9, `restart` keeps port and data.
    """

    def __init__(
        self, folder: Path, ports: nats.NodePorts | None = None, users: Path | None = None
    ) -> None:
        super().__init__()
        self.folder = folder
        self.ports = ports or nats.choose_ports()[0]
        self._users = users

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self.ports.url

    @property
    def address(self) -> BusAddress:
        """Where clients connect; it asks nobody who he is."""
        return BusAddress(url=self.url)

    @property
    def monitor_url(self) -> str:
        """Where the server's monitoring answers (`/jsz`, `/varz`, `/healthz`)."""
        return f"http://{LOOPBACK}:{self.ports.monitor}"

    def _program(self) -> process.Program:
        return nats.nats_program(self.folder, self.ports, users=self._users)


class EmbeddedNatsCluster:
    """`size` servers with routes between them; node i is named `n<i>` and keeps its data in `folder/n<i>`."""

    def __init__(self, folder: Path, size: int = 3) -> None:
        self.folder = folder
        self.ports = nats.choose_ports(size)
        self._children: list[process.Child | None] = [None] * size

    @property
    def urls(self) -> list[str]:
        """Where clients connect, one address per node."""
        return [ports.url for ports in self.ports]

    @property
    def monitor_urls(self) -> list[str]:
        """Where each node's monitoring nats.answers."""
        return [f"http://{LOOPBACK}:{ports.monitor}" for ports in self.ports]

    def pid(self, index: int) -> int | None:
        """The process id of node `index`; None while it is down."""
        child = self._children[index]
        return child.pid if child is not None and child.exit_code is None else None

    async def start(self) -> None:
        """Start all nodes and wait until each of them answers, a leader included. Raises: SetupError."""
        for index in range(len(self.ports)):
            self._children[index] = await started(self._program(index))
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
        self._children[index] = again = await started(self._program(index))
        await again.wait_ready()

    async def leader_of(self, stream: str) -> int:
        """The index of the node that leads the stream now.

        Raises: ProgramNotReady if no leader is known within LEADER_SECONDS.
        """
        return int((await self._until_led(stream)).removeprefix("n"))

    async def _until_led(self, stream: str) -> str:
        deadline = time.monotonic() + LEADER_SECONDS
        while time.monotonic() < deadline:
            name = await self._leader_name(stream)
            if name is not None:
                return name
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
        return nats.nats_program(
            self.folder / name, self.ports[index], name=name, cluster=tuple(self.ports)
        )

    async def _leader_name(self, stream: str) -> str | None:
        for index, url in enumerate(self.urls):
            if self.pid(index) is None:
                continue
            try:
                reply = await wire.request(
                    url, f"$JS.API.STREAM.INFO.{stream}", timeout_seconds=nats.PROBE_SECONDS
                )
            except wire.NotReached:
                continue
            leader = json.loads(reply).get("cluster", {}).get("leader")
            if leader in {f"n{i}" for i in range(len(self.ports)) if self.pid(i) is not None}:
                return str(leader)
        return None


class EmbeddedPostgres(_Server):
    """One server with its data in `folder`, and the users of a folder; without one it asks nobody who he is.

    `async with EmbeddedPostgres(folder) as pg: pg.dsn`; with `template` (a data folder) it is copied instead of made.
    `kill` is signal 9, `restart` keeps port and data. `syncs`: as it is deployed; a test that never takes the machine's
    power away needs no sync, for what was written to a file is there.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        template: Path | None = None,
        *,
        syncs: bool = True,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.port = port or ports.free_ports(1)[0]
        self._template = template
        self._syncs = syncs

    @property
    def dsn(self) -> str:
        """Where clients connect."""
        return postgres.dsn_of(self.port)

    def _program(self) -> process.Program:
        if self._template is not None and not self.folder.exists():
            postgres.copy_cluster(self._template, self.folder)
        program = postgres.postgres_program(self.folder, self.port)
        return program if self._syncs else replace(program, argv=(*program.argv, "-c", "fsync=off"))
