"""The messages of durable consumers: pulled ahead, handled, and settled by how that ended. One place acknowledges.

Messages of one subject are handled one after another, those of different subjects side by side, as far as the consumer
gives several: `max_ack_pending`. One that is to come again later keeps those behind it from nothing.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import datetime

import structlog

from shared import backoff, errors, events, metrics, streams, tasks
from shared.arrivals import ArrivedMessage, Handle, Later, Park, Patience, for_good
from shared.bus import Bus
from shared.bus.deliveries import Delivery
from shared.codec import Codec

PROGRESS_INTERVAL_SECONDS = 0.5
"""A quarter of the consumers' `ack_wait`."""
RETRY = backoff.Backoff(first_seconds=0.05, longest_seconds=5.0)
AT_ONCE = 16
"""So many subjects of one consumer are handled side by side."""
IN_HAND_MAX = 64
"""So many messages of one consumer are handled or wait for it; beyond, nothing is asked for."""
DONE_REMEMBERED, DONE_SPARE = 1_024, 24
"""Of what is done at most so many are known again, and so many more than can be outstanding: more than can be on the
way back to us when it is acknowledged, or be given again because that was lost."""
NEVER = -1.0
"""In the place of a delay: the message is not to come again."""
LEAVE_SECONDS = 2.0
"""Whoever ends gives what is under way so long, where it is not said otherwise."""

log = structlog.get_logger("worker")


class Worker:
    """Has `handle` called with the messages of a durable consumer that the bootstrap job made.

    done: ack · `Later` and retryable errors: nak with a delay · refused or unreadable: dead-letter record, term ·
    a stream refused what the handler stored: nak with a delay, unless the message itself is at fault ·
    unexpected: log with traceback, nak with a delay; the PARKED_AFTER_FAILURES-th time `park`, ack.
    What is refused although it could be read is parked at once.
    `leave_seconds`: so long what is under way has at the end, before it is cut off.
    """

    def __init__(
        self,
        bus: Bus,
        consumer: streams.Consumer,
        handle: Handle,
        park: Park,
        leave_seconds: float = LEAVE_SECONDS,
    ) -> None:
        self._bus = bus
        self._leave_seconds = leave_seconds
        self._consumer = consumer
        self._counted_as = consumer.work
        self._take = Patience(consumer.name, handle, park).take
        self._lanes: dict[str, deque[Delivery]] = {}
        self._in_hand = InHand(AT_ONCE, IN_HAND_MAX)
        self._done: dict[tuple[int, datetime], None] = {}
        self._busy: set[asyncio.Task[None]] = set()
        outstanding = int(consumer.config["max_ack_pending"])
        self._remembered = min(DONE_REMEMBERED, outstanding + DONE_SPARE)
        self._slots = asyncio.Semaphore(min(AT_ONCE, outstanding))

    async def run(self) -> None:
        """Take messages for ever. Raises: StreamDrift when the consumer is gone, BusUnavailable when the bus is."""
        pulled = self._bus.pull(
            self._consumer.stream, self._consumer.name, batch=AT_ONCE, room=self._in_hand.room
        )
        async with self._in_hand.reported():
            try:
                async with contextlib.aclosing(pulled) as batches:
                    async for batch in batches:
                        for delivery in batch:
                            await self._put(delivery)
            finally:
                await tasks.finish(self._leave())

    async def _put(self, delivery: Delivery) -> None:
        """Line a message up behind those of its subject.

        One that comes again is not handled again, for its reports or its acknowledgement were late or lost: what is
        done is acknowledged once more.
        """
        if _place(delivery) in self._done:
            with contextlib.suppress(errors.BusUnavailable):
                await delivery.ack()
            return
        if not self._in_hand.take(delivery):
            return
        lane = self._lanes.get(delivery.subject)
        if lane is not None:
            lane.append(delivery)
            return
        self._lanes[delivery.subject] = lane = deque([delivery])
        task = asyncio.create_task(self._work(delivery.subject, lane))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _work(self, subject: str, lane: deque[Delivery]) -> None:
        """Handle what a subject has, one by one; between two of them a subject that waits has its turn."""
        while lane:
            async with self._slots:
                if lane:
                    await self._handle(lane.popleft())
        del self._lanes[subject]

    async def _leave(self) -> None:
        """Let what is being handled come to its end; what waits behind it is left to whoever comes next."""
        for lane in self._lanes.values():
            lane.clear()
        if self._busy:
            await asyncio.wait(self._busy, timeout=self._leave_seconds)
        await tasks.end(self._busy)

    async def _handle(self, delivery: Delivery) -> None:
        """Handle one message and settle it."""
        arrived = ArrivedMessage(
            delivery.subject,
            delivery.body,
            delivery.attempt,
            delivery.sequence,
            headers=delivery.headers,
            pending=delivery.pending,
        )
        delay_seconds, began, outcome = None, time.perf_counter(), ""
        with structlog.contextvars.bound_contextvars(
            stream_sequence=arrived.sequence, attempt=arrived.attempt
        ):
            try:
                outcome = await self._take(arrived)
            except Exception as error:  # noqa: BLE001  whatever it is, the message is settled
                delay_seconds, outcome = _after(error, arrived), self._failed(error)
        metrics.MESSAGES.add(self._counted_as, outcome)
        metrics.HANDLING_SECONDS.observe(time.perf_counter() - began, self._counted_as)
        if delay_seconds in {None, NEVER}:
            self._note_done(_place(delivery))
        newest = self._in_hand.release(delivery)
        with contextlib.suppress(errors.BusUnavailable):  # unsettled, it comes again by itself
            await _settle(newest, delay_seconds)

    def _failed(self, error: Exception) -> str:
        """Return what a message that was not handled is counted as; an error that brings it again is counted too."""
        if isinstance(error, Later):
            return "later"
        if not isinstance(error, errors.TellonceError):
            metrics.RETRIES.add(self._counted_as, errors.InternalFailure.code)
            return "failed"
        if for_good(error):
            return "dead_lettered"
        metrics.RETRIES.add(self._counted_as, error.code)
        return "retried"

    def _note_done(self, place: tuple[int, datetime]) -> None:
        self._done[place] = None
        if len(self._done) > self._remembered:
            del self._done[next(iter(self._done))]


