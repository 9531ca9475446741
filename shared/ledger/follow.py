"""Following a stream from a sequence, in order and without a gap, by a consumer that needs no acknowledgements.

An atomic batch is never split: what comes of it is held until its last message is there.
The consumer lives in one server's memory and is lost with it, and what was on its way to a broken connection is lost
too: then another one is made from where we stand.
A gap is believed only when the leader confirms it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from uuid import uuid4

from shared.bus import Bus
from shared.bus.deliveries import Delivery, StoredMessage
from shared.bus.feed import ConsumerGone, Feed
from shared.errors import BusUnavailable, JetStreamRefused, StreamDrift, TellonceError

FOLLOW_BATCH_EVENTS = 500
FOLLOW_WAIT_SECONDS = 5.0
INACTIVE_SECONDS = 30
RETRY_DELAY_SECONDS = 0.1
BATCH = "Nats-Batch-Id"
COMMIT = "Nats-Batch-Commit"
"""Our writer puts it on the last stored message (ADR-50 also knows a commit that stores none; nobody here uses it)."""
DELETE_TIMEOUT_SECONDS = 0.5


class _Lost(Exception):
    """A delivery does not continue where the last one ended."""


async def follow(
    bus: Bus, stream: str, after: int
) -> AsyncGenerator[Sequence[StoredMessage], None]:
    """Yield batches of all messages after `after`, for ever.

    Raises: StreamDrift when a sequence is missing; BusUnavailable when the bus was closed for good.
    """
    await _check_not_gone_back(bus, stream, after)
    while True:
        try:
            async with contextlib.aclosing(_one_consumer(bus, stream, after)) as batches:
                async for messages in batches:
                    after = messages[-1].sequence
                    yield messages
        except (ConsumerGone, BusUnavailable):
            if bus.closed:
                raise
            await asyncio.sleep(RETRY_DELAY_SECONDS)
        except _Lost:
            await _check_missing(bus, stream, after)


async def _one_consumer(
    bus: Bus, stream: str, after: int
) -> AsyncGenerator[Sequence[StoredMessage], None]:
    """Yield what one consumer gives, up to the first gap. Raises: _Lost, ConsumerGone, BusUnavailable."""
    consumer = await _create(bus, stream, after)
    held: list[StoredMessage] = []
    try:
        async with Feed(
            bus,
            stream,
            consumer,
            batch=FOLLOW_BATCH_EVENTS,
            max_wait_seconds=FOLLOW_WAIT_SECONDS,
        ) as feed:
            while True:
                deliveries = [d for d in await feed.next() if d.sequence > after]
                messages = _contiguous(deliveries, after)
                held.extend(messages)
                after += len(messages)
                whole = _whole(held)
                if whole:
                    yield held[:whole]
                    del held[:whole]
                if len(messages) < len(deliveries):
                    raise _Lost
    finally:
        await _delete(bus, stream, consumer)


def _contiguous(deliveries: Sequence[Delivery], after: int) -> list[StoredMessage]:
    """Return the deliveries that follow `after` one by one, as far as they do."""
    return [
        StoredMessage(d.sequence, d.subject, d.body, d.headers, d.stored)
        for position, d in enumerate(deliveries, after + 1)
        if d.sequence == position
    ]


def _whole(messages: Sequence[StoredMessage]) -> int:
    """Return how many messages stand before an atomic batch whose end has not come yet."""
    count = len(messages)
    if not count or COMMIT in messages[-1].headers:
        return count
    batch = messages[-1].headers.get(BATCH)
    while batch is not None and count and messages[count - 1].headers.get(BATCH) == batch:
        count -= 1
    return count


async def _create(bus: Bus, stream: str, after: int) -> str:
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
    await bus.api(f"CONSUMER.CREATE.{stream}.{name}", {"stream_name": stream, "config": config})
    return name


async def _delete(bus: Bus, stream: str, consumer: str) -> None:
    """Tidy up; a server that does not answer forgets the consumer after INACTIVE_SECONDS by itself."""
    if bus.connected:
        with contextlib.suppress(TellonceError):
            await bus.api(
                f"CONSUMER.DELETE.{stream}.{consumer}", timeout_seconds=DELETE_TIMEOUT_SECONDS
            )


async def _check_not_gone_back(bus: Bus, stream: str, after: int) -> None:
    while True:
        try:
            info = await bus.api(f"STREAM.INFO.{stream}")
        except JetStreamRefused as error:
            raise StreamDrift(stream=stream, field="name") from error
        except BusUnavailable:
            if bus.closed:
                raise
            await asyncio.sleep(RETRY_DELAY_SECONDS)
            continue
        if int(info["state"]["last_seq"]) < after:
            raise StreamDrift(stream=stream, field="last_seq", wanted=after)
        return


async def _check_missing(bus: Bus, stream: str, after: int) -> None:
    """Raises: StreamDrift when the leader does not hold the next message either."""
    try:
        if await bus.leader_get(stream, sequence=after + 1) is None:
            raise StreamDrift(stream=stream, field="sequence", missing=after + 1)
    except BusUnavailable:
        await asyncio.sleep(RETRY_DELAY_SECONDS)
