"""What services share: how a delivery ends, what a request is answered, how a connection begins."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from faststream.nats import NatsBroker

from deploy.embedded.ports import free_ports
from shared import serving, settings
from shared.bus import Bus, connect
from shared.bus.connection import Standing, connection_options
from shared.bus.deliveries import Message
from shared.bus_address import BusAddress
from shared.errors import (
    BusUnavailable,
)
from shared.serving import REQUESTS_AT_ONCE, Answer, Connection, connected, on_query, on_request
from tests.support.waiting import WITHIN_SECONDS, eventually

LARGE_BYTES = 1_000_000
SHORT_SECONDS = 1.0


@pytest_asyncio.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """A connection of whoever asks."""
    it = await connect(nats_url, "test")
    yield it
    await it.close()


@pytest_asyncio.fixture
async def broker(nats_url: str) -> AsyncIterator[NatsBroker]:
    """A service's broker, connected and not started."""
    options = connection_options("service", Standing(BusAddress(url=nats_url)))
    it = NatsBroker([nats_url], apply_types=False, **options)
    await it.connect()
    yield it
    await it.stop()


Serve = Callable[[str, Answer], Awaitable[None]]


@pytest.fixture(params=["request", "query"])
def serve(request: pytest.FixtureRequest, broker: NatsBroker) -> Serve:
    """Answers requests on a subject, by either way; returns when the server knows that we listen there."""

    async def serve(subject: str, answer: Answer) -> None:
        bus = Bus.of(broker.connection)
        if request.param == "request":
            on_request(broker, subject, "service", answer)
            await broker.start()
        else:
            await on_query(Connection(broker, bus), subject, "service", answer)
        await bus.flush()

    return serve


# -- requests -----------------------------------------------------------------------------------------


async def test_an_answer_that_no_message_can_carry_is_a_refusal(
    bus: Bus, broker: NatsBroker, serve: Serve
) -> None:
    """Also one that only its headers make too large; and the service's connection lives on."""

    async def sized(_: str, body: bytes) -> bytes:
        return b"x" * int(body)

    await serve("query.*.sized", sized)
    max_bytes = broker.connection.max_payload
    headers = {"correlation_id": "c" * 100_000}
    for size in (max_bytes - 50_000, max_bytes - 256):
        body = await bus.request("query.demo.sized", b"%d" % size, headers=headers)
        assert len(body) == size
    for size in (max_bytes - 255, max_bytes - 1, max_bytes, 2 * max_bytes):
        body = await bus.request("query.demo.sized", b"%d" % size)
        problem = msgspec.json.decode(body)["error"]
        assert problem["code"] == "query.answer_too_large"
        assert problem["details"] == {"answer_bytes": size, "max_bytes": max_bytes - 256}
    assert len(await bus.request("query.demo.sized", b"10")) == 10


async def test_an_answer_that_is_no_json_is_a_failure_of_ours(bus: Bus, serve: Serve) -> None:
    """A request is never answered with silence."""

    async def strange(_: str, __: bytes) -> object:
        return object()

    await serve("query.*.strange", strange)
    body = await bus.request("query.demo.strange")
    assert msgspec.json.decode(body)["error"]["code"] == "internal.failure"


@pytest.mark.parametrize("reply", ["stream", "$JS.ACK.LEDGER.notify-ledger.1.1.1.1.0"])
async def test_a_request_that_waits_at_no_inbox_is_ignored(
    bus: Bus, serve: Serve, reply: str
) -> None:
    """Its answer would be stored where it points, or acknowledge what nobody handled; nothing is carried out."""
    carried_out: list[bytes] = []

    async def answer(_: str, body: bytes) -> bytes:
        carried_out.append(body)
        return body

    await serve("query.*.echo", answer)
    if reply == "stream":
        stream = f"REPLIES-{uuid4().hex}"
        await bus.api(f"STREAM.CREATE.{stream}", {"name": stream, "subjects": [f"{stream}.>"]})
        reply = f"{stream}.x"
    got: list[bytes] = []

    async def note(message: Message) -> None:
        got.append(message.body)

    await bus.subscribe(reply, note)
    await bus.publish("query.demo.echo", b"forged", reply=reply)
    assert await bus.request("query.demo.echo", b"asked") == b"asked"
    await bus.flush()
    assert carried_out == [b"asked"]
    assert got == []


