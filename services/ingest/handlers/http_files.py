"""Fetches from providers, files and lists: no other file of ingest opens a web connection.

A name is resolved here, each of its numbers is judged, and the connection goes to a number that was judged: a name that
resolves otherwise a moment later changes nothing. A connection serves one request.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore

from services.ingest.domain.fetching import (
    FileAnswer,
    FileRequest,
    Networks,
    Unfetchable,
    is_named,
    may_be_called,
)
from shared import VERSION, addresses
from shared.settings import Settings, attachment_networks

CONNECT_TIMEOUT_SECONDS = 10.0
REDIRECTS_MAX = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PORTS = {"http": 80, "https": 443}

GONE = frozenset({404, 410})
PASSING = frozenset({401, 403, 408, 425, 429})
"""Refusals that end: of a secret that is being changed, and of too many requests. So do all of the server's own."""

_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError)


class HttpFiles:
    """Asks providers.

    `trusted`: our own networks that may be asked; `max_bytes`: of a file; `gateway`: see `addresses.through`. Where one
    stands between us and the providers, it alone is called.
    """

    def __init__(
        self, trusted: Networks, max_bytes: int, timeout_seconds: float, gateway: str = ""
    ) -> None:
        self._gateway = gateway
        self._trusted = trusted
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds
        self._tls = ssl.create_default_context()

    async def get(self, asked: FileRequest, hosts: Sequence[str]) -> FileAnswer:
        """Return the answer of one of the hosts. Raises: Unfetchable."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._followed(asked, hosts)
        except (*_FAILURES, httpcore.ConnectionNotAvailable) as error:  # TimeoutError is an OSError
            raise Unfetchable("unreachable", passing=True) from error
        except ValueError as error:
            raise Unfetchable("address_refused") from error

    async def _followed(self, asked: FileRequest, hosts: Sequence[str]) -> FileAnswer:
        url, secret = asked.url, asked.secret
        for _ in range(REDIRECTS_MAX + 1):
            parts = urlsplit(url)
            if parts.scheme not in PORTS or not is_named(parts.hostname or "", hosts):
                raise Unfetchable("address_refused")
            called = addresses.through(self._gateway, url)
            async with self._connected(urlsplit(called)) as connection:
                found = await _asked(connection, called, secret, self._max_bytes)
            if isinstance(found, FileAnswer):
                return found
            url = urljoin(url, found)
            if urlsplit(url).netloc != parts.netloc:
                secret = {}
        raise Unfetchable("redirected_too_often")

    @contextlib.asynccontextmanager
    async def _connected(self, parts: SplitResult) -> AsyncIterator[httpcore.AsyncHTTP11Connection]:
        """Open a connection to a number that may be called. Raises: Unfetchable."""
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        numbers = await self._callable_numbers(host, port, encrypted=parts.scheme == "https")
        stream = await _reached(numbers, port)
        if parts.scheme == "https":
            stream = await stream.start_tls(
                self._tls, server_hostname=host, timeout=CONNECT_TIMEOUT_SECONDS
            )
        origin = httpcore.Origin(parts.scheme.encode(), host.encode(), port)
        connection = httpcore.AsyncHTTP11Connection(origin, stream)
        try:
            yield connection
        finally:
            with contextlib.suppress(*_FAILURES):
                await connection.aclose()

    async def _callable_numbers(self, host: str, port: int, *, encrypted: bool) -> list[str]:
        """Return the addresses of a host, IPv4 first. Raises: Unfetchable when one of them may not be called."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except (socket.gaierror, UnicodeError) as error:
            raise Unfetchable("unreachable", passing=True) from error
        numbers = sorted({str(each[4][0]) for each in found}, key=lambda each: (":" in each, each))
        for number in numbers:
            judged = self._gateway or may_be_called(
                ip_address(number), self._trusted, encrypted=encrypted
            )
            if not judged:
                raise Unfetchable("address_refused")
        return numbers


def of(settings: Settings, max_bytes: int) -> HttpFiles:
    """Return whoever asks providers as the settings have it. `max_bytes`: of an answer."""
    networks, seconds = attachment_networks(settings), settings.attachment_timeout_seconds
    return HttpFiles(networks, max_bytes, seconds, settings.providers_url)


async def _reached(numbers: Sequence[str], port: int) -> httpcore.AsyncNetworkStream:
    """Return a connection to the first of the numbers that answers. Raises: what the last one raised."""
    backend = httpcore.AnyIOBackend()
    for number in numbers[:-1]:
        with contextlib.suppress(*_FAILURES):
            return await backend.connect_tcp(number, port, timeout=CONNECT_TIMEOUT_SECONDS)
    return await backend.connect_tcp(numbers[-1], port, timeout=CONNECT_TIMEOUT_SECONDS)


async def _asked(
    connection: httpcore.AsyncHTTP11Connection, url: str, secret: Mapping[str, str], max_bytes: int
) -> FileAnswer | str:
    """Return the answer, or where it leads. Raises: Unfetchable."""
    fields = [
        ("host", urlsplit(url).netloc.rpartition("@")[2]),
        ("user-agent", f"tellonce/{VERSION}"),
        ("accept-encoding", "identity"),
        *secret.items(),
    ]
    async with connection.stream("GET", url, headers=fields) as response:
        said = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        _check_status(response.status)
        if response.status in REDIRECTS:
            return said.get(b"location", "")
        length = said.get(b"content-length", "")
        if length.isdigit() and int(length) > max_bytes:
            raise Unfetchable("too_large")
        body = bytearray()
        async for piece in response.aiter_stream():
            if len(body) + len(piece) > max_bytes:
                raise Unfetchable("too_large")
            body += piece
    return FileAnswer(bytes(body), said.get(b"content-type", "").partition(";")[0].strip().lower())


def _check_status(status: int) -> None:
    """Raises: Unfetchable for what is neither the file nor the way to it."""
    if status in GONE:
        raise Unfetchable("gone")
    if status in PASSING or status >= 500:
        raise Unfetchable("unavailable", passing=True, status=status)
    if status != 200 and status not in REDIRECTS:
        raise Unfetchable("refused")
