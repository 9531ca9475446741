"""What becomes of a delivery: the one place that acknowledges.

done or duplicate: ack · `Later` and retryable errors: nak with a delay · refused or unreadable: dead-letter record,
term · unexpected: log with traceback, nak with a delay. A handler that takes long reports progress meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from faststream.message import StreamMessage
from faststream.middlewares import BaseMiddleware
from faststream.nats.message import NatsMessage
from typing_extensions import override

from shared.errors import TellonceError

PROGRESS_INTERVAL_SECONDS = 0.5
"""A quarter of the consumers' `ack_wait`."""
RETRY_DELAY_SECONDS = 0.1
RETRY_DELAY_MAX_SECONDS = 5.0
JETSTREAM_REPLY = "$JS.ACK."

log = structlog.get_logger("notify.redelivery")


class Later(Exception):
    """Not now: deliver it again after `delay_seconds`. `reason`: a stable word for the log."""

    def __init__(self, delay_seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.delay_seconds = delay_seconds
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as a handler gets it. `attempt`: 1 for the first delivery; `sequence`: 0 outside a stream."""

    subject: str
    body: bytes
    attempt: int
    sequence: int


async def as_arrived(message: StreamMessage[Any]) -> Arrived:
    """Return the message unread: what cannot be read is the handler's to refuse, within `Redelivery`."""
    raw = message.raw_message
    if not raw.reply.startswith(JETSTREAM_REPLY):
        return Arrived(raw.subject, raw.data, 1, 0)
    metadata = raw.metadata
    return Arrived(raw.subject, raw.data, metadata.num_delivered, metadata.sequence.stream)


class Redelivery(BaseMiddleware):
    """Maps how a handler ends to the acknowledgement of its delivery."""

    @override
    async def consume_scope(
        self, call_next: Callable[[Any], Awaitable[Any]], msg: StreamMessage[Any]
    ) -> Any:
        if not isinstance(msg, NatsMessage) or not msg.raw_message.reply.startswith(
            JETSTREAM_REPLY
        ):
            return await call_next(msg)
        arrived = await as_arrived(msg)
        with structlog.contextvars.bound_contextvars(
            stream_sequence=arrived.sequence, attempt=arrived.attempt
        ):
            async with _progress(msg):
                settle = await _outcome(call_next, msg, arrived)
            with contextlib.suppress(Exception):  # unsettled, it comes again by itself
                await settle()
        return None


async def _outcome(
    call_next: Callable[[Any], Awaitable[Any]], msg: NatsMessage, arrived: Arrived
) -> Callable[[], Awaitable[None]]:
    """Run the handler and return how the delivery is to be settled."""
    try:
        await call_next(msg)
    except Later as later:
        log.info("delivery_postponed", reason=later.reason, delay_seconds=later.delay_seconds)
        delay_seconds = later.delay_seconds
    except TellonceError as error:
        if not error.retryable:
            log.exception("delivery_dead_lettered", code=error.code, **error.details)
            return msg.reject
        delay_seconds = _delay_seconds(arrived.attempt)
        log.warning("delivery_postponed", reason=error.code, delay_seconds=delay_seconds)
    except Exception:
        delay_seconds = _delay_seconds(arrived.attempt)
        log.exception("delivery_failed", delay_seconds=delay_seconds)
    else:
        return msg.ack
    return lambda: msg.nack(delay=delay_seconds)


@contextlib.asynccontextmanager
async def _progress(msg: NatsMessage) -> AsyncIterator[None]:
    """Keep the delivery ours while its handler works."""

    async def report() -> None:
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_SECONDS)
            with contextlib.suppress(Exception):  # no connection: the handler finds out by itself
                await msg.in_progress()

    task = asyncio.create_task(report())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _delay_seconds(attempt: int) -> float:
    doubled: float = RETRY_DELAY_SECONDS * 2 ** min(attempt - 1, 16)
    return min(doubled, RETRY_DELAY_MAX_SECONDS)
