"""The bus: asking, storing, pulling, and what it says when nobody is there."""

import asyncio
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from shared.bus import Bus, connect
from shared.bus.deliveries import Message, StoredAck
from shared.bus.micro import Announcement
from shared.codec import PlainCodec
from shared.errors import (
    BusUnavailable,
    JetStreamRefused,
    NoResponders,
    StoreIncomplete,
    StreamDrift,
    TimedOut,
)
from shared.ledger.jetstream import NatsLedger
from tests.support.ledger import TENANT, ServerPlace, new_aggregate, write
from tests.support.servers import EmbeddedNats
from tests.support.waiting import WITHIN_SECONDS

SHORT_SECONDS = 0.2


class Work:
    """A stream of a test's own with one durable consumer."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.stream = f"WORK-{uuid4().hex}"
        self.subject = f"{self.stream}.x"

    async def make(self, *, ack_wait_seconds: float = 30, **config: object) -> "Work":
        """Create both."""
        stream = {"name": self.stream, "subjects": [f"{self.stream}.>"], "max_msg_size": 1000}
        await self.bus.api(f"STREAM.CREATE.{self.stream}", {**stream, **config})
        consumer = {"durable_name": "c", "ack_policy": "explicit", "max_ack_pending": 3}
        consumer |= {"ack_wait": int(ack_wait_seconds * 1e9)}
        await self.bus.api(
            f"CONSUMER.DURABLE.CREATE.{self.stream}.c",
            {"stream_name": self.stream, "config": consumer},
        )
        return self


@pytest_asyncio.fixture
async def bus(server_place: ServerPlace) -> Bus:
    """A connection."""
    return await server_place.bus()


@pytest_asyncio.fixture
async def work(bus: Bus) -> Work:
    """A stream with a consumer."""
    return await Work(bus).make()


async def test_a_request_is_answered(bus: Bus) -> None:
    """The answer's body comes back to the asker."""

    async def answer(message: Message) -> None:
        await message.respond(message.body.upper())

    subject = f"test.{uuid4().hex}"
    subscription = await bus.subscribe(subject, answer, queue="q")
    assert await bus.request(subject, b"hello") == b"HELLO"
    await subscription.stop()
    await bus.flush()
    with pytest.raises(NoResponders):
        await bus.request(subject, b"hello")


