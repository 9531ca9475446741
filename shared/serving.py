"""What every service shares with FastStream: its connection, who acknowledges, how requests are answered.

The only file of `shared` that imports FastStream; it is control plane, never the projector's data path.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import structlog
from faststream import AckPolicy
from faststream.message import StreamMessage
from faststream.middlewares import BaseMiddleware
from faststream.nats import JStream, NatsBroker, PullSub
from typing_extensions import override

from shared import backoff, errors, events, logs, settings, streams, subjects, tasks
from shared.arrivals import ArrivedMessage, Handle, Later, Park, Patience, for_good
from shared.bus import Bus, connection_options, first_connection, is_inbox
from shared.codec import Codec
from shared.readiness import Readiness

PROGRESS_INTERVAL_SECONDS = 0.5
"""A quarter of the consumers' `ack_wait`."""
RETRY = backoff.Backoff(first_seconds=0.05, longest_seconds=5.0)
PULL_TIMEOUT_SECONDS = 2.0
"""After the loss of a server a pull is asked again this much later at the latest: within I10's 3 s."""
CLOSE_TIMEOUT_SECONDS = 2.0
REQUESTS_AT_ONCE = 32
ANSWER_SPARE_BYTES = 256
"""A server ends a connection for good that sends it more than its `max_payload`: answers stay so far below."""
JETSTREAM_REPLY = "$JS.ACK."
REQUESTS = ("cmd.", "query.", "ops.")
"""How the subjects of requests begin: none is a stream's, whatever reply a message there names."""

log = structlog.get_logger("serving")
_framework_log = logging.getLogger("faststream.tellonce")
_framework_log.setLevel(logging.WARNING)  # one canonical line per message is ours to write


@dataclass(frozen=True, slots=True)
class Connection:
    """A started broker and the house's own view of its connection."""

    broker: NatsBroker
    bus: Bus


# -- the connection -----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def connected(
    chosen: settings.Settings, name: str, stop: asyncio.Event
) -> AsyncIterator[Connection]:
    """Open the service's one connection; `stop` is set when it is given up for good.

    Subscribers are added by the caller, who then starts the broker.
    Raises: BusUnavailable when no server answers (as `shared.bus.first_connection`), or when the block ends because
    the connection was given up.
    """

    async def closed() -> None:
        stop.set()

    servers = chosen.nats_url.split(",")
    broker = NatsBroker(
        servers,
        closed_cb=closed,
        middlewares=[Redelivery],
        logger=_framework_log,
        apply_types=False,
        **connection_options(name),
    )
    client = await first_connection(broker.connect(), servers)
    try:
        yield Connection(broker, Bus.of(client))
        if client.is_closed:
            raise errors.BusUnavailable
    finally:
        # Draining and closing wait for ever when the server is gone.
        for leave in (broker.stop, client.close):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(leave(), CLOSE_TIMEOUT_SECONDS)


def main(name: str, run: Callable[[settings.Settings, asyncio.Event], Awaitable[None]]) -> int:
    """Run a service until SIGTERM, SIGINT, the loss of NATS or of a stream or consumer; return its exit code.

    0 after a signal, else 1: whoever supervises it runs the bootstrap job and starts it again.
    """

    async def serve() -> None:
        chosen = settings.load()
        logs.configure(name, chosen)
        await run(chosen, stop_on_signals())

    try:
        asyncio.run(serve())
    except (errors.TellonceError, BaseExceptionGroup) as raised:
        error = _first_of_ours(raised)
        if error is None:
            raise
        # The code says it all; a traceback would only repeat it.
        log.error(  # noqa: TRY400
            "service_failed", service=name, code=error.code, remedy=str(error), **error.details
        )
        return 1
    return 0


def _first_of_ours(raised: BaseException) -> errors.TellonceError | None:
    """Return our error in what was raised: tasks that run side by side raise in groups."""
    if isinstance(raised, BaseExceptionGroup):
        found = (_first_of_ours(each) for each in raised.exceptions)
        return next((error for error in found if error is not None), None)
    return raised if isinstance(raised, errors.TellonceError) else None


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


# -- streams: one place acknowledges --------------------------------------------------------------------


def on_stream(
    broker: NatsBroker,
    consumer: streams.Consumer,
    handle: Handle,
    park: Park,
) -> None:
    """Have `handle` called with the messages of a durable consumer, one after another.

    The bootstrap job made the consumer; FastStream would make another one where it is missing, so assert first.

    done: ack · `Later` and retryable errors: nak with a delay · refused or unreadable: dead-letter record, term ·
    a stream refused what the handler stored: nak with a delay, unless the message itself is at fault ·
    unexpected: log with traceback, nak with a delay; the PARKED_AFTER_FAILURES-th time `park`, ack.
    What is refused although it could be read is parked at once.
    """
    subscriber = broker.subscriber(
        str(consumer.config.get("filter_subject", "")) or f"{consumer.stream.lower()}.>",
        stream=JStream(consumer.stream, declare=False),
        durable=consumer.name,
        pull_sub=PullSub(batch_size=1, timeout=PULL_TIMEOUT_SECONDS),
        ack_policy=AckPolicy.MANUAL,
        decoder=_as_arrived,
    )
    subscriber(Patience(consumer.name, handle, park).take)


