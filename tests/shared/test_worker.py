"""How a delivery ends, and in which order a consumer's messages are handled."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest
import pytest_asyncio

from shared import tasks, worker
from shared.arrivals import PARKED_AFTER_FAILURES, ArrivedMessage, Failed
from shared.backoff import Backoff
from shared.bus import Bus, connect
from shared.errors import (
    EventTypeUnknown,
    JetStreamRefused,
    LedgerUnavailable,
    NotAnEvent,
    StreamDrift,
    ViewUnavailable,
)
from shared.streams import Consumer
from shared.worker import Worker
from tests.support.waiting import WITHIN_SECONDS, eventually

LARGE_BYTES = 1_000_000
ACK_WAIT_SECONDS = 1.0


@pytest_asyncio.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """A service's connection."""
    it = await connect(nats_url, "test")
    yield it
    await it.close()


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
    bus: Bus,
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

    working = asyncio.create_task(Worker(bus, consumer, note, park).run())
    try:
        await eventually(second)
    finally:
        await tasks.end([working])
    return seen


@pytest.mark.parametrize("err_code", [10158, 10999])
async def test_a_delivery_is_not_lost_by_a_refusal_that_may_pass(bus: Bus, err_code: int) -> None:
    """Whatever code a stream answers to what the handler stores: the delivery comes again."""

    async def refused_once(arrived: ArrivedMessage) -> None:
        if arrived.attempt == 1:
            raise JetStreamRefused(err_code=err_code)

    seen = await _handled(bus, await _consumer(bus), refused_once)
    assert seen == [(b"first", 1), (b"first", 2), (b"second", 1)]


async def test_a_delivery_whose_message_is_at_fault_ends(bus: Bus) -> None:
    """What no stream will ever take would keep all others waiting: it is dead-lettered."""

    async def too_large(arrived: ArrivedMessage) -> None:
        await bus.publish("test.large", b"x" * 2 * LARGE_BYTES)

    parked: list[Failed] = []
    seen = await _handled(bus, await _consumer(bus), too_large, parked)
    assert seen == [(b"first", 1), (b"second", 1)]
    assert [(each.arrived.body, each.error) for each in parked] == [(b"first", "bus.refused")]


async def test_what_fails_for_no_known_reason_is_parked_and_the_next_one_goes_on(bus: Bus) -> None:
    """After so many failures it is set aside once, with the reason, and acknowledged."""

    async def breaks(arrived: ArrivedMessage) -> None:
        raise KeyError(arrived.body)

    parked: list[Failed] = []
    consumer = await _consumer(bus)
    seen = await _handled(bus, consumer, breaks, parked)
    attempts = range(1, PARKED_AFTER_FAILURES + 1)
    assert seen == [*((b"first", attempt) for attempt in attempts), (b"second", 1)]
    (failed,) = parked
    assert (failed.consumer, failed.arrived.sequence) == ("c", 1)
    assert (failed.error, failed.failures) == ("KeyError", PARKED_AFTER_FAILURES)


@pytest.mark.parametrize(
    "passing", [LedgerUnavailable, ViewUnavailable, StreamDrift, ConnectionResetError, TimeoutError]
)
async def test_what_fails_for_a_while_is_never_parked(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, passing: type[Exception]
) -> None:
    """A ledger or a view that is away is no fault of the message, however often it comes again meanwhile."""

    monkeypatch.setattr(worker, "RETRY", Backoff(first_seconds=0.01, longest_seconds=0.05))

    async def away(arrived: ArrivedMessage) -> None:
        if arrived.attempt <= 2 * PARKED_AFTER_FAILURES:
            raise passing

    seen = await _handled(bus, await _consumer(bus), away)
    assert [attempt for body, attempt in seen if body == b"first"][-1] == (
        2 * PARKED_AFTER_FAILURES + 1
    )


