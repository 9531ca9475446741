"""Following a stream from a sequence, in order and without a gap, by a consumer that needs no acknowledgements.

The consumer lives in one server's memory and is lost with it, and what was on its way to a broken connection is lost
too: then another one is made from where we stand.
A gap is believed only when the leader confirms it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from uuid import uuid4

from shared.bus import Bus
from shared.deliveries import Delivery, StoredMessage
from shared.errors import BusUnavailable, JetStreamRefused, StreamDrift
from shared.feed import ConsumerGone, Feed

FOLLOW_BATCH_EVENTS = 500
FOLLOW_WAIT_SECONDS = 5.0
INACTIVE_SECONDS = 30
RETRY_DELAY_SECONDS = 0.1


class _Gap(Exception):
    """A delivery did not continue where the last one ended."""


async def follow(
    bus: Bus, stream: str, after: int
) -> AsyncGenerator[Sequence[StoredMessage], None]:
    """Yield batches of all messages after `after`, for ever. Raises: StreamDrift when a sequence is missing."""
    await _check_not_gone_back(bus, stream, after)
    while True:
        try:
            consumer = await _create(bus, stream, after)
            async with Feed(
                bus,
                stream,
                consumer,
                batch=FOLLOW_BATCH_EVENTS,
                max_wait_seconds=FOLLOW_WAIT_SECONDS,
            ) as feed:
                while True:
                    messages = _continued(await feed.next(), after)
                    if messages:
                        after = messages[-1].sequence
                        yield messages
        except (ConsumerGone, BusUnavailable):
            await asyncio.sleep(RETRY_DELAY_SECONDS)
        except _Gap:
            await _check_gap(bus, stream, after)


def _continued(deliveries: Sequence[Delivery], after: int) -> list[StoredMessage]:
    """Return the deliveries that are new. Raises: _Gap."""
    messages: list[StoredMessage] = []
    for delivery in deliveries:
        if delivery.sequence <= after:
            continue
        if delivery.sequence != after + 1:
            raise _Gap
        after = delivery.sequence
        messages.append(
            StoredMessage(
                delivery.sequence,
                delivery.subject,
                delivery.body,
                delivery.headers,
                delivery.stored,
            )
        )
    return messages


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


async def _check_not_gone_back(bus: Bus, stream: str, after: int) -> None:
    while True:
        try:
            info = await bus.api(f"STREAM.INFO.{stream}")
        except JetStreamRefused as error:
            raise StreamDrift(stream=stream, field="name") from error
        except BusUnavailable:
            await asyncio.sleep(RETRY_DELAY_SECONDS)
            continue
        if int(info["state"]["last_seq"]) < after:
            raise StreamDrift(stream=stream, field="last_seq", wanted=after)
        return


async def _check_gap(bus: Bus, stream: str, after: int) -> None:
    """Raises: StreamDrift when the leader does not hold the next message either."""
    try:
        if await bus.leader_get(stream, sequence=after + 1) is None:
            raise StreamDrift(stream=stream, field="sequence", missing=after + 1)
    except BusUnavailable:
        await asyncio.sleep(RETRY_DELAY_SECONDS)
