"""Pulling from a consumer by one request after another, fed by a callback (NATS ADR-37).

Measured five times as fast as the driver's `fetch`, which makes a task per message.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import msgspec

from shared import errors
from shared.bus.deliveries import Delivery, Message

if TYPE_CHECKING:
    from shared.bus import Bus

HEARTBEAT_SECONDS = 0.5
"""The server says so often that the request is still alive; two misses mean that it is not."""
SILENCE_SECONDS = 1.5
SLICE_SECONDS = 0.25
RETRY_DELAY_SECONDS = 0.1
CONSUMER_NOT_FOUND = 10014
STREAM_NOT_FOUND = 10059


class ConsumerGone(Exception):
    """The consumer does not exist (any more)."""


class Feed:
    """Messages of one pull consumer. Use as `async with Feed(...) as feed: batch = await feed.next()`."""

    def __init__(
        self, bus: "Bus", stream: str, consumer: str, *, batch: int, max_wait_seconds: float
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._consumer = consumer
        self._batch = batch
        self._max_wait_seconds = max_wait_seconds
        self._arrived: asyncio.Queue[Message] = asyncio.Queue()
        self._inbox = bus.new_inbox()
        self._credit = 0
        self._generation = -1

    async def __aenter__(self) -> "Feed":
        while not self._bus.connected:
            self._check_open()
            await asyncio.sleep(RETRY_DELAY_SECONDS)
        self._subscription = await self._bus.subscribe(self._inbox, self._arrive)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._subscription.stop()

    async def _arrive(self, message: Message) -> None:
        self._arrived.put_nowait(message)

    async def next(self) -> list[Delivery]:
        """Wait for messages and return what is here, 1 to `batch` of them.

        Raises: ConsumerGone; BusUnavailable when the connection was closed for good.
        """
        while True:
            self._check_open()
            if self._credit <= 0 or self._generation != self._bus.generation:
                await self._ask()
            first = await self._wait()
            if first is None:
                await self._check_consumer()
                continue
            batch = self._drain(first)
            if batch:
                return batch
            if self._credit <= 0 and self._troubled:
                await self._check_consumer()

    def _check_open(self) -> None:
        if self._bus.closed:
            raise errors.BusUnavailable

    async def _ask(self) -> None:
        self._troubled = False
        with contextlib.suppress(errors.BusUnavailable):
            await self._bus.until_connected(self._max_wait_seconds)
            self._generation = self._bus.generation
            request: dict[str, object] = {
                "batch": self._batch,
                "expires": int(self._max_wait_seconds * 1e9),
            }
            if self._max_wait_seconds >= 2 * HEARTBEAT_SECONDS:
                request["idle_heartbeat"] = int(HEARTBEAT_SECONDS * 1e9)
            await self._bus.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}",
                msgspec.json.encode(request),
                reply=self._inbox,
            )
            self._credit = self._batch

    async def _wait(self) -> Message | None:
        """Return the next message, or `None` when the server was silent for too long or reconnected."""
        waited = 0.0
        while waited < SILENCE_SECONDS:
            try:
                return await asyncio.wait_for(self._arrived.get(), SLICE_SECONDS)
            except TimeoutError:
                waited += SLICE_SECONDS
                if self._generation != self._bus.generation:
                    break
        self._credit = 0
        return None

    def _drain(self, first: Message) -> list[Delivery]:
        batch: list[Delivery] = []
        message: Message | None = first
        while message is not None:
            if "Status" in message.headers and not message.reply.startswith("$JS.ACK."):
                self._ended(message)
            else:
                self._credit -= 1
                batch.append(Delivery.of(message))
            message = None
            if len(batch) < self._batch and not self._arrived.empty():
                message = self._arrived.get_nowait()
        return batch

    def _ended(self, message: Message) -> None:
        if message.headers["Status"] == "100":
            return
        self._credit = 0
        self._troubled = message.headers["Status"] not in {"404", "408"}

    async def _check_consumer(self) -> None:
        """Tell a consumer that is briefly away from a consumer that does not exist. Raises: ConsumerGone."""
        try:
            await self._bus.api(f"CONSUMER.INFO.{self._stream}.{self._consumer}")
        except errors.JetStreamRefused as error:
            if error.details.get("err_code") in {CONSUMER_NOT_FOUND, STREAM_NOT_FOUND}:
                raise ConsumerGone from error
            raise
        except errors.BusUnavailable:
            await asyncio.sleep(RETRY_DELAY_SECONDS)


async def pull(
    bus: "Bus", stream: str, durable: str, *, batch: int, max_wait_seconds: float
) -> AsyncGenerator[list[Delivery], None]:
    """See `Bus.pull`."""
    try:
        async with Feed(
            bus, stream, durable, batch=batch, max_wait_seconds=max_wait_seconds
        ) as feed:
            while True:
                yield await feed.next()
    except ConsumerGone as error:
        raise errors.StreamDrift(stream=stream, consumer=durable, field="name") from error