@pytest.mark.parametrize("kind", [EventTypeUnknown, NotAnEvent])
async def test_an_entry_of_the_ledger_that_cannot_be_read_costs_no_message(
    bus: Bus, kind: type[EventTypeUnknown | NotAnEvent]
) -> None:
    """The message that must look there is parked, and can be retried when the entry has been rejected."""

    async def looks(_: ArrivedMessage) -> None:
        error = kind()
        error.place = {"sequence": 1, "sha256": "a"}
        raise error

    parked: list[Failed] = []
    await _handled(bus, await _consumer(bus), looks, parked)
    assert [(each.arrived.body, each.error) for each in parked] == [(b"first", kind.code)]


async def test_what_cannot_be_parked_comes_again(bus: Bus) -> None:
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
    seen = await _handled(bus, await _consumer(bus), breaks, parked)
    assert (len(parked), len(seen)) == (1, PARKED_AFTER_FAILURES + 3)


async def test_what_is_no_event_is_dead_lettered_not_parked(bus: Bus) -> None:
    """Nobody could retry it: it is no report of any account."""

    async def unreadable(_: ArrivedMessage) -> None:
        raise NotAnEvent

    seen = await _handled(bus, await _consumer(bus), unreadable)
    assert seen == [(b"first", 1), (b"second", 1)]


# -- order --------------------------------------------------------------------------------------------


async def _several(bus: Bus, ack_pending: int, subjects: list[str]) -> Consumer:
    """Return a consumer of a new stream that holds a message of each subject, in order; `ack_wait` is short."""
    stream = f"WORK-{uuid4().hex}"
    await bus.api(f"STREAM.CREATE.{stream}", {"name": stream, "subjects": [f"{stream}.>"]})
    config = {
        "durable_name": "c",
        "ack_policy": "explicit",
        "max_ack_pending": ack_pending,
        "ack_wait": int(ACK_WAIT_SECONDS * 1e9),
        "filter_subject": f"{stream}.>",
    }
    await bus.api(f"CONSUMER.DURABLE.CREATE.{stream}.c", {"stream_name": stream, "config": config})
    for number, subject in enumerate(subjects):
        await bus.store(f"{stream}.{subject}", b"%d" % number)
    return Consumer(stream, config)


async def _none(failed: Failed) -> None:
    raise AssertionError(failed)


async def test_one_subject_waits_and_the_others_go_on(bus: Bus) -> None:
    """What is slow keeps back what is of its own subject, however often `ack_wait` passes, and nothing else."""
    consumer = await _several(bus, 64, ["slow", "slow", "a", "b", "a", "slow"])
    seen: list[tuple[str, bytes, int]] = []
    goes_on = asyncio.Event()

    async def handle(arrived: ArrivedMessage) -> None:
        subject = arrived.subject.rpartition(".")[2]
        if subject == "slow":
            await goes_on.wait()
        seen.append((subject, arrived.body, arrived.attempt))

    working = asyncio.create_task(Worker(bus, consumer, handle, _none).run())
    try:
        await eventually(lambda: _has(seen, 3))
        await asyncio.sleep(2 * ACK_WAIT_SECONDS)  # the fault itself: a handler that is slow
        assert sorted(seen) == [("a", b"2", 1), ("a", b"4", 1), ("b", b"3", 1)]
        goes_on.set()
        await eventually(lambda: _has(seen, 6))
    finally:
        await tasks.end([working])
    assert seen[3:] == [("slow", b"0", 1), ("slow", b"1", 1), ("slow", b"5", 1)]


async def _has(seen: list[tuple[str, bytes, int]], count: int) -> bool:
    return len(seen) >= count