def opening(
    codec: Codec,
    handle: Callable[[events.AnyEvent, int], Awaitable[None]],
    instead: Callable[[int], Awaitable[events.AnyEvent | None]] | None = None,
) -> Handle:
    """Return what handles a message by the event in it: `handle(event, attempt)`.

    What is no event of ours is dead-lettered, a type of a newer version fails; `instead`, asked by its sequence, may
    have an event for its place, or `None` where this consumer leaves it to another one.
    """

    async def opened(arrived: ArrivedMessage) -> None:
        event: events.AnyEvent | None
        try:
            (event,) = await codec.unseal([arrived.body])
        except errors.EventTypeUnknown:
            if instead is None:
                raise
            event = await instead(arrived.sequence)
        if event is not None:
            await handle(event, arrived.attempt)

    return opened


async def _as_arrived(message: StreamMessage[Any]) -> ArrivedMessage:
    """Return the message unread: what cannot be read is the handler's to refuse, within `Redelivery`."""
    raw = message.raw_message
    if not _is_delivery(raw):
        return ArrivedMessage(raw.subject, raw.data, 1, 0, raw.reply)
    metadata = raw.metadata
    return ArrivedMessage(raw.subject, raw.data, metadata.num_delivered, metadata.sequence.stream)


def _is_delivery(raw: Any) -> bool:
    """Tell whether a message was delivered by a consumer, which awaits its acknowledgement."""
    return raw.reply.startswith(JETSTREAM_REPLY) and not raw.subject.startswith(REQUESTS)


class Redelivery(BaseMiddleware):
    """Maps how a stream handler ends to the acknowledgement of its delivery."""

    @override
    async def consume_scope(
        self, call_next: Callable[[Any], Awaitable[Any]], msg: StreamMessage[Any]
    ) -> Any:
        if not _is_delivery(msg.raw_message):
            return await call_next(msg)
        arrived = await _as_arrived(msg)
        with structlog.contextvars.bound_contextvars(
            stream_sequence=arrived.sequence, attempt=arrived.attempt
        ):
            async with _progress(msg):
                settle = await _outcome(call_next, msg, arrived)
            with contextlib.suppress(Exception):  # unsettled, it comes again by itself
                await settle()
        return None


async def _outcome(
    call_next: Callable[[Any], Awaitable[Any]], msg: Any, arrived: ArrivedMessage
) -> Callable[[], Awaitable[None]]:
    """Run the handler and return how the delivery is to be settled."""
    try:
        await call_next(msg)
    except Later as later:
        log.info("delivery_postponed", reason=later.reason, delay_seconds=later.delay_seconds)
        delay_seconds = later.delay_seconds
    except errors.TellonceError as error:
        if for_good(error):
            log.error("delivery_dead_lettered", code=error.code, **error.details)  # noqa: TRY400
            return partial(msg.reject)
        delay_seconds = RETRY.delay_seconds(arrived.attempt)
        log.warning(
            "delivery_postponed",
            reason=error.code,
            delay_seconds=delay_seconds,
            details=error.details,
        )
    except Exception:
        delay_seconds = RETRY.delay_seconds(arrived.attempt)
        log.exception("delivery_failed", delay_seconds=delay_seconds)
    else:
        return partial(msg.ack)
    return partial(msg.nack, delay=delay_seconds)


@contextlib.asynccontextmanager
async def _progress(msg: Any) -> AsyncIterator[None]:
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
        await tasks.end([task])


def on_health(here: Connection, service: str, readiness: Readiness) -> None:
    """Answer `ops.<service>.health`."""
    on_request(here.broker, subjects.ops(service, "health"), service, readiness.health)


# -- requests: there is always an answer ------------------------------------------------------------------


def on_request(
    broker: NatsBroker,
    subject: str,
    queue: str,
    answer: Callable[[str, bytes], Awaitable[Any]],
) -> None:
    """Answer requests on `subject` with what `answer(tenant, body)` returns, as JSON (bytes go as they are).

    The second token of the subject is the tenant. A refusal is answered as `{"error": …}`, never with silence.
    Only an inbox is answered: a request that names a subject of a stream would have us write there, and is ignored.
    """

    async def respond(arrived: ArrivedMessage) -> None:
        if arrived.reply and not is_inbox(arrived.reply):
            log.warning("request_ignored", subject=arrived.subject, reply=arrived.reply)
            return
        tenant, bus = arrived.subject.split(".")[1], Bus.of(broker.connection)
        max_bytes = broker.connection.max_payload - ANSWER_SPARE_BYTES
        body = await answered(lambda: answer(tenant, arrived.body), arrived.subject, max_bytes)
        with contextlib.suppress(errors.BusUnavailable):  # whoever asked asks again
            await bus.answer(arrived.reply, body)

    subscriber = broker.subscriber(
        subject, queue=queue, decoder=_as_arrived, max_workers=REQUESTS_AT_ONCE, no_reply=True
    )
    subscriber(respond)


async def answered(ask: Callable[[], Awaitable[Any]], subject: str, max_bytes: int) -> bytes:
    """Return the reply of `ask` as JSON bytes, or the refusal it raised; one beyond `max_bytes` is a refusal too."""
    try:
        return _body(await ask(), max_bytes)
    except errors.TellonceError as error:
        log.info("request_refused", subject=subject, code=error.code, **error.details)
        return msgspec.json.encode({"error": error.problem()})
    except Exception:
        log.exception("request_failed", subject=subject)
        return msgspec.json.encode({"error": errors.InternalFailure().problem()})


def _body(reply: object, max_bytes: int) -> bytes:
    body = reply if isinstance(reply, bytes) else msgspec.json.encode(reply)
    if len(body) > max_bytes:
        raise errors.AnswerTooLarge(answer_bytes=len(body), max_bytes=max_bytes)
    return body
