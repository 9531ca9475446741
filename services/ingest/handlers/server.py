"""The web server, bounded in every direction: connections, headers, frames, and the time to send them.

uvicorn waits for ever for a request's head; the protocol here does not (slow loris), and where connections run out,
the one that has waited longest with its head makes room.
"""

import asyncio
import contextlib
import errno
import logging
import resource
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import h11
import structlog
import uvicorn
from msgspec import structs
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from services.ingest.handlers import frames, logged, problems
from shared import addresses, errors
from shared.settings import Settings

HEAD_MAX_BYTES = 32_768
KEEP_ALIVE_SECONDS = 5
STOP_SECONDS = 2
SOCKET_PING_SECONDS = 20.0
LISTEN_BACKLOG = 512
ACCEPTED_AT_ONCE = 16
"""How many connections are taken before the first of them is counted: a crowd must not open files beyond the limits."""
SPARE_CONNECTIONS = 64
"""Connections beyond the doors' and the sockets': health checks, and those that are just ending."""
SPARE_FILES = 128
"""Open files that are no connections to a door: the interpreter's own, NATS, logs."""
COMPLAINT_SECONDS = 60.0
"""How long a lack of files is not told again."""
LACKING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Why a connection cannot be taken although somebody asks for it."""

log = structlog.get_logger("ingest")


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket's address taken; port 0 takes a free one.

    `host`: an address or a name of this machine; empty for all addresses. Raises: SettingInvalid where it cannot be.
    """
    try:
        families = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, name = families[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(name)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise errors.SettingInvalid(
            f"TELLONCE_INGEST_HOST and TELLONCE_INGEST_PORT cannot be bound: {error.strerror}",
            host=host,
            port=port,
        ) from error
    return bound


def address(bound: socket.socket) -> str:
    """Return `http://host:port` of a bound socket, as this machine reaches it."""
    host, port = bound.getsockname()[:2]
    return addresses.http_url(host, port)


class BoundedReader(h11.Connection):
    """Reads heads of up to HEAD_MAX_BYTES. h11 itself measures only what is not whole yet."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, HEAD_MAX_BYTES)

    @override
    def next_event(self) -> Any:
        """Raises: RemoteProtocolError, with 431 as its hint for a head that is too large."""
        waiting_bytes = len(self.trailing_data[0]) if self.their_state is h11.IDLE else 0
        event = super().next_event()
        if isinstance(event, h11.Request):
            head_bytes = waiting_bytes - len(self.trailing_data[0])
            if head_bytes > HEAD_MAX_BYTES:
                raise h11.RemoteProtocolError("the head is too large", error_status_hint=431)
        return event


class ImpatientProtocol(H11Protocol):
    """HTTP that closes a connection whose request head does not come within `head_seconds`.

    Each time a head is awaited a clock runs; a head that came whole stops it. `awaited`: whose clocks run, the oldest
    first; beyond `connections_max` connections the oldest of them is closed, and where nobody's head is awaited and the
    spare ones are taken too, the new one.
    """

    head_seconds: ClassVar[float]
    connections_max: ClassVar[int]
    awaited: ClassVar[dict["ImpatientProtocol", None]]
    _clock: asyncio.TimerHandle | None = None
    _refused = False

    @override
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.conn = BoundedReader()
        if len(self.connections) > self.connections_max and self.awaited:
            next(iter(self.awaited)).give_up()
        elif len(self.connections) > self.connections_max + SPARE_CONNECTIONS:
            transport.abort()
        self._wind_up()

    @override
    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        self._wind_up()

    @override
    def handle_events(self) -> None:
        """Read on; empty lines before a request are none of it (RFC 9112, section 2.2), which h11 takes for a head."""
        if self.conn.their_state is h11.IDLE:
            waiting, _ = self.conn.trailing_data
            request = waiting.lstrip(b"\r\n")
            if len(request) < len(waiting):
                self.conn = BoundedReader()
                if request:
                    self.conn.receive_data(request)
        super().handle_events()

    @override
    def send_400_response(self, msg: str) -> None:
        """Answer what h11 could not read, and end the connection; 431 for a head beyond HEAD_MAX_BYTES.

        h11 says which it is only in its error, which is being handled while this is called.
        """
        self._refused = True
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()
            return
        too_large = getattr(sys.exception(), "error_status_hint", None) == 431
        answer = problems.problem(
            errors.HeadTooLarge() if too_large else errors.RequestUnreadable()
        )
        head = h11.Response(
            status_code=answer.status_code,
            headers=answer.raw_headers,
            reason=STATUS_PHRASES[answer.status_code],
        )
        for part in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(part) or b"")
        self.transport.write_eof()
        self.loop.call_later(problems.LINGER_SECONDS, self.transport.close)

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wind_up()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def _wind_up(self) -> None:
        if not self._awaits_head():
            self._stop_clock()
        elif self._clock is None:
            self._clock = self.loop.call_later(self.head_seconds, self.give_up)
            self.awaited[self] = None

    def _awaits_head(self) -> bool:
        if self._refused or self.transport.is_closing():
            return False
        if self.transport.get_protocol() is not self:
            return False
        cycle: Any = self.cycle  # none before the first request, whatever uvicorn declares
        return cycle is None or bool(cycle.response_complete)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
            del self.awaited[self]

    def give_up(self) -> None:
        """Close the connection if it still waits for a head."""
        self._stop_clock()
        if self._awaits_head():
            self.transport.close()


def impatient(head_seconds: float, connections_max: int) -> type[ImpatientProtocol]:
    """Return the protocol with its limits set: uvicorn makes one per connection and passes no settings."""
    limits = {"head_seconds": head_seconds, "connections_max": connections_max, "awaited": {}}
    return type("Impatient", (ImpatientProtocol,), limits)


CONNECTIONS = ("socket_sessions_max", "door_arrivals", "door_concurrency")
"""The settings that say how many connections there may be, in sum."""


def connections_of(settings: Settings) -> int:
    """Return how many connections the doors and sockets take."""
    return sum(getattr(settings, name) for name in CONNECTIONS)


def fitted(settings: Settings) -> Settings:
    """Return settings of which the connections fit the files that the system lets this process open.

    The process's own limit is raised as far as it may be; if that is too little, each kind gives up its share: else
    one kind, a crowd of slow senders, would take the connections of all.
    """
    wanted = connections_of(settings)
    allowed = _open_files(wanted + SPARE_CONNECTIONS + SPARE_FILES)
    share = (allowed - SPARE_CONNECTIONS - SPARE_FILES) / wanted
    if share >= 1:
        return settings
    fewer = {name: max(1, int(getattr(settings, name) * share)) for name in CONNECTIONS}
    log.warning(logged.LIMITS_LOWERED, open_files=allowed, **fewer)
    return structs.replace(settings, **fewer)


def _open_files(wanted: int) -> int:
    """Return how many of the wanted files this process may open, after asking the system for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed, most = (wanted if each == resource.RLIM_INFINITY else each for each in (soft, hard))
    if allowed < min(wanted, most):
        allowed = min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return min(wanted, allowed)


class Complaints:
    """Hears of the loop's errors; that files are lacking, which every refused connection says, is told now and then."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def hear(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell of an error, as the loop's exception handler."""
        error = context.get("exception")
        if "socket" not in context or getattr(error, "errno", None) not in LACKING:
            loop.default_exception_handler(context)
        elif time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + COMPLAINT_SECONDS
            log.error(logged.FILES_LACKING, cause=str(error))


class DoorServer(uvicorn.Server):
    """uvicorn inside our own loop: signals are ours. `listening` is set once its doors are open."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(Complaints().hear)
        await super().startup(sockets)
        for each in sockets or []:
            each.listen(LISTEN_BACKLOG)
        self.listening.set()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def door_server(app: Any, settings: Settings) -> DoorServer:
    """Return the server of an application with every limit set."""
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    most = connections_of(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http=impatient(settings.door_timeout_seconds, most),
        ws=frames.counting(settings.chat_messages_per_minute),
        ws_max_size=settings.body_max_bytes,
        ws_ping_interval=SOCKET_PING_SECONDS,
        ws_ping_timeout=SOCKET_PING_SECONDS,
        ws_per_message_deflate=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=most + SPARE_CONNECTIONS,
        backlog=ACCEPTED_AT_ONCE,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=HEAD_MAX_BYTES,
    )
    return DoorServer(config)
