"""Following a stream from a sequence, in order and without a gap, by a consumer that needs no acknowledgements.

An atomic batch is never split: what comes of it is held until its last message is there.
The consumer lives in one server's memory and is lost with it, and what was on its way to a broken connection is lost
too: then another one is made from where we stand.
A gap, and a stream that no longer holds what was yielded, are believed only when the leader confirms them.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from uuid import uuid4

from shared import errors
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage
from shared.bus.feed import STREAM_NOT_FOUND, ConsumerGone, Feed

FOLLOW_BATCH_EVENTS = 500
FOLLOW_WAIT_SECONDS = 5.0
INACTIVE_SECONDS = 30
RETRY_DELAY_SECONDS = 0.1
LOOKS = 5
"""A leader that has just changed may not show the newest messages for a moment: look so often, RETRY_DELAY apart."""
BATCH = "Nats-Batch-Id"
COMMIT = "Nats-Batch-Commit"
"""Our writer puts it on the last stored message (ADR-50 also knows a commit that stores none; nobody here uses it)."""
DELETE_TIMEOUT_SECONDS = 0.5


async def follow(
    bus: Bus, stream: str, after: int, known: StoredMessage | None = None
) -> AsyncGenerator[Sequence[StoredMessage], None]:
    """Yield batches of all messages after `after`, for ever. `known`: one that was yielded before, if any.

    Raises: StreamDrift when a sequence is missing, or when the stream went back behind what was yielded, also if it
    has grown again since; BusUnavailable when the bus was closed for good.
    """
    while True:
        try:
            async with contextlib.aclosing(_one_consumer(bus, stream, after, known)) as batches:
                async for messages in batches:
                    known = messages[-1]
                    after = known.sequence
                    yield messages
        except (ConsumerGone, errors.BusUnavailable):
            if bus.closed:
                raise
        await asyncio.sleep(RETRY_DELAY_SECONDS)


async def _one_consumer(
    bus: Bus, stream: str, after: int, known: StoredMessage | None
) -> AsyncGenerator[Sequence[StoredMessage], None]:
    """Yield whole batches from a consumer over one connection; stop at the first message lost on the way.

    First the consumer, then the check: a stream that is replaced later takes its consumers with it.
    Raises: StreamDrift, ConsumerGone, BusUnavailable.
    """
    generation = bus.generation
    consumer = await consume(bus, stream, after)
    held: list[StoredMessage] = []
    try:
        await check_not_gone_back(bus, stream, after, known)
        async with Feed(
            bus,
            stream,
            consumer,
            StoredMessage.of,
            batch=FOLLOW_BATCH_EVENTS,
            max_wait_seconds=FOLLOW_WAIT_SECONDS,
            replaceable=True,
        ) as feed:
            while True:
                arrived = [each for each in await feed.next() if each.sequence > after]
                if bus.generation != generation:
                    return
                messages = _contiguous(arrived, after)
                held.extend(messages)
                after += len(messages)
                whole = _whole(held)
                if whole:
                    yield held[:whole]
                    del held[:whole]
                if len(messages) < len(arrived):
                    await _check_missing(bus, stream, after + 1)
                    return
    finally:
        await forsake(bus, stream, consumer)


def _contiguous(arrived: Sequence[StoredMessage], after: int) -> Sequence[StoredMessage]:
    """Return the first messages after `after`, up to the first gap."""
    return [each for position, each in enumerate(arrived, after + 1) if each.sequence == position]


def _whole(messages: Sequence[StoredMessage]) -> int:
    """Return how many messages stand before an atomic batch whose end has not come yet."""
    count = len(messages)
    if not count or COMMIT in messages[-1].headers:
        return count
    batch = messages[-1].headers.get(BATCH)
    while batch is not None and count and messages[count - 1].headers.get(BATCH) == batch:
        count -= 1
    return count


async def consume(bus: Bus, stream: str, after: int) -> str:
    """Return the name of a new consumer. Raises: StreamDrift when there is no such stream; as `Bus.api`."""
    name = f"follow-{uuid4().hex}"
    start: dict[str, object] = {"deliver_policy": "all"}
    if after:
        start = {"deliver_policy": "by_start_sequence", "opt_start_seq": after + 1}
    config = {
        "name": name,
        "ack_policy": "none",
        "mem_storage": True,
        "num_replicas": 1,
        "inactive_threshold": INACTIVE_SECONDS * 1_000_000_000,
        **start,
    }
    try:
        await bus.api(f"CONSUMER.CREATE.{stream}.{name}", {"stream_name": stream, "config": config})
    except errors.JetStreamRefused as error:
        if error.details.get("err_code") == STREAM_NOT_FOUND:
            raise errors.StreamDrift(stream=stream, field="name") from error
        raise
    return name


async def forsake(bus: Bus, stream: str, consumer: str) -> None:
    """Tidy up; a server that does not answer forgets the consumer after INACTIVE_SECONDS by itself."""
    if bus.connected:
        with contextlib.suppress(errors.TellonceError):
            await bus.api(
                f"CONSUMER.DELETE.{stream}.{consumer}", timeout_seconds=DELETE_TIMEOUT_SECONDS
            )


async def check_not_gone_back(
    bus: Bus, stream: str, after: int, known: StoredMessage | None
) -> None:
    """Raises: StreamDrift when there is nothing at `after`, or another message than the one known."""
    unknown = known is None or known.sequence < after
    if after and unknown and await _held(bus, stream, after) is None:
        raise errors.StreamDrift(stream=stream, field="last_seq", wanted=after)
    if known is not None:
        stored = await _held(bus, stream, known.sequence)
        if stored is None or (stored.subject, stored.body) != (known.subject, known.body):
            raise errors.StreamDrift(stream=stream, field="sequence", replaced=known.sequence)


async def _check_missing(bus: Bus, stream: str, sequence: int) -> None:
    """Raises: StreamDrift when the leader does not hold the next message either."""
    if await _held(bus, stream, sequence) is None:
        raise errors.StreamDrift(stream=stream, field="sequence", missing=sequence)


async def _held(bus: Bus, stream: str, sequence: int) -> StoredMessage | None:
    """Return what the leader holds at a sequence. Raises: as `Bus.leader_get`."""
    for look in range(LOOKS):
        if look:
            await asyncio.sleep(RETRY_DELAY_SECONDS)
        stored = await bus.leader_get(stream, sequence=sequence)
        if stored is not None:
            return stored
    return None
