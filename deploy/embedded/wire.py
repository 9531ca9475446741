"""The part of the NATS client protocol that a supervisor and a command line need: a request and its reply.

No driver is imported: the stack can be watched and asked without the services' libraries.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from urllib.parse import unquote, urlsplit

from deploy.embedded.errors import AddressInvalid
from shared.bus_address import BusAddress, Endpoint, Line, opened
from shared.errors import SettingInvalid

NAME = "tellonce-wire"
DEFAULT_NATS_PORT = 4222
SCHEMES = ("nats", "tls")
MAX_REPLY_BYTES = 8 * 1024 * 1024
NOT_NATS = "the address of the NATS server is not of the form nats://host:port"


class NotReached(Exception):
    """The server, or whoever should answer, gave no reply: refused, closed, timed out or nobody listening."""


def parse_url(url: str) -> Endpoint:
    """The endpoint in `nats://[user:password@]host[:port]`, or `tls://…`; of a comma-separated list, the first.

    Raises: AddressInvalid for another scheme, a missing host or a port that is none.
    """
    try:
        parts = urlsplit(url.split(",", maxsplit=1)[0].strip())
        host, port = parts.hostname, parts.port or DEFAULT_NATS_PORT
    except ValueError as error:
        raise AddressInvalid(NOT_NATS) from error
    if parts.scheme not in SCHEMES or not host:
        raise AddressInvalid(NOT_NATS)
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Endpoint(host=host, port=port, user=user, password=password)


async def greeting(address: BusAddress | str, *, timeout_seconds: float) -> Mapping[str, object]:
    """What the server there says of itself: `server_name`, and `server_id` of this run of it. Raises: NotReached."""
    async with _reached(address, "", timeout_seconds) as line:
        return line.said


async def request(
    address: BusAddress | str, subject: str, payload: bytes = b"", *, timeout_seconds: float
) -> bytes:
    """The first reply to one request.

    Raises: NotReached after `timeout_seconds`, without a server, when nobody listens on the subject, or the server does
    not let us ask.
    """
    async with _reached(address, subject, timeout_seconds) as line:
        inbox = line.new_inbox()
        head = f"SUB {inbox} 1\r\nUNSUB 1 1\r\nPUB {subject} {inbox} {len(payload)}\r\n"
        line.writer.write(head.encode() + payload + b"\r\n")
        await line.writer.drain()
        return await _read_reply(line)


@contextlib.asynccontextmanager
async def _reached(
    address: BusAddress | str, subject: str, timeout_seconds: float
) -> AsyncIterator[Line]:
    """Give a connection for one exchange. Raises: NotReached when it takes longer, or comes to nothing."""
    address = BusAddress.of(address)
    endpoint = parse_url(address.url)
    try:
        async with asyncio.timeout(timeout_seconds):
            line = await opened(endpoint, address, NAME)
            try:
                yield line
            finally:
                line.writer.close()
    except (OSError, TimeoutError, EOFError, ValueError) as error:
        raise NotReached(f"{subject or endpoint.host}: {type(error).__name__}") from error
    except SettingInvalid as error:
        raise NotReached(f"{error}") from error


async def _read_reply(line: Line) -> bytes:
    while True:
        words = (await line.reader.readuntil(b"\r\n")).decode().split()
        match words[0] if words else "":
            case "PING":
                line.writer.write(b"PONG\r\n")
            case "MSG":
                return await _read_body(line.reader, int(words[-1]))
            case "HMSG":
                header_bytes, total_bytes = int(words[-2]), int(words[-1])
                body = await _read_body(line.reader, total_bytes)
                if body.startswith(b"NATS/1.0 503"):
                    raise NotReached("nobody listens on the subject")
                return body[header_bytes:]
            case "-ERR":
                raise NotReached(" ".join(words[1:]))
            case _:
                continue


async def _read_body(reader: asyncio.StreamReader, size_bytes: int) -> bytes:
    if size_bytes > MAX_REPLY_BYTES:
        raise NotReached("the reply is too large")
    body = await reader.readexactly(size_bytes + 2)
    return body[:-2]
