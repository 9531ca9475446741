"""Hands messages to providers' HTTP APIs: no other file of notify opens a web connection.

The two steps of a message (ADR 0014): the connection is opened first, for a provider that cannot be reached has no
copy; the request is the last step. An answer decides; a connection that ends without one leaves a doubt. A connection
serves one request: a server that closes an idle one would look as if it had lost what was asked.
A provider that asks to slow down (RFC 6585, section 4) has not taken the message, and may be asked again after the
seconds that it names.
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
PAUSE_MAX_SECONDS = 30.0
"""Of the pause that a provider asks for: who names a day is not waited for."""

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
        self._retry_after: float | None = None

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
        self._retry_after = _retry_after_seconds(response.headers)
        return HttpAnswer(status=response.status, body=bytes(body[:ANSWER_MAX_BYTES]))

    async def again(self, pause_seconds: float) -> bool:
        """See `Transaction.again`: on a new connection."""
        await self.leave()
        asked = self._retry_after
        await asyncio.sleep(pause_seconds if asked is None else min(asked, PAUSE_MAX_SECONDS))
        await self.begin()
        return True

    async def leave(self) -> None:
        """Close the connection: it serves one request."""
        if self._connection is not None:
            with contextlib.suppress(*_FAILURES):
                await self._connection.aclose()
            self._connection = None


def _retry_after_seconds(headers: list[tuple[bytes, bytes]]) -> float | None:
    asked = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return float(asked) if asked.isdigit() else None
