"""The web server, bounded in every direction: connections, headers, frames, and the time to send them.

uvicorn waits for ever for a request's head; the protocol here does not (slow loris), and where connections run out,
the one that has waited longest with its head makes room.
"""

import asyncio
import contextlib
import errno
import logging
import re
import resource
import socket
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import httptools
import structlog
import uvicorn
from msgspec import structs
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.ingest.handlers import frames, logged, problems
from shared import errors
from shared.settings import Settings

HEAD_MAX_BYTES = 32_768
FIELD_BYTES = len(b": " + b"\r\n")
PIPELINED_MAX = 16
"""So many requests may wait behind one that is being answered; who sends more is closed on."""
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
FRAMING = (b"host", b"transfer-encoding")
READABLE = frozenset({("1.1", 1, b""), ("1.1", 1, b"chunked"), ("1.0", 1, b""), ("1.0", 0, b"")})
"""Version, number of hosts, coding of the body: others would be read otherwise by a proxy, or not be decoded here."""
COMPLAINT_SECONDS = 60.0
"""How long a lack of files is not told again."""
LACKING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Why a connection cannot be taken although somebody asks for it."""

_ABSOLUTE_FORM = re.compile(rb"https?://[^/?@]+", re.IGNORECASE)

log = structlog.get_logger("ingest")


class ImpatientProtocol(HttpToolsProtocol):
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
    _unread_bytes = 0
    """What came since a head, a piece of a body or a request was read: the parser keeps it, and bounds nothing."""

    @override
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.connections_max and self.awaited:
            next(iter(self.awaited)).give_up()
        elif len(self.connections) > self.connections_max + SPARE_CONNECTIONS:
            transport.abort()
        self._wind_up()

    @override
    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._unread_bytes += len(data)
        try:
            self.parser.feed_data(data)
            if self._unread_bytes > HEAD_MAX_BYTES:
                self._refuse(errors.HeadTooLarge())
        except httptools.HttpParserUpgrade as upgrade:
            if not self._should_upgrade():
                self._stay(data[upgrade.args[0] :])
            elif self._answers():
                self._refuse(errors.RequestUnreadable())
            else:
                self.handle_websocket_upgrade()
        except httptools.HttpParserError as error:
            ours = error.__context__  # what was raised while the parser called us
            self._refuse(
                ours if isinstance(ours, errors.TellonceError) else errors.RequestUnreadable()
            )
        self._wind_up()

    def _stay(self, rest: bytes) -> None:
        """Read a request that offers another protocol (h2c) as if it did not: the parser reads no body of one."""
        fields = [b"%s: %s\r\n" % each for each in self.headers if each[0] != b"upgrade"]
        line = b"%s %s HTTP/1.1\r\n" % (self.parser.get_method(), self.url)
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"".join([line, *fields, b"\r\n", rest]))

    @override
    def on_message_begin(self) -> None:
        """Raises: RequestUnreadable for one too many."""
        if len(self.pipeline) >= PIPELINED_MAX:
            raise errors.RequestUnreadable
        super().on_message_begin()

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field, but none that comes behind a body."""
        scope: Any = self.scope  # whole when its head is
        if "method" not in scope:
            super().on_header(name, value.rstrip(b" \t"))

    @override
    def on_headers_complete(self) -> None:
        """Raises: HeadTooLarge, RequestUnreadable for what the parser lets pass."""
        self._unread_bytes = 0
        sizes = (len(name) + len(value) + FIELD_BYTES for name, value in self.headers)
        if len(self.url) + sum(sizes) > HEAD_MAX_BYTES:
            raise errors.HeadTooLarge
        version = self.parser.get_http_version()
        hosts, codings = ([v for name, v in self.headers if name == n] for n in FRAMING)
        if (version, len(hosts), b",".join(codings).lower()) not in READABLE:
            raise errors.RequestUnreadable
        if self.parser.get_method() == b"CONNECT":
            raise errors.RequestUnreadable
        self.expect_100_continue &= version != "1.0"
        self.url = _in_origin_form(self.url)
        if not self.parser.should_upgrade() or self._should_upgrade():
            super().on_headers_complete()

    @override
    def on_body(self, body: bytes) -> None:
        self._unread_bytes = 0
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self._unread_bytes = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _refuse(self, error: errors.TellonceError) -> None:
        """Answer what cannot be read, and end the connection; what came whole before it is answered first."""
        self._refused = True
        if not self._answers():
            problems.refuse(self.transport, error)
        elif not self.cycle.more_body:
            self.cycle.keep_alive = False
        elif self.cycle.response_started or self.pipeline:
            self.transport.close()
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            problems.refuse(self.transport, error)

    def _answers(self) -> bool:
        """Tell whether a request is being answered."""
        cycle: Any = self.cycle  # none before the first request, whatever uvicorn declares
        return cycle is not None and not cycle.response_complete

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wind_up()

    @override
    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Keep the connection of who has said all, and sends no more, until that is answered."""
        if not self._answers() or self.cycle.more_body:
            return False
        self.cycle.keep_alive = False
        return True

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
        return self.transport.get_protocol() is self and not self._answers()

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


def _in_origin_form(target: bytes) -> bytes:
    """Return a target that is a path; a proxy may send the whole address (RFC 9112, section 3.2.2).

    Raises: RequestUnreadable.
    """
    whole = _ABSOLUTE_FORM.match(target)
    path = target[whole.end() :] or b"/" if whole else target
    if not path.startswith(b"/") or b"#" in path:
        raise errors.RequestUnreadable
    return path


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
    )
    return DoorServer(config)