async def test_who_wants_to_know_at_once_whether_all_was_taken_asks_together(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is told when the server has what it sent; three ask by one message, one who comes later by another."""
    subject, seen, sent, publish = f"test.{uuid4().hex}", list[bytes](), list[str](), bus.publish

    async def counted(subject: str, *args: Any, **more: Any) -> None:
        sent.append(subject)
        await publish(subject, *args, **more)

    async def note(message: Message) -> None:
        seen.append(message.body)

    async def send(body: bytes) -> None:
        await bus.publish(subject, body)
        await bus.flush()
        taken.append(body)

    taken: list[bytes] = []
    subscription = await bus.subscribe(subject, note)
    await bus.flush()
    monkeypatch.setattr(bus, "publish", counted)
    await asyncio.gather(*(send(body) for body in (b"1", b"2", b"3")))
    assert len(sent) == 3 + 1
    assert sorted(taken) == seen == [b"1", b"2", b"3"]
    await send(b"4")
    assert len(sent) == 3 + 1 + 2
    assert seen[-1] == b"4"
    await subscription.stop()


async def test_silence_and_absence_are_told_apart(bus: Bus) -> None:
    """Nobody listening is known at once; somebody silent is a time-out with an unknown outcome."""

    async def ignore(_: Message) -> None:
        return

    subject = f"test.{uuid4().hex}"
    with pytest.raises(NoResponders):
        await bus.request(subject)
    await bus.subscribe(subject, ignore)
    with pytest.raises(TimedOut):
        await bus.request(subject, timeout_seconds=SHORT_SECONDS)


async def test_an_announced_service_answers_the_micro_protocol(bus: Bus) -> None:
    """`$SRV.PING.<name>` is the sign that a service is ready."""
    name = f"svc-{uuid4().hex}"
    with pytest.raises(NoResponders):
        await bus.request(f"$SRV.PING.{name}")
    announcement = Announcement(bus, name, "1.2.3")
    await announcement.make()
    answer: dict[str, str] = {}
    for verb in ("PING", "INFO", "STATS"):
        answer = msgspec.json.decode(await bus.request(f"$SRV.{verb}.{name}"))
        assert (answer["name"], answer["version"]) == (name, "1.2.3")
        assert answer["type"] == f"io.nats.micro.v1.{verb.lower()}_response"
    assert await bus.request(f"$SRV.PING.{name}.{answer['id']}")
    await announcement.withdraw()
    with pytest.raises(NoResponders):
        await bus.request(f"$SRV.PING.{name}")


async def test_an_answer_goes_to_an_inbox_only(work: Work) -> None:
    """A request that names a subject of a stream must not have us write there."""
    name = f"svc-{uuid4().hex}"
    await Announcement(work.bus, name, "1.2.3").make()
    await work.bus.publish(f"$SRV.PING.{name}", reply=work.subject)
    await work.bus.request(f"$SRV.PING.{name}")  # the one before was answered, if at all
    assert await work.bus.store(work.subject, b"a") == StoredAck(1, False)


async def test_storing_twice_with_one_id_stores_once(work: Work) -> None:
    """The second answer names the first position and says duplicate."""
    assert await work.bus.store(work.subject, b"a", msg_id="1") == StoredAck(1, False)
    assert await work.bus.store(work.subject, b"a", msg_id="1") == StoredAck(1, True)
    assert await work.bus.store(work.subject, b"a") == StoredAck(2, False)


async def test_storing_where_no_stream_listens_is_unavailable(bus: Bus) -> None:
    """No stream, no acknowledgement: an error that is worth a retry."""
    with pytest.raises(BusUnavailable) as refusal:
        await bus.store(f"nowhere.{uuid4().hex}", b"a", msg_id="1")
    assert refusal.value.retryable


async def test_what_a_stream_refuses_is_said(work: Work) -> None:
    """A message beyond the stream's size is refused with the server's code, not retried."""
    with pytest.raises(JetStreamRefused) as refusal:
        await work.bus.store(work.subject, b"a" * 2000, msg_id="1")
    assert refusal.value.details["err_code"] == 10054


async def test_many_are_stored_in_order(work: Work) -> None:
    """A pipelined list stands in the stream in the list's order, once, also when it is repeated."""
    messages = [(work.subject, b"%d" % n, str(n)) for n in range(500)]
    stored = await work.bus.store_many(messages)
    assert [s.sequence for s in stored] == list(range(1, 501))
    again = await work.bus.store_many(messages)
    assert all(s.duplicate for s in again)
    assert [s.sequence for s in again] == [s.sequence for s in stored]


async def test_a_list_that_is_stored_in_part_says_which(work: Work) -> None:
    """The refused one is named by its absence; repeating the rest is safe."""
    messages = [(work.subject, b"x" * (2000 if n == 1 else 10), str(n)) for n in range(3)]
    with pytest.raises(StoreIncomplete) as refusal:
        await work.bus.store_many(messages)
    assert sorted(refusal.value.stored) == [0, 2]
    assert refusal.value.details == {"wanted": 3, "acknowledged": 2, "err_code": 10054}
    with pytest.raises(StoreIncomplete) as nowhere:
        await work.bus.store_many([(f"nowhere.{uuid4().hex}", b"x", "1")])
    assert nowhere.value.stored == {}


@pytest.mark.parametrize("headers", [{}, {"Name": "x" * 1000}])
async def test_what_a_connection_cannot_carry_is_refused(
    work: Work, headers: dict[str, str]
) -> None:
    """The server ends a connection that sends more than it takes; so it is not sent, and the connection lives on."""
    largest = 1024 * 1024 - sum(len(f"{name}: {value}\r\n") for name, value in headers.items())
    block = len("NATS/1.0\r\n\r\n") if headers else 0
    body = b"x" * (largest - block)
    await work.bus.publish("test.large", body, headers=headers)
    await work.bus.flush()
    for refused in (
        work.bus.publish("test.large", body + b"x", headers=headers),
        work.bus.request("test.large", body + b"x", headers=headers),
        work.bus.store(work.subject, body + b"x", headers=headers),
        work.bus.store_many([(work.subject, body + b"x", "1")], headers=headers),
    ):
        with pytest.raises(JetStreamRefused) as refusal:
            await refused
        assert refusal.value.details["err_code"] == 10054
    assert await work.bus.store(work.subject, b"a") == StoredAck(1, False)


async def test_a_pull_gives_everything_in_order(work: Work) -> None:
    """Batches are never larger than asked, and come as soon as there is something."""
    await work.bus.store_many([(work.subject, b"%d" % n, str(n)) for n in range(20)])
    seen: list[bytes] = []
    async with asyncio.timeout(WITHIN_SECONDS):
        async for batch in work.bus.pull(work.stream, "c", batch=5, max_wait_seconds=1):
            assert 1 <= len(batch) <= 5
            for delivery in batch:
                seen.append(delivery.body)
                await delivery.ack()
            if len(seen) == 20:
                break
    assert seen == [b"%d" % n for n in range(20)]


async def test_a_message_put_back_comes_again_and_one_ended_does_not(work: Work) -> None:
    """`nak` counts the attempt up, `term` ends it, `in_progress` keeps it."""
    for body in (b"again", b"ended", b"kept"):
        await work.bus.store(work.subject, body)
    seen: list[tuple[bytes, int]] = []
    async with asyncio.timeout(WITHIN_SECONDS):
        async for batch in work.bus.pull(work.stream, "c", batch=1):
            (delivery,) = batch
            seen.append((delivery.body, delivery.attempt))
            match delivery.body, delivery.attempt:
                case b"again", 1:
                    await delivery.nak(SHORT_SECONDS)
                case b"ended", _:
                    await delivery.term()
                case _:
                    await delivery.in_progress()
                    await delivery.ack()
            if (b"again", 2) in seen:
                break
    assert seen == [(b"again", 1), (b"ended", 1), (b"kept", 1), (b"again", 2)]


async def test_what_a_dead_reader_held_comes_again(bus: Bus) -> None:
    """A message that nobody acknowledged is delivered again after `ack_wait`."""
    work = await Work(bus).make(ack_wait_seconds=SHORT_SECONDS)
    await bus.store(work.subject, b"a")
    for attempt in (1, 2):
        async with asyncio.timeout(WITHIN_SECONDS):
            async for (delivery,) in bus.pull(work.stream, "c", batch=1):
                assert delivery.attempt == attempt
                break


async def test_a_pull_on_a_missing_consumer_is_drift(work: Work) -> None:
    """No consumer of that name, or one deleted under the reader, is said and not waited for."""
    with pytest.raises(StreamDrift):
        await anext(work.bus.pull(work.stream, "nobody", batch=1))
    reader = asyncio.ensure_future(anext(work.bus.pull(work.stream, "c", batch=1)))
    await work.bus.api(f"CONSUMER.DELETE.{work.stream}.c")
    with pytest.raises(StreamDrift):
        await asyncio.wait_for(reader, WITHIN_SECONDS)


async def test_a_pull_survives_a_restart(server_place: ServerPlace, bus: Bus) -> None:
    """After a restart of the server the same reader goes on."""
    replicas = len(server_place.urls)
    work = await Work(bus).make(num_replicas=replicas)
    reader = asyncio.ensure_future(anext(bus.pull(work.stream, "c", batch=1)))
    await server_place.restart()
    await (await server_place.bus()).store(work.subject, b"a", msg_id="1")
    (delivery,) = await asyncio.wait_for(reader, WITHIN_SECONDS)
    assert delivery.body == b"a"


async def test_readers_end_with_their_bus(server_place: ServerPlace) -> None:
    """A pull and a follower on a bus that is closed for good end with an error instead of waiting for ever."""
    bus = await server_place.bus()
    work = await Work(bus).make()
    ledger = NatsLedger(bus, PlainCodec())
    followed = aiter(ledger.follow(await ledger.position()))
    pulled = bus.pull(work.stream, "c", batch=1)
    await ledger.append(TENANT, [write(new_aggregate(), 0, "a")])
    await bus.store(work.subject, b"a")
    await anext(followed)
    await anext(pulled)
    readers = [asyncio.ensure_future(anext(pulled)), asyncio.ensure_future(anext(followed))]
    await bus.close()
    done, waiting = await asyncio.wait(readers, timeout=WITHIN_SECONDS)
    assert not waiting
    assert all(isinstance(reader.exception(), BusUnavailable) for reader in done)


async def test_a_bus_without_a_server_says_so_in_time(
    one_node: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server is down nothing is queued up silently; closing does not hang; nobody there refuses."""
    bus = await connect(one_node.url, "test")
    await one_node.kill()
    try:
        with pytest.raises(BusUnavailable):
            await bus.request("test.x", timeout_seconds=SHORT_SECONDS)
        async with asyncio.timeout(WITHIN_SECONDS):
            await bus.close()
        monkeypatch.setattr("shared.bus.client.CONNECT_TIMEOUT_SECONDS", SHORT_SECONDS)
        with pytest.raises(BusUnavailable):
            await connect(one_node.url, "test")
    finally:
        await one_node.start()


async def test_giving_up_the_connection_is_reported(one_node: EmbeddedNats) -> None:
    """`on_closed` runs when the connection ends, so that a process can end with it."""
    closed = asyncio.Event()

    async def on_closed() -> None:
        closed.set()

    bus = await connect(one_node.url, "test", on_closed)
    await bus.close()
    await asyncio.wait_for(closed.wait(), WITHIN_SECONDS)
    assert bus.closed
