"""Hands messages to providers' HTTP APIs: no other file of notify opens a web connection.

The two steps of a message (ADR 0014): the connection is opened first, for a provider that cannot be reached has no
copy; the request is the last step. An answer decides; a connection that ends without one leaves a doubt. A connection
serves one request: a server that closes an idle one would look as if it had lost what was asked.
A provider that asks to slow down (RFC 6585, section 4) has not taken the message: it is asked again, a few times.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpcore
import msgspec

from services.notify.carriers import NotTaken, Transaction, Unanswered
from services.notify.domain.messages import Unsendable
from services.notify.domain.web import HttpAnswer, HttpRequest, unwritable
from shared import addresses

NAME = "http"
CONNECT_TIMEOUT_SECONDS = 10.0
ANSWER_TIMEOUT_SECONDS = 30.0
ANSWER_MAX_BYTES = 262_144
PORTS = {"http": 80, "https": 443}
TOO_MANY_REQUESTS = 429
TRIES_MAX = 4
PAUSE_SECONDS = 1.0
PAUSE_MAX_SECONDS = 10.0

_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError)


class HttpCarrier:
    """The carrier of messages to HTTP APIs. `gateway`: see `addresses.through`."""

    def __init__(self, gateway: str = "") -> None:
        self._gateway = gateway
        self._tls = ssl.create_default_context()

    @contextlib.asynccontextmanager
    async def transaction(self, request: HttpRequest) -> AsyncIterator[Transaction]:
        """See `Carrier.transaction`: the open connection."""
        reason = unwritable(request)
        if reason is not None:
            raise Unsendable(reason)
        url = addresses.through(self._gateway, request.url)
        transaction = _HttpTransaction(msgspec.structs.replace(request, url=url), self._tls)
        await transaction.begin()
        try:
            yield transaction
        finally:
            await transaction.leave()


class _HttpTransaction:
    def __init__(self, request: HttpRequest, tls: ssl.SSLContext) -> None:
        self._request = request
        self._tls = tls
        self._connection: httpcore.AsyncHTTP11Connection | None = None

    async def begin(self) -> None:
        """Connect. Raises: NotTaken."""
        parts = urlsplit(self._request.url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        backend, wait = httpcore.AnyIOBackend(), CONNECT_TIMEOUT_SECONDS
        try:
            stream = await backend.connect_tcp(host, port, timeout=wait)
            if parts.scheme == "https":
                stream = await stream.start_tls(self._tls, server_hostname=host, timeout=wait)
        except _FAILURES as error:
            raise NotTaken() from error
        origin = httpcore.Origin(parts.scheme.encode(), host.encode(), port)
        self._connection = httpcore.AsyncHTTP11Connection(origin, stream)

    async def commit(self) -> HttpAnswer:
        """See `Transaction.commit`: the request, and its answer."""
        for attempt in range(1, TRIES_MAX + 1):
            answer, pause_seconds = await self._ask()
            if answer.status != TOO_MANY_REQUESTS or attempt == TRIES_MAX:
                return answer
            await self.leave()
            await asyncio.sleep(min(pause_seconds, PAUSE_MAX_SECONDS))
            await self.begin()
        raise AssertionError("the last attempt returns or raises")

    async def _ask(self) -> tuple[HttpAnswer, float]:
        """Return the answer and after how long the provider wants to be asked again. Raises: Unanswered."""
        assert self._connection is not None
        request, body = self._request, bytearray()
        host = urlsplit(request.url).netloc.rpartition("@")[2]
        fields = [("host", host), ("content-length", str(len(request.body)))]
        fields += request.headers.items()
        try:
            async with (
                asyncio.timeout(ANSWER_TIMEOUT_SECONDS),
                self._connection.stream(
                    request.method, request.url, headers=fields, content=request.body
                ) as response,
            ):
                async for piece in response.aiter_stream():
                    body += piece
                    if len(body) > ANSWER_MAX_BYTES:
                        break
        except (*_FAILURES, httpcore.ConnectionNotAvailable) as error:
            raise Unanswered() from error
        answer = HttpAnswer(status=response.status, body=bytes(body[:ANSWER_MAX_BYTES]))
        return answer, _pause_seconds(response.headers)

    async def leave(self) -> None:
        """Close the connection: it serves one request."""
        if self._connection is not None:
            with contextlib.suppress(*_FAILURES):
                await self._connection.aclose()
            self._connection = None


def _pause_seconds(headers: list[tuple[bytes, bytes]]) -> float:
    asked = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return float(asked) if asked.isdigit() else PAUSE_SECONDS