async def test_no_more_are_under_way_than_may_be(bus: Bus) -> None:
    """As many subjects as AT_ONCE, although the consumer would give more; the rest comes when there is room."""
    consumer = await _several(bus, 10_000, [f"s{number}" for number in range(3 * worker.AT_ONCE)])
    under_way = most = done = 0

    async def handle(_: ArrivedMessage) -> None:
        nonlocal under_way, most, done
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)  # the fault itself: a handler that takes its time
        under_way -= 1
        done += 1

    async def all_done() -> bool:
        return done == 3 * worker.AT_ONCE

    working = asyncio.create_task(Worker(bus, consumer, handle, _none).run())
    try:
        await eventually(all_done)
    finally:
        await tasks.end([working])
    assert 1 < most <= worker.AT_ONCE


async def test_what_is_under_way_ends_before_the_worker_does(bus: Bus) -> None:
    """Who is told to stop takes nothing new and lets the handler come to its end; it is not given again."""
    consumer = await _several(bus, 64, ["a", "b"])
    began, goes_on, ended = asyncio.Event(), asyncio.Event(), []

    async def handle(arrived: ArrivedMessage) -> None:
        began.set()
        await goes_on.wait()
        ended.append(arrived.body)

    working = asyncio.create_task(Worker(bus, consumer, handle, _none).run())
    await began.wait()
    working.cancel()
    await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert b"0" in ended

    async def settled() -> bool:
        info = await bus.api(f"CONSUMER.INFO.{consumer.stream}.c")
        return bool(info["num_ack_pending"] == 2 - len(ended))

    await eventually(settled)


async def _asks(bus: Bus, consumer: Consumer) -> bool:
    return bool((await bus.api(f"CONSUMER.INFO.{consumer.stream}.c"))["num_waiting"])


async def test_a_consumer_that_is_gone_ends_the_worker(bus: Bus) -> None:
    """The service ends by it, and the bootstrap job makes the consumer again."""
    consumer = await _several(bus, 1, [])

    async def handle(_: ArrivedMessage) -> None: ...

    working = asyncio.create_task(Worker(bus, consumer, handle, _none).run())
    await eventually(lambda: _asks(bus, consumer))
    await bus.api(f"CONSUMER.DELETE.{consumer.stream}.c")
    with pytest.raises(StreamDrift):
        await asyncio.wait_for(working, WITHIN_SECONDS)


# -- again, while it is in hand -----------------------------------------------------------------------


class _Hands:
    """Notes what is handled, and what of it side by side with itself; a subject that is held waits in its handler."""

    def __init__(self, held: str) -> None:
        self.seen: list[tuple[str, int]] = []
        self.goes_on = asyncio.Event()
        self._held = held

    async def handle(self, arrived: ArrivedMessage) -> None:
        subject = arrived.subject.rpartition(".")[2]
        self.seen.append((subject, int(arrived.body)))
        if subject.startswith(self._held):
            await self.goes_on.wait()

    async def came(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.seen) >= count

        await eventually(enough)


async def _nothing_left(bus: Bus, consumer: Consumer) -> None:
    async def none() -> bool:
        info = await bus.api(f"CONSUMER.INFO.{consumer.stream}.c")
        return not info["num_ack_pending"] and not info["num_pending"]

    await eventually(none)


async def test_what_is_in_hand_when_the_loop_was_frozen_is_handled_once(bus: Bus) -> None:
    """Its reports came too late, so it is given once more: neither again nor before what came behind it."""
    consumer = await _several(bus, 64, ["a", "a", "b", "a"])
    hands = _Hands("a")
    working = asyncio.create_task(Worker(bus, consumer, hands.handle, _none).run())
    try:
        await hands.came(2)
        time.sleep(2 * ACK_WAIT_SECONDS)  # noqa: ASYNC251  # the fault itself: nobody reports meanwhile
        await eventually(lambda: _redelivered(bus, consumer))
        hands.goes_on.set()
        await _nothing_left(bus, consumer)
    finally:
        await tasks.end([working])
    assert hands.seen == [("a", 0), ("b", 2), ("a", 1), ("a", 3)]


