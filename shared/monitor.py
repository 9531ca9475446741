"""What a process tells of itself over HTTP: `/livez`, `/readyz`, `/metrics` (docs/adr/0078).

A listener of its own, for whoever runs the services. The loop that does the work answers: one that is frozen answers
nothing. Each request has a connection, a size and a time, so that nobody keeps the probes out for long.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple

import structlog

from shared import errors, listening, metrics, problems
from shared.clock import Clock, SystemClock
from shared.readiness import Health, Readiness
from shared.settings import Settings

HEAD_MAX_BYTES = 8_192
ANSWER_SECONDS = 5.0
CONNECTIONS_MAX = 64
NAMES = "TELLONCE_MONITOR_HOST and TELLONCE_MONITOR_PORT"
GONE = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""Whoever asked went away, was too slow, or asked for too much."""

log = structlog.get_logger("monitor")


class _Answer(NamedTuple):
    status: int
    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"


class Monitor:
    """Answers about one process: what `ops.<service>.health` tells. `measures`: look at what else is shown."""

    def __init__(
        self,
        settings: Settings,
        readiness: Readiness,
        measures: Sequence[Callable[[], None]] = (),
        clock: Clock | None = None,
    ) -> None:
        self._place = settings.monitor_host, settings.monitor_port
        self._readiness = readiness
        self._measures = measures
        self._clock = clock or SystemClock()
        self._open = 0

    async def run(self) -> None:
        """Answer until cancelled. Raises: SettingInvalid where the address cannot be bound."""
        with contextlib.closing(listening.bound_socket(*self._place, NAMES)) as bound:
            server = await asyncio.start_server(self._serve, sock=bound, limit=HEAD_MAX_BYTES)
            log.info("monitor_opened", address=listening.address(bound))
            async with server:
                await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        self._open += 1
        try:
            with contextlib.suppress(*GONE):
                async with asyncio.timeout(ANSWER_SECONDS if self._open <= CONNECTIONS_MAX else 0):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(_written(head, await self._answer(head)))
                    await writer.drain()
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, head: bytes) -> _Answer:
        method, _, rest = head.partition(b" ")
        if method not in {b"GET", b"HEAD"}:
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        match rest.partition(b" ")[0].partition(b"?")[0]:
            case b"/livez" if self._readiness.stalled:
                return _refused(errors.ServiceStalled())
            case b"/livez":
                return _Answer(HTTPStatus.OK, b"alive\n")
            case b"/readyz" if not self._readiness.ready:
                troubles = self._readiness.troubles
                return _refused(errors.ServiceNotReady(), troubles=troubles)
            case b"/readyz":
                return _Answer(HTTPStatus.OK, b"ready\n")
            case b"/metrics":
                _measure(await self._readiness.health("", b""), self._clock.now())
                for measure in self._measures:
                    measure()
                return _Answer(HTTPStatus.OK, metrics.exposition(), metrics.MEDIA_TYPE)
        return _Answer(HTTPStatus.NOT_FOUND)


def _refused(error: errors.TellonceError, **more: object) -> _Answer:
    return _Answer(error.http_status, problems.body(error, **more), problems.MEDIA_TYPE)


def _written(head: bytes, answer: _Answer) -> bytes:
    status = HTTPStatus(answer.status)
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {answer.media_type}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    body = b"" if head.startswith(b"HEAD ") else answer.body
    return "\r\n".join([*lines, "", ""]).encode() + body


def _measure(health: Health, now: datetime) -> None:
    """Show what a service says of itself."""

    def seconds(since: datetime) -> float:
        return max(0.0, (now - since).total_seconds())

    waiting = health.backlog
    metrics.READY.set(float(health.ready))
    metrics.TROUBLES.replace(Counter((each.code,) for each in health.troubles))
    lanes = waiting.undecided
    metrics.UNDECIDED.replace({(lane,): each.contact_events for lane, each in lanes.items()})
    metrics.UNDECIDED_OLDEST.replace(
        {(lane,): seconds(each.oldest) for lane, each in lanes.items()}
    )
    unsent = waiting.oldest_unsent
    metrics.UNSENT_OLDEST.set(None if unsent is None else seconds(unsent))
    metrics.LAG.set(waiting.lag_events)
    metrics.PARKED.set(waiting.parked)