class InHand:
    """What was taken from a consumer and is not settled: it is reported, each message once, and there is a bound to it.

    `batch`: so many come for one request; `most`: of all that may be in hand.
    """

    def __init__(self, batch: int, most: int) -> None:
        self._full = most - batch
        self._newest: dict[tuple[int, datetime], Delivery] = {}
        self._freed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._newest)

    def reported(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Keep the server from redelivering what is in hand while the block runs."""
        return held(self._newest.values())

    async def room(self) -> None:
        """Wait until another batch may be asked for: what comes is taken in hand at once, or nobody would report it."""
        while len(self._newest) > self._full:
            self._freed.clear()
            await self._freed.wait()

    def take(self, delivery: Delivery) -> bool:
        """Take a delivery in hand; tell whether its message was not there yet."""
        place = _place(delivery)
        new = place not in self._newest
        self._newest[place] = delivery
        return new

    def release(self, delivery: Delivery) -> Delivery:
        """Return the newest delivery of a message, to be settled in the place of the one that was handled."""
        self._freed.set()
        return self._newest.pop(_place(delivery))


def _place(delivery: Delivery) -> tuple[int, datetime]:
    """Return what tells one stored message from all others, also of a stream that was made again."""
    return delivery.sequence, delivery.stored


async def _settle(delivery: Delivery, delay_seconds: float | None) -> None:
    """Acknowledge a message, or have it come again after the delay, or NEVER. Raises: BusUnavailable."""
    if delay_seconds is None:
        await delivery.ack()
    elif delay_seconds == NEVER:
        await delivery.term()
    else:
        await delivery.nak(delay_seconds)


def _after(error: Exception, arrived: ArrivedMessage) -> float:
    """Return in how many seconds a message that failed is to come again, or NEVER."""
    delay_seconds = RETRY.delay_seconds(arrived.attempt)
    if isinstance(error, Later):
        delay_seconds = error.delay_seconds
        log.info("delivery_postponed", reason=error.reason, delay_seconds=delay_seconds)
    elif not isinstance(error, errors.TellonceError):
        log.error("delivery_failed", delay_seconds=delay_seconds, exc_info=error)
    elif for_good(error):
        log.error("delivery_dead_lettered", code=error.code, **error.details)
        return NEVER
    else:
        log.warning(
            "delivery_postponed",
            reason=error.code,
            delay_seconds=delay_seconds,
            details=error.details,
        )
    return delay_seconds


def opening(codec: Codec, handle: Callable[[events.AnyEvent, int], Awaitable[None]]) -> Handle:
    """Return what handles a message by the event in it: `handle(event, attempt)`.

    What is no event of ours is dead-lettered, a type of a newer version fails.
    """

    async def opened(arrived: ArrivedMessage) -> None:
        (event,) = await codec.unseal([arrived.body])
        await handle(event, arrived.attempt)

    return opened


@contextlib.asynccontextmanager
async def held(waiting: Collection[Delivery]) -> AsyncIterator[None]:
    """Keep the server from redelivering what is in `waiting` while the block runs, however long."""

    async def report() -> None:
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_SECONDS)
            with contextlib.suppress(
                errors.BusUnavailable
            ):  # without a connection it will be given again
                for delivery in list(waiting):
                    await delivery.in_progress()

    reporting = asyncio.create_task(report())
    try:
        yield
    finally:
        await tasks.end([reporting])