async def _redelivered(bus: Bus, consumer: Consumer) -> bool:
    return bool((await bus.api(f"CONSUMER.INFO.{consumer.stream}.c"))["num_redelivered"])


async def test_what_waits_for_a_turn_is_in_hand(bus: Bus) -> None:
    """However long those before it take, it is reported, so that it is not given again and handled twice."""
    many = worker.AT_ONCE + worker.AT_ONCE // 2
    consumer = await _several(bus, 10_000, [f"s{number}" for number in range(many)])
    hands = _Hands("s")
    working = asyncio.create_task(Worker(bus, consumer, hands.handle, _none).run())
    try:
        await hands.came(worker.AT_ONCE)
        await asyncio.sleep(3 * ACK_WAIT_SECONDS)  # the fault itself: handlers that are slow
        assert not await _redelivered(bus, consumer)
        hands.goes_on.set()
        await _nothing_left(bus, consumer)
    finally:
        await tasks.end([working])
    assert sorted(number for _, number in hands.seen) == list(range(many))


async def test_a_flood_of_one_subject_is_bounded(bus: Bus) -> None:
    """The consumer would give thousands; no more are taken than IN_HAND_MAX, and they are handled in their order."""
    many = 4 * worker.IN_HAND_MAX
    consumer = await _several(bus, 10_000, ["a"] * many)
    hands = _Hands("a")
    working = asyncio.create_task(Worker(bus, consumer, hands.handle, _none).run())
    try:
        await hands.came(1)
        await eventually(lambda: _given(bus, consumer, worker.IN_HAND_MAX))
        await asyncio.sleep(ACK_WAIT_SECONDS)  # the fault itself: a handler that is slow
        info = await bus.api(f"CONSUMER.INFO.{consumer.stream}.c")
        assert info["num_ack_pending"] == worker.IN_HAND_MAX
        hands.goes_on.set()
        await _nothing_left(bus, consumer)
    finally:
        await tasks.end([working])
    assert hands.seen == [("a", number) for number in range(many)]


async def _given(bus: Bus, consumer: Consumer, count: int) -> bool:
    info = await bus.api(f"CONSUMER.INFO.{consumer.stream}.c")
    return bool(info["num_ack_pending"] >= count)


async def test_what_is_being_handled_is_reported_until_its_end(bus: Bus) -> None:
    """A worker that is told to stop still has it in hand: nobody else is given it at the same time."""
    consumer = await _several(bus, 64, ["a", "a"])
    hands = _Hands("a")
    working = asyncio.create_task(Worker(bus, consumer, hands.handle, _none, WITHIN_SECONDS).run())
    await hands.came(1)
    ending = asyncio.create_task(tasks.end([working]))  # as a service does
    await asyncio.sleep(3 * ACK_WAIT_SECONDS)  # the fault itself: a provider that is slow
    others = _Hands("nothing")
    other = asyncio.create_task(Worker(bus, consumer, others.handle, _none).run())
    try:
        await asyncio.sleep(ACK_WAIT_SECONDS)  # the fault itself: it is still slow
        assert ("a", 0) not in others.seen
        hands.goes_on.set()
        await ending
        await _nothing_left(bus, consumer)
    finally:
        await tasks.end([other])
    assert hands.seen == [("a", 0)]
    assert others.seen == [("a", 1)]


async def test_a_cancellation_from_within_keeps_nobody_back(bus: Bus) -> None:
    """A handler whose own work was cancelled by somebody has failed; those behind it are handled."""

    async def cancelled(_: ArrivedMessage) -> None:
        waits = asyncio.get_running_loop().create_future()
        waits.cancel()
        await waits

    parked: list[Failed] = []
    seen = await _handled(bus, await _consumer(bus), cancelled, parked)
    attempts = range(1, PARKED_AFTER_FAILURES + 1)
    assert seen == [*((b"first", attempt) for attempt in attempts), (b"second", 1)]
    assert [each.error for each in parked] == ["RuntimeError"]
