"""UmaDB: the server and the client of its Python package."""

import socket
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import umadb

from deploy.embedded import ports, process
from shared.codec import decode, encode
from shared.events import AnyEvent
from shared.ledger import Recorded
from tests.peers.events import Decision, uuid_of
from tests.peers.store import LAID_AT_ONCE, READ_AT_ONCE, Threads, pieces, recorded

PROGRAM = Path(sys.executable).with_name("umadb")
PROBE_SECONDS = 0.2


def _query(*aggregates: str) -> Any:
    """Ask for the events of any of these aggregates."""
    return umadb.Query([umadb.QueryItem(tags=[aggregate]) for aggregate in aggregates])


def _event(aggregate: str, event: AnyEvent) -> Any:
    kind = str(type(event).__struct_config__.tag)
    return umadb.Event(kind, encode(event), tags=[aggregate], uuid=uuid_of(event.id))


class UmaDb:
    """One server, an aggregate of ours being a tag."""

    name: ClassVar[str] = "UmaDB"
    promises: ClassVar[str] = (
        "no event since a position that a query finds, here by the aggregate's tag; all or nothing; one order; "
        "the same append again stores nothing; what waits is committed together"
    )

    def __init__(self, child: process.Child, url: str) -> None:
        self._child = child
        self._url = url
        self._threads = Threads()
        self._last: dict[str, int] = {}

    @classmethod
    async def open(cls, held: AsyncExitStack, folder: Path) -> "UmaDb":
        """Start a server on an empty folder, otherwise as it is."""
        port = ports.free_ports(1)[0]
        folder.mkdir()

        async def ready() -> bool:
            try:
                socket.create_connection((ports.LOOPBACK, port), PROBE_SECONDS).close()
            except OSError:
                return False
            return True

        listen = f"{ports.LOOPBACK}:{port}"
        argv = (str(PROGRAM), "--listen", listen, "--db-path", str(folder / "uma.db"))
        program = process.Program(
            name="umadb", argv=argv, log_path=folder / "umadb.log", ready=ready
        )
        child = await process.Child.start(program)
        held.push_async_callback(child.stop)
        await child.wait_ready()
        made = cls(child, f"http://{listen}")
        held.callback(made._threads.close)
        return made

    @property
    def pids(self) -> Sequence[int]:
        return [self._child.pid]

    def _client(self) -> Any:
        """Return this thread's client."""
        return self._threads.own(lambda: umadb.Client(self._url))

    async def lay(self, events: Sequence[AnyEvent]) -> None:
        for piece in pieces(events, LAID_AT_ONCE):
            await self._threads.run(self._lay, piece)

    def _lay(self, events: Sequence[AnyEvent]) -> None:
        end = self._client().append([_event(event.aggregate, event) for event in events])
        for position, event in enumerate(events, end - len(events) + 1):
            self._last[event.aggregate] = position

    async def append(self, events: Sequence[AnyEvent]) -> None:
        await self._threads.run(self._append, events)

    def _append(self, events: Sequence[AnyEvent]) -> None:
        client = self._client()
        for event in events:
            after = self._last.get(event.aggregate)
            condition = umadb.AppendCondition(_query(event.aggregate), after)
            self._last[event.aggregate] = client.append([_event(event.aggregate, event)], condition)

    async def decide(self, decisions: Sequence[Decision]) -> None:
        await self._threads.share(decisions, self._decide)

    def _decide(self, decisions: Iterable[Decision]) -> None:
        client = self._client()
        for decision in decisions:
            made = [_event(aggregate, event) for aggregate, events in decision for event in events]
            condition = umadb.AppendCondition(_query(*(aggregate for aggregate, _ in decision)))
            client.append(made, condition)

    async def batches(self) -> AsyncIterator[Sequence[Recorded]]:
        client = umadb.Client(self._url, batch_size=READ_AT_ONCE)
        answer = await self._threads.run(client.read)
        while placed := await self._threads.run(self._next, answer):
            yield placed

    def _next(self, answer: Any) -> list[Recorded]:
        return [recorded(each.position, each.event.data) for each in answer.next_batch()]

    async def read(self, aggregates: Sequence[str]) -> int:
        return await self._threads.run(self._read, aggregates)

    def _read(self, aggregates: Sequence[str]) -> int:
        client = self._client()
        return sum(
            len([decode(each.event.data) for each in client.read(_query(aggregate))])
            for aggregate in aggregates
        )
