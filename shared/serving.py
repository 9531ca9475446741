"""What every service shares with FastStream: its connection, and how requests are answered.

The only file of `shared` that imports FastStream; it is control plane, never the path of what a stream delivers.
"""

import asyncio
import collections
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from faststream.message import StreamMessage
from faststream.nats import NatsBroker
from faststream.nats.security import NatsNKey, NatsSecurity

from shared import errors, logs, metrics, settings, subjects, tracing
from shared.arrivals import ArrivedMessage
from shared.bus import Bus, driver, first_connection, is_inbox
from shared.bus.connection import Standing, connection_options
from shared.bus.deliveries import Message
from shared.bus_address import BusAddress
from shared.readiness import Readiness

CLOSE_TIMEOUT_SECONDS = 2.0
REQUESTS_AT_ONCE = 32
REQUESTS_WAITING = 10_000
ANSWER_SPARE_BYTES = 256
"""A server ends a connection for good that sends it more than its `max_payload`: answers stay so far below."""

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
    the connection was given up; BusUnauthorized, BusForbidden where that is why; SettingInvalid.
    """
    standing = Standing(chosen.bus_address())

    async def closed() -> None:
        stop.set()

    servers = standing.address.servers
    broker = NatsBroker(
        servers,
        closed_cb=closed,
        logger=_framework_log,
        apply_types=False,
        serializer=None,
        security=_security(standing.address),
        **connection_options(name, standing),
    )
    client = await first_connection(broker.connect(), servers)
    driver.stands(client, standing)
    try:
        yield Connection(broker, Bus.of(client, standing))
        if client.is_closed:
            raise standing.reason or errors.BusUnavailable
    finally:
        # Draining and closing wait for ever when the server is gone.
        for leave in (broker.stop, client.close):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(leave(), CLOSE_TIMEOUT_SECONDS)


def _security(address: BusAddress) -> NatsSecurity | None:
    """Return by what the broker says who we are, and whom it believes. Raises: SettingInvalid."""
    key, believed = address.key(), address.tls() if address.ca_file else None
    if key is not None:
        return NatsNKey.from_seed(key.seed, ssl_context=believed, use_ssl=believed is not None)
    return NatsSecurity(ssl_context=believed, use_ssl=True) if believed else None


def main(name: str, run: Callable[[settings.Settings, asyncio.Event], Awaitable[None]]) -> int:
    """Run a service until SIGTERM, SIGINT, the loss of NATS or of a stream or consumer; return its exit code.

    0 after a signal, else 1: whoever supervises it runs the bootstrap job and starts it again.
    """

    async def serve() -> None:
        chosen = settings.load()
        logs.configure(name, chosen)
        await run(chosen, stop_on_signals())

    send_last_spans = tracing.configure(name)
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
    finally:
        send_last_spans()
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


# -- requests: there is always an answer ------------------------------------------------------------------


async def _as_request(message: StreamMessage[Any]) -> ArrivedMessage:
    """Return the message unread: what cannot be read is the handler's to refuse."""
    raw = message.raw_message
    return ArrivedMessage(raw.subject, raw.data, 1, 0, raw.reply)


def on_health(here: Connection, service: str, readiness: Readiness) -> None:
    """Answer `ops.<service>.health`."""
    on_request(here.broker, subjects.ops(service, "health"), service, readiness.health)


Answer = Callable[[str, bytes], Awaitable[Any]]
"""Takes the tenant and the body of a request; returns the reply, which goes out as JSON, bytes as they are."""
Respond = Callable[[str, bytes, str], Coroutine[Any, Any, None]]
"""Takes the subject, the body and the reply subject of a request, and answers there."""


def on_request(broker: NatsBroker, subject: str, queue: str, answer: Answer) -> None:
    """Answer requests on `subject`, once the broker is started.

    The second token of the subject is the tenant. A refusal is answered as `{"error": …}`, never with silence.
    Only an inbox is answered: a request that names a subject of a stream would have us write there, and is ignored.
    """
    respond = _responding(broker.connection, _by_tenant(answer))
    subscriber = broker.subscriber(
        subject, queue=queue, decoder=_as_request, max_workers=REQUESTS_AT_ONCE, no_reply=True
    )

    @subscriber
    async def handle(arrived: ArrivedMessage) -> None:
        await respond(arrived.subject, arrived.body, arrived.reply)


