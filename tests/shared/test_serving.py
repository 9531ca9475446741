"""What services share: how a delivery ends, what a request is answered, how a connection begins."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from faststream.nats import NatsBroker

from deploy.embedded.ports import free_ports
from shared import serving, settings
from shared.arrivals import PARKED_AFTER_FAILURES, ArrivedMessage, Failed
from shared.backoff import Backoff
from shared.bus import Bus, connect, connection_options
from shared.bus.deliveries import Message
from shared.errors import (
    BusUnavailable,
    EventTypeUnknown,
    JetStreamRefused,
    LedgerUnavailable,
    NotAnEvent,
    StreamDrift,
    ViewUnavailable,
)
from shared.serving import Redelivery, connected, on_request, on_stream
from shared.streams import Consumer
from tests.support.waiting import WITHIN_SECONDS, eventually

LARGE_BYTES = 1_000_000
SHORT_SECONDS = 0.3


@pytest_asyncio.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """A connection of whoever asks."""
    it = await connect(nats_url, "test")
    yield it
    await it.close()


@pytest_asyncio.fixture
async def broker(nats_url: str) -> AsyncIterator[NatsBroker]:
    """A service's broker, connected and not started."""
    it = NatsBroker(
        [nats_url], middlewares=[Redelivery], apply_types=False, **connection_options("service")
    )
    await it.connect()
    yield it
    await it.stop()


async def _start(broker: NatsBroker) -> None:
    """Start it and return when the server knows what it listens on."""
    await broker.start()
    await Bus.of(broker.connection).flush()


# -- deliveries ---------------------------------------------------------------------------------------


async def _consumer(bus: Bus) -> Consumer:
    """Return a consumer, with one message outstanding, of a new stream that holds two messages."""
    stream = f"WORK-{uuid4().hex}"
    await bus.api(f"STREAM.CREATE.{stream}", {"name": stream, "subjects": [f"{stream}.>"]})
    config = {
        "durable_name": "c",
        "ack_policy": "explicit",
        "max_ack_pending": 1,
        "filter_subject": f"{stream}.x",
    }
    await bus.api(f"CONSUMER.DURABLE.CREATE.{stream}.c", {"stream_name": stream, "config": config})
    for body in (b"first", b"second"):
        await bus.store(f"{stream}.x", body)
    return Consumer(stream, config)


async def _handled(
    broker: NatsBroker,
    consumer: Consumer,
    handle: Callable[[ArrivedMessage], Awaitable[None]],
    parked: list[Failed] | None = None,
) -> list[tuple[bytes, int]]:
    """Return which messages came, and at which attempt, until the second was there; `parked` gets what was parked."""
    seen: list[tuple[bytes, int]] = []

    async def park(failed: Failed) -> None:
        assert parked is not None, "nothing is to be parked here"
        parked.append(failed)

    async def note(arrived: ArrivedMessage) -> None:
        seen.append((arrived.body, arrived.attempt))
        if arrived.body == b"first":
            await handle(arrived)

    async def second() -> bool:
        return (b"second", 1) in seen

    on_stream(broker, consumer, note, park)
    await _start(broker)
    await eventually(second)
    return seen


@pytest.mark.parametrize("err_code", [10158, 10999])
async def test_a_delivery_is_not_lost_by_a_refusal_that_may_pass(
    bus: Bus, broker: NatsBroker, err_code: int
) -> None:
    """Whatever code a stream answers to what the handler stores: the delivery comes again."""

    async def refused_once(arrived: ArrivedMessage) -> None:
        if arrived.attempt == 1:
            raise JetStreamRefused(err_code=err_code)

    seen = await _handled(broker, await _consumer(bus), refused_once)
    assert seen == [(b"first", 1), (b"first", 2), (b"second", 1)]


async def test_a_delivery_whose_message_is_at_fault_ends(bus: Bus, broker: NatsBroker) -> None:
    """What no stream will ever take would keep all others waiting: it is dead-lettered."""

    async def too_large(arrived: ArrivedMessage) -> None:
        await bus.publish("test.large", b"x" * 2 * LARGE_BYTES)

    parked: list[Failed] = []
    seen = await _handled(broker, await _consumer(bus), too_large, parked)
    assert seen == [(b"first", 1), (b"second", 1)]
    assert [(each.arrived.body, each.error) for each in parked] == [(b"first", "bus.refused")]


async def test_what_fails_for_no_known_reason_is_parked_and_the_next_one_goes_on(
    bus: Bus, broker: NatsBroker
) -> None:
    """After so many failures it is set aside once, with the reason, and acknowledged."""

    async def breaks(arrived: ArrivedMessage) -> None:
        raise KeyError(arrived.body)

    parked: list[Failed] = []
    consumer = await _consumer(bus)
    seen = await _handled(broker, consumer, breaks, parked)
    attempts = range(1, PARKED_AFTER_FAILURES + 1)
    assert seen == [*((b"first", attempt) for attempt in attempts), (b"second", 1)]
    (failed,) = parked
    assert (failed.consumer, failed.arrived.sequence) == ("c", 1)
    assert (failed.error, failed.failures) == ("KeyError", PARKED_AFTER_FAILURES)