async def test_a_slow_answer_keeps_only_its_own_asker_waiting(bus: Bus, serve: Serve) -> None:
    """As many are answered side by side as there is room for; who comes then waits for one of them."""
    asked: list[bytes] = []
    go_on = asyncio.Event()

    async def answer(_: str, body: bytes) -> bytes:
        asked.append(body)
        if body == b"slow":
            await go_on.wait()
        return body

    await serve("query.*.echo", answer)
    ask = partial(bus.request, "query.demo.echo", timeout_seconds=WITHIN_SECONDS)
    slow = [asyncio.create_task(ask(b"slow")) for _ in range(REQUESTS_AT_ONCE - 1)]
    await eventually(lambda: _is(len(asked) == REQUESTS_AT_ONCE - 1))
    assert await ask(b"quick") == b"quick"
    slow += [asyncio.create_task(ask(b"slow")) for _ in range(2)]
    await eventually(lambda: _is(len(asked) == REQUESTS_AT_ONCE + 1))
    await bus.flush()
    assert len(asked) == REQUESTS_AT_ONCE + 1
    go_on.set()
    assert await asyncio.gather(*slow) == [b"slow"] * (REQUESTS_AT_ONCE + 1)


async def test_a_query_that_finds_too_many_waiting_is_refused(
    bus: Bus, broker: NatsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and with a code that says to ask again; those before it are answered in turn."""
    monkeypatch.setattr(serving, "REQUESTS_AT_ONCE", 1)
    monkeypatch.setattr(serving, "REQUESTS_WAITING", 2)
    asked: list[bytes] = []
    go_on = asyncio.Event()

    async def answer(_: str, body: bytes) -> bytes:
        asked.append(body)
        await go_on.wait()
        return body

    await on_query(Connection(broker, Bus.of(broker.connection)), "query.*.x", "service", answer)
    await Bus.of(broker.connection).flush()
    waiting = [asyncio.create_task(bus.request("query.demo.x", b"%d" % n)) for n in range(3)]
    await eventually(lambda: _is(bool(asked)))
    await bus.flush()
    refused = msgspec.json.decode(await bus.request("query.demo.x"))["error"]
    assert (refused["code"], refused["retryable"]) == ("query.unavailable", True)
    go_on.set()
    assert await asyncio.gather(*waiting) == asked == [b"0", b"1", b"2"]


async def _is(found: bool) -> bool:
    return found


# -- the connection -----------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def silent() -> AsyncIterator[str]:
    """The address of a server that takes connections and says nothing, as one that was stopped."""
    (port,) = free_ports(1)

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(keep, "127.0.0.1", port):
        yield f"nats://127.0.0.1:{port}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting with a short time for each server, in the order in which they are named."""
    for module in ("client", "connection"):
        monkeypatch.setattr(f"shared.bus.{module}.CONNECT_TIMEOUT_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr("nats.aio.client.shuffle", lambda _: None)


@pytest.mark.usefixtures("impatient")
async def test_a_silent_server_takes_no_time_from_the_others(nats_url: str, silent: str) -> None:
    """Each server that is named has its own time to answer."""
    async with asyncio.timeout(WITHIN_SECONDS):
        bus = await connect([silent, nats_url], "test")
        assert bus.connected
        await bus.close()
        chosen = settings.load({"TELLONCE_NATS_URL": f"{silent},{nats_url}"})
        async with connected(chosen, "test", asyncio.Event()) as here:
            assert here.bus.connected


@pytest.mark.usefixtures("impatient")
async def test_a_service_without_a_server_says_so() -> None:
    """With the error that every other loss of the bus has, after the time for one server."""
    (port,) = free_ports(1)
    chosen = settings.load({"TELLONCE_NATS_URL": f"nats://127.0.0.1:{port}"})
    with pytest.raises(BusUnavailable):
        async with connected(chosen, "test", asyncio.Event()):
            pass