async def on_query(here: Connection, subject: str, queue: str, answer: Answer) -> None:
    """Answer requests on `subject` from now on, as `on_request`, in a third of its time (docs/adr/0072).

    For what is asked often and answered soon: around a single SELECT all else is seen. Beyond REQUESTS_WAITING that
    wait, a request is refused with `query.unavailable`.
    """
    await on_subject(here, subject, queue, _by_tenant(answer))


async def on_subject(here: Connection, subject: str, queue: str, answer: Answer) -> None:
    """As `on_query`, for what must know more of the subject than the tenant: `answer` takes it whole."""
    client = here.broker.connection
    asked = _Asked(_responding(client, answer), _responding(client, _crowded))
    await here.bus.noting(subject, asked.note, queue=queue)


def _by_tenant(answer: Answer) -> Answer:
    return lambda subject, body: answer(subject.split(".")[1], body)


async def _crowded(_: str, __: bytes) -> Any:
    raise errors.ViewUnavailable(reason="crowded")


class _Asked:
    """Requests of one subject, answered side by side, as many as there is room for, in the order in which they came."""

    def __init__(self, respond: Respond, refuse: Respond) -> None:
        self._respond = respond
        self._refuse = refuse
        self._running: set[asyncio.Task[None]] = set()
        self._waiting: collections.deque[Message] = collections.deque()

    def note(self, message: Message) -> None:
        """Take a request in."""
        if len(self._running) < REQUESTS_AT_ONCE:
            self._start(self._respond, message)
        elif len(self._waiting) < REQUESTS_WAITING:
            self._waiting.append(message)
        else:
            self._start(self._refuse, message)

    def _start(self, respond: Respond, message: Message) -> None:
        task = asyncio.create_task(respond(message.subject, message.body, message.reply))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._waiting and len(self._running) < REQUESTS_AT_ONCE:
            self._start(self._respond, self._waiting.popleft())


def _responding(client: Any, answer: Answer) -> Respond:
    """Return what answers a request that came by a connected client."""
    bus = Bus.of(client)

    async def respond(subject: str, body: bytes, reply: str) -> None:
        if reply and not is_inbox(reply):
            log.warning("request_ignored", subject=subject, reply=reply)
            return
        max_bytes = client.max_payload - ANSWER_SPARE_BYTES
        answer_body = await answered(lambda: answer(subject, body), subject, max_bytes)
        with contextlib.suppress(errors.BusUnavailable):  # whoever asked asks again
            await bus.answer(reply, answer_body)

    return respond


async def answered(ask: Callable[[], Awaitable[Any]], subject: str, max_bytes: int) -> bytes:
    """Return the reply of `ask` as JSON bytes, or the refusal it raised; one beyond `max_bytes` is a refusal too.

    What is counted is the request that `subject` names: it stood in what was subscribed to, and is one of few.
    """
    began, request, outcome = time.perf_counter(), subjects.request_in(subject), "answered"
    try:
        with tracing.span(request):
            return _body(await ask(), max_bytes)
    except errors.TellonceError as error:
        outcome = error.code
        log.info("request_refused", subject=subject, code=error.code, **error.details)
        return msgspec.json.encode({"error": error.problem()})
    except Exception:
        outcome = errors.InternalFailure.code
        log.exception("request_failed", subject=subject)
        return msgspec.json.encode({"error": errors.InternalFailure().problem()})
    finally:
        metrics.REQUESTS.add(request, outcome)
        metrics.REQUEST_SECONDS.observe(time.perf_counter() - began, request)


def _body(reply: object, max_bytes: int) -> bytes:
    body = reply if isinstance(reply, bytes) else msgspec.json.encode(reply)
    if len(body) > max_bytes:
        raise errors.AnswerTooLarge(answer_bytes=len(body), max_bytes=max_bytes)
    return body