@pytest.mark.parametrize(
    "passing", [LedgerUnavailable, ViewUnavailable, StreamDrift, ConnectionResetError, TimeoutError]
)
async def test_what_fails_for_a_while_is_never_parked(
    bus: Bus, broker: NatsBroker, monkeypatch: pytest.MonkeyPatch, passing: type[Exception]
) -> None:
    """A ledger or a view that is away is no fault of the message, however often it comes again meanwhile."""

    monkeypatch.setattr(serving, "RETRY", Backoff(first_seconds=0.01, longest_seconds=0.05))

    async def away(arrived: ArrivedMessage) -> None:
        if arrived.attempt <= 2 * PARKED_AFTER_FAILURES:
            raise passing

    seen = await _handled(broker, await _consumer(bus), away)
    assert [attempt for body, attempt in seen if body == b"first"][-1] == (
        2 * PARKED_AFTER_FAILURES + 1
    )


@pytest.mark.parametrize("kind", [EventTypeUnknown, NotAnEvent])
async def test_an_entry_of_the_ledger_that_cannot_be_read_costs_no_message(
    bus: Bus, broker: NatsBroker, kind: type[EventTypeUnknown | NotAnEvent]
) -> None:
    """The message that must look there is parked, and can be retried when the entry has been rejected."""

    async def looks(_: ArrivedMessage) -> None:
        error = kind()
        error.place = {"sequence": 1, "sha256": "a"}
        raise error

    parked: list[Failed] = []
    await _handled(broker, await _consumer(bus), looks, parked)
    assert [(each.arrived.body, each.error) for each in parked] == [(b"first", kind.code)]


async def test_what_cannot_be_parked_comes_again(bus: Bus, broker: NatsBroker) -> None:
    """While the ledger is away nothing is lost: it is parked when the ledger is back."""

    async def breaks(_: ArrivedMessage) -> None:
        raise KeyError

    class Reluctant(list[Failed]):
        tries = 0

        def append(self, failed: Failed) -> None:
            self.tries += 1
            if self.tries < 3:
                raise LedgerUnavailable
            super().append(failed)

    parked = Reluctant()
    seen = await _handled(broker, await _consumer(bus), breaks, parked)
    assert (len(parked), len(seen)) == (1, PARKED_AFTER_FAILURES + 3)


async def test_what_is_no_event_is_dead_lettered_not_parked(bus: Bus, broker: NatsBroker) -> None:
    """Nobody could retry it: it is no report of any account."""

    async def unreadable(_: ArrivedMessage) -> None:
        raise NotAnEvent

    seen = await _handled(broker, await _consumer(bus), unreadable)
    assert seen == [(b"first", 1), (b"second", 1)]


# -- requests -----------------------------------------------------------------------------------------


async def test_an_answer_that_no_message_can_carry_is_a_refusal(
    bus: Bus, broker: NatsBroker
) -> None:
    """Also one that only its headers make too large; and the service's connection lives on."""

    async def sized(_: str, body: bytes) -> bytes:
        return b"x" * int(body)

    on_request(broker, "query.*.sized", "service", sized)
    await _start(broker)
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


async def test_an_answer_that_is_no_json_is_a_failure_of_ours(bus: Bus, broker: NatsBroker) -> None:
    """A request is never answered with silence."""

    async def strange(_: str, __: bytes) -> object:
        return object()

    on_request(broker, "query.*.strange", "service", strange)
    await _start(broker)
    body = await bus.request("query.demo.strange")
    assert msgspec.json.decode(body)["error"]["code"] == "internal.failure"


@pytest.mark.parametrize("reply", ["stream", "$JS.ACK.LEDGER.notify-ledger.1.1.1.1.0"])
async def test_a_request_that_waits_at_no_inbox_is_ignored(
    bus: Bus, broker: NatsBroker, reply: str
) -> None:
    """Its answer would be stored where it points, or acknowledge what nobody handled; nothing is carried out."""
    carried_out: list[bytes] = []

    async def answer(_: str, body: bytes) -> bytes:
        carried_out.append(body)
        return body

    on_request(broker, "query.*.echo", "service", answer)
    await _start(broker)
    stream = (await _consumer(bus)).stream
    reply = f"{stream}.x" if reply == "stream" else reply
    got: list[bytes] = []

    async def note(message: Message) -> None:
        got.append(message.body)

    await bus.subscribe(reply, note)
    await bus.publish("query.demo.echo", b"forged", reply=reply)
    assert await bus.request("query.demo.echo", b"asked") == b"asked"
    await bus.flush()
    assert carried_out == [b"asked"]
    assert got == []


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
