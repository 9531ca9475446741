"""The web server, bounded in every direction: connections, headers, frames, and the time to send them.

uvicorn waits for ever for a request's head; the protocol here does not (slow loris).
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any, ClassVar

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.settings import Settings

HEAD_MAX_BYTES = 32_768
KEEP_ALIVE_SECONDS = 5
STOP_SECONDS = 2
SOCKET_PING_SECONDS = 20.0
LISTEN_BACKLOG = 512
SPARE_CONNECTIONS = 64
"""Connections beyond the doors' and the sockets': health checks, and those that are just ending."""


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket's address taken; port 0 takes a free one. Raises: OSError when it is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def address(bound: socket.socket) -> str:
    """Return `http://host:port` of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class ImpatientProtocol(H11Protocol):
    """HTTP that closes a connection whose request head does not come within `head_seconds`.

    Each time a head is awaited a clock runs; a head that came whole stops it.
    """

    head_seconds: ClassVar[float]
    _clock: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wind_up()

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wind_up()

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
            self._clock = self.loop.call_later(self.head_seconds, self._give_up)

    def _awaits_head(self) -> bool:
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return False
        cycle: Any = self.cycle  # none before the first request, whatever uvicorn declares
        return cycle is None or bool(cycle.response_complete)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _give_up(self) -> None:
        self._clock = None
        if self._awaits_head():
            self.transport.close()


def impatient(head_seconds: float) -> type[ImpatientProtocol]:
    """Return the protocol with its patience set: uvicorn makes one per connection and passes no settings."""
    return type("Impatient", (ImpatientProtocol,), {"head_seconds": head_seconds})


class DoorServer(uvicorn.Server):
    """uvicorn inside our own loop: signals are ours. `listening` is set once its doors are open."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def door_server(app: Any, settings: Settings) -> DoorServer:
    """Return the server of an application with every limit set."""
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http=impatient(settings.door_timeout_seconds),
        ws="websockets-sansio",
        ws_max_size=settings.body_max_bytes,
        ws_ping_interval=SOCKET_PING_SECONDS,
        ws_ping_timeout=SOCKET_PING_SECONDS,
        ws_per_message_deflate=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=(
            settings.socket_sessions_max + settings.door_concurrency + SPARE_CONNECTIONS
        ),
        backlog=LISTEN_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=HEAD_MAX_BYTES,
    )
    return DoorServer(config)
