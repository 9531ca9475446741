"""A connection that was lost is made again, whatever stands at the server's address meanwhile."""

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from deploy.embedded.ports import LOOPBACK, free_ports
from shared import settings
from shared.bus import Bus, connect
from shared.bus.connection import Standing
from shared.bus_address import BusAddress
from shared.errors import BusUnavailable
from shared.serving import connected
from shared.tasks import end
from tests.support.servers import EmbeddedNats
from tests.support.waiting import WITHIN_SECONDS, eventually

STREAM, DURABLE = "KEPT", "reader"
SHORT_SECONDS = 0.3
LONG = b"x" * 200_000
PING = b"PING\r\n"
WELCOME = b"PONG\r\n"


@dataclass(frozen=True, slots=True)
class Words:
    """What a stranger says to whoever comes, and to whoever has said who he is; `silent`: he does not hang up then."""

    greeting: bytes = b'INFO {"server_id":"x","version":"2.15.1","headers":true}\r\n'
    answer: bytes = b""
    silent: bool = False


SAID = (
    Words(b"", silent=True),
    Words(silent=True),
    Words(b'INFO {"tls_required": true}\r\n', silent=True),
    Words(answer=WELCOME, silent=True),
    Words(b""),
    Words(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    Words(b"\x15\x03\x01\x00\x02\x02\x28"),
    Words(LONG),
    Words(b"INFO\r\n"),
    Words(b"INFO []\r\n"),
    Words(b'INFO {"connect_urls": ["[::1"]}\r\n'),
    Words(b'INFO {"tls_required": true}\r\nno'),
    Words(),
    Words(answer=LONG),
    Words(answer=b"-ERR\r\n"),
    Words(answer=b"-ERR 'maximum connections exceeded'\r\n"),
    Words(answer=b"-ERR 'Authentication Timeout'\r\n"),
    Words(answer=WELCOME),
    Words(answer=WELCOME + b"MSG a 1 -5\r\n\xff\r\n"),
)


class Strangers:
    """Stand at a server's port one after another, each saying something else."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.left = list(SAID)
        self.busy = 0

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said, self.busy = self.left.pop(0) if self.left else Words(b""), self.busy + 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(said.greeting)
            if said.answer:
                await reader.readuntil(PING)
                writer.write(said.answer)
            await writer.drain()
            if said.silent:
                await reader.read()
        self.busy -= 1
        writer.close()

    @asynccontextmanager
    async def there(self) -> AsyncIterator["Strangers"]:
        """Stand there until the block ends."""
        async with await asyncio.start_server(self._meet, LOOPBACK, self._port):
            yield self


@asynccontextmanager
async def of_a_program(url: str) -> AsyncIterator[Bus]:
    """The connection of a tool."""
    bus = await connect(url, "test")
    try:
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def of_a_service(url: str) -> AsyncIterator[Bus]:
    """The connection of a service, which FastStream opened."""
    chosen = settings.load({"TELLONCE_NATS_URL": url})
    async with connected(chosen, "test", asyncio.Event()) as here:
        yield here.bus


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a server that says nothing is short."""
    monkeypatch.setattr("shared.bus.connection.CONNECT_TIMEOUT_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(Client.flush, "__defaults__", (SHORT_SECONDS,))


class Traffic:
    """Stores messages one after another, and reads them by a durable consumer, for as long as the block runs."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.stored: list[bytes] = []
        self.read: set[bytes] = set()

    async def _store(self) -> None:
        number = 0
        while True:
            number += 1
            body = b"%d" % number
            try:
                await self._bus.store(f"{STREAM}.x", body, msg_id=body.decode())
                self.stored.append(body)
            except BusUnavailable:
                await self._bus.until_connected(WITHIN_SECONDS)

    async def _read(self) -> None:
        async for batch in self._bus.pull(STREAM, DURABLE, batch=16):
            for each in batch:
                await each.ack()
                self.read.add(each.body)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator["Traffic"]:
        """Let it flow."""
        await self._bus.api(
            f"STREAM.CREATE.{STREAM}", {"name": STREAM, "subjects": [f"{STREAM}.>"]}
        )
        wanted = {"durable_name": DURABLE, "ack_policy": "explicit"}
        await self._bus.api(
            f"CONSUMER.DURABLE.CREATE.{STREAM}.{DURABLE}",
            {"stream_name": STREAM, "config": wanted},
        )
        running = [asyncio.create_task(self._store()), asyncio.create_task(self._read())]
        try:
            yield self
        finally:
            await end(running)

    async def goes_on(self) -> None:
        """Wait until more is stored, and all is read that was stored before."""
        before = len(self.stored)
        await eventually(lambda: _is(len(self.stored) > before + 1))
        await eventually(lambda: _is(self.read >= {*self.stored[: before + 1]}))


async def _is(found: bool) -> bool:
    return found


def at_work() -> Counter[str]:
    """Return the driver's tasks that read, write and ping, by what they do."""
    names = (getattr(each.get_coro(), "__qualname__", "") for each in asyncio.all_tasks())
    return Counter(each for each in names if each.startswith("Client."))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("connection", [of_a_program, of_a_service])
async def test_whoever_stands_at_the_address_ends_no_connection(
    tmp_path: Path, connection: Callable[[str], AbstractAsyncContextManager[Bus]]
) -> None:
    """The server is tried until it is there; then all goes on, and of the tries no socket and no task is left."""
    async with (
        EmbeddedNats(tmp_path) as server,
        connection(server.url) as bus,
        Traffic(bus).flowing() as traffic,
    ):
        await traffic.goes_on()
        await server.kill()
        async with Strangers(server.ports.client).there() as strangers:
            await eventually(lambda: _is(not strangers.left))
        await server.restart()
        await traffic.goes_on()
        await eventually(lambda: _is(strangers.busy == 0))
        kept = {"Client._read_loop": 1, "Client._flusher": 1, "Client._ping_interval": 1}
        assert at_work() == kept


@pytest.mark.usefixtures("impatient")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # FastStream keeps such a client to itself
@pytest.mark.parametrize("connection", [of_a_program, of_a_service])
async def test_what_is_no_server_is_a_bus_that_is_not_there(
    connection: Callable[[str], AbstractAsyncContextManager[Bus]],
) -> None:
    """Whoever begins where somebody else stands says so with the error of every other loss of the bus, and ends."""
    (port,) = free_ports(1)
    strangers = Strangers(port)
    strangers.left = [Words(LONG)]
    async with strangers.there():
        with pytest.raises(BusUnavailable):
            async with connection(f"nats://{LOOPBACK}:{port}"):
                pass
    assert not strangers.left
    gc.collect()


async def test_an_error_of_the_connection_is_logged_once() -> None:
    """Not at each try, also where several servers are tried by turns and each is away in another way."""
    standing = Standing(BusAddress(url="nats://127.0.0.1:1,nats://127.0.0.1:2"))
    with capture_logs() as logged:
        for _ in range(3):
            await standing.report(ConnectionRefusedError())
            await standing.report(TimeoutError())
    assert [each["error"] for each in logged] == ["ConnectionRefusedError", "TimeoutError"]


async def test_who_closes_while_the_server_is_away_leaves_nothing(tmp_path: Path) -> None:
    """Also in the middle of a try to connect again: no task of the driver goes on, and no socket."""
    async with EmbeddedNats(tmp_path) as server:
        several = [await connect(server.url, "test") for _ in range(8)]
        await server.kill()
        await asyncio.gather(*(bus.close() for bus in several[:4]))
        await eventually(lambda: _is(not any(bus.connected for bus in several)))
        await asyncio.gather(*(bus.close() for bus in several[4:]))
        assert at_work() == Counter()
