"""Three servers of which any can be cut off from the others: their routes go through proxies of ours.

What is on its way when a route is cut arrives when it is healed, as packets that TCP sends again do. Clients reach all
servers at all times: who is connected to one that is cut off is cut off with it.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from typing_extensions import override

from deploy.embedded import nats, process
from deploy.embedded.ports import LOOPBACK, free_ports
from tests.support.servers import EmbeddedNatsCluster

READ_BYTES = 64 * 1024


class Link:
    """The route that one server opens to another."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._carry, LOOPBACK, self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for each in self._carrying:
            each.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def cut(self) -> None:
        """Let nothing through."""
        self._open.clear()

    def heal(self) -> None:
        """Let everything through, and first what was held."""
        self._open.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs a connection in a task"
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        async with _closed(writer):
            await self._open.wait()
            back_reader, back_writer = await asyncio.open_connection(LOOPBACK, self._target)
            async with _closed(back_writer), asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, back_writer))
                pumps.create_task(self._pump(back_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while some := await reader.read(READ_BYTES):
                await self._open.wait()
                writer.write(some)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def _closed(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a connection at the end, whatever becomes of it."""
    with contextlib.suppress(OSError):
        try:
            yield
        finally:
            writer.close()
            await writer.wait_closed()


class CutCluster(EmbeddedNatsCluster):
    """Servers with a proxy in each route: `cut_off` takes one away from the others until `heal`."""

    def __init__(self, folder: Path, size: int = 3) -> None:
        super().__init__(folder, size)
        pairs = list(itertools.permutations(range(size), 2))
        *ports, self._nowhere = free_ports(len(pairs) + 1)
        self._links = {
            (here, there): Link(port, self.ports[there].route)
            for (here, there), port in zip(pairs, ports, strict=True)
        }

    def cut_off(self, index: int) -> None:
        """Cut every route of a server."""
        for link in self._of(index):
            link.cut()

    def heal(self) -> None:
        """Mend every route."""
        for link in self._links.values():
            link.heal()

    def _of(self, index: int) -> Iterator[Link]:
        return (link for pair, link in self._links.items() if index in pair)

    @override
    async def __aenter__(self) -> Self:
        for link in self._links.values():
            await link.start()
        return await super().__aenter__()

    @override
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.heal()
        await super().__aexit__(kind, error, trace)
        for link in self._links.values():
            await link.stop()

    @override
    def _program(self, index: int) -> process.Program:
        name, own = f"n{index}", self.ports[index]
        folder = self.folder / name
        through = [
            nats.NodePorts(client=0, monitor=0, route=link.port)
            for (here, _), link in self._links.items()
            if here == index
        ]
        program = nats.nats_program(folder, own, name=name, cluster=through)

        def write_config() -> None:
            program.before_start()
            config = folder / "nats.conf"
            before, routes, after = config.read_text("utf-8").partition('"routes":')
            # What a server tells others of its routes leads nowhere: they know the way through the proxies alone.
            nowhere = f'"advertise": "{LOOPBACK}:{self._nowhere}",\n  '
            config.write_text(f"{before}{nowhere}{routes}{after}", "utf-8")

        return replace(program, before_start=write_config)
