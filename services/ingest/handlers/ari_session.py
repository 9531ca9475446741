"""A connection to an exchange's REST interface (ARI): its events by a WebSocket, its channels and bridges by HTTP.

Sources: the exchange's documentation, "Events REST API", "Channels REST API", "Bridges REST API", from memory; tried
with a real one in 2026-11 (docs/adr/0049). An application that subscribes to all is told of every channel, also of
those that never enter it.
"""

import asyncio
import codecs
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpcore
import msgspec
from typing_extensions import override
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from services.ingest.domain import pbx_memory, pbx_stream
from services.ingest.domain.fetching import basic
from services.ingest.domain.pbx_memory import RawRecord
from services.ingest.handlers import exchange_session
from services.ingest.handlers.exchange_session import ExchangeSession
from shared import codec, errors
from shared.clock import Clock
from shared.exchange_address import ExchangeAddress

EVENT_MAX_BYTES = 262_144
LIST_MAX_BYTES = 8_388_608
TOO_LARGE = 1009
"""The code with which we end a connection that sends more than is taken (RFC 6455)."""
REFUSED = frozenset({401, 403})


class AriSession(ExchangeSession):
    """Subscribed to all events of an exchange."""

    codec = pbx_memory.ARI

    def __init__(
        self,
        socket: ClientConnection,
        address: ExchangeAddress,
        secret: dict[str, str],
        clock: Clock,
    ) -> None:
        super().__init__(clock)
        self._socket = socket
        self._address = address
        self._secret = secret
        self._tasks = [asyncio.create_task(self._read())]

    @override
    async def present(self) -> Sequence[RawRecord] | None:
        channels, bridges = await self._list("channels"), await self._list("bridges")
        if channels is None or bridges is None:
            return None
        legs = sorted(
            channels, key=lambda each: (str(each.get("creationtime")), str(each.get("id")))
        )
        found = [_piece(pbx_memory.CHANNEL, {"channel": each}) for each in legs]
        found += [_piece(pbx_memory.BRIDGE, {"bridge": each}) for each in bridges]
        return [each for each in found if each is not None]

    @override
    async def close(self) -> None:
        await self._end_tasks()
        self._socket.transport.abort()

    async def _list(self, kind: str) -> list[dict[str, Any]] | None:
        """Return what there is of a kind; `None` where our user may not ask."""
        url = f"{self._address.base}/{kind}"
        try:
            async with asyncio.timeout(exchange_session.TIMEOUT_SECONDS):
                status, body = await self._got(url)
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
            raise errors.ProviderUnavailable(cause=type(error).__name__) from error
        except httpcore.ProtocolError as error:
            raise errors.ProviderNotUnderstood(cause=kind) from error
        if status in REFUSED:
            return None
        if status != 200:
            raise errors.ProviderUnavailable(cause=f"http_{status}")
        return _objects(body, kind)

    async def _got(self, url: str) -> tuple[int, bytes]:
        async with (
            httpcore.AsyncConnectionPool(ssl_context=_context(self._address)) as pool,
            pool.stream("GET", url, headers=list(self._secret.items())) as answer,
        ):
            body = bytearray()
            async for part in answer.aiter_stream():
                body += part
                if len(body) > LIST_MAX_BYTES:
                    raise errors.ProviderNotUnderstood(cause="list_too_large")
            return answer.status, bytes(body)

    async def _read(self) -> None:
        """Take what comes, until the connection breaks: `_failure` says how."""
        try:
            async for message in self._socket:
                self.heard = self._clock.now()
                raw = message.encode() if isinstance(message, str) else message
                piece = event_of(raw)
                if piece is not None:
                    self._came(piece)
                await self._room()
            self._fail(errors.ProviderUnavailable(cause="ended"))
        except ConnectionClosed as error:
            ours = error.sent is not None and error.sent.code == TOO_LARGE
            broken = errors.ProviderNotUnderstood if ours else errors.ProviderUnavailable
            self._fail(broken(cause="record_too_large" if ours else "ended"))


async def opened(address: ExchangeAddress, user: str, password: str, clock: Clock) -> AriSession:
    """Connect and subscribe. Raises: ProviderUnavailable, ProviderRefused, ProviderNotUnderstood."""
    secret = basic(user, password)
    url = f"ws{address.base.removeprefix('http')}/events?app={quote(address.application)}&subscribeAll=true"
    try:
        socket = await connect(
            url,
            additional_headers=secret,
            open_timeout=exchange_session.TIMEOUT_SECONDS,
            ping_interval=exchange_session.SILENCE_SECONDS,
            ping_timeout=exchange_session.TIMEOUT_SECONDS,
            max_size=EVENT_MAX_BYTES,
            proxy=None,
            ssl=_context(address),
        )
    except InvalidStatus as error:
        status = error.response.status_code
        if status in REFUSED:
            raise errors.ProviderRefused(cause="login") from error
        raise errors.ProviderUnavailable(cause=f"http_{status}") from error
    except (OSError, TimeoutError) as error:
        raise errors.ProviderUnavailable(cause=type(error).__name__) from error
    except WebSocketException as error:
        raise errors.ProviderNotUnderstood(cause="greeting") from error
    return AriSession(socket, address, secret, clock)


def _context(address: ExchangeAddress) -> ssl.SSLContext | None:
    return ssl.create_default_context() if address.encrypted else None


def event_of(raw: bytes) -> RawRecord | None:
    """Return an event with its bytes on one line, of which a delivery holds many; `None` for what is none.

    What is written otherwise than ARI writes would take the other lines of its delivery with it.
    """
    line = b" ".join(raw.removeprefix(codecs.BOM_UTF8).splitlines()).strip()
    record = pbx_stream.object_of(line) if _is_utf8(line) else None
    return None if record is None else RawRecord(record, line + b"\n")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _piece(name: str, about: dict[str, Any]) -> RawRecord | None:
    raw = msgspec.json.encode({"type": name, **about}) + b"\n"
    record = pbx_stream.object_of(raw)
    return None if record is None else RawRecord(record, raw)


def _objects(body: bytes, kind: str) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(body, type=list[dict[str, Any]])
    except codec.UNREADABLE as error:
        raise errors.ProviderNotUnderstood(cause=kind) from error
