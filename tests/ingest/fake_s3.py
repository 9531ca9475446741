"""An S3 store on loopback that has bad days: each request is answered as a test says."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from deploy.embedded.ports import free_ports
from services.ingest.handlers.s3 import S3Address

Writer = asyncio.StreamWriter
Day = Callable[["FakeS3", str, bytes, Writer], Coroutine[Any, Any, None]]
_RANGE = re.compile(rb"range: bytes=(\d+)-", re.IGNORECASE)


@dataclass
class FakeS3:
    """`objects`: by path; `days`: how the next requests are answered, then all are served; `asked`: what came."""

    address: S3Address
    objects: dict[str, bytes] = field(default_factory=dict)
    days: list[Day] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        """Answer one request and hang up."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1]) if length else 0)
            method, path, _ = head.decode().split(" ", 2)
            from_byte = _RANGE.search(head)
            self.asked.append(f"{method} {int(from_byte[1]) if from_byte else 0}")
            if method == "PUT":
                self.objects[path] = body
            day = self.days.pop(0) if self.days else good
            await day(self, path, head, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def good(store: FakeS3, path: str, head: bytes, writer: Writer) -> None:
    """What was stored, from the byte that is asked for."""
    content = b"" if head.startswith(b"PUT") else store.objects[path]
    from_byte = _RANGE.search(head)
    rest = content[int(from_byte[1]) if from_byte else 0 :]
    status = 206 if from_byte else 200
    writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(rest)}\r\n\r\n".encode() + rest)


async def slow_down(_: FakeS3, __: str, ___: bytes, writer: Writer) -> None:
    """As S3 asks to be asked less often."""
    body = b"<Error><Code>SlowDown</Code></Error>"
    writer.write(b"HTTP/1.1 503 X\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


async def hang_up(_: FakeS3, __: str, ___: bytes, writer: Writer) -> None:
    """A connection that ends without an answer."""
    writer.close()


async def silent(_: FakeS3, __: str, ___: bytes, ____: Writer) -> None:
    """No answer for longer than anybody waits."""
    await asyncio.sleep(60)  # the fault itself


async def half(store: FakeS3, path: str, head: bytes, writer: Writer) -> None:
    """A file that breaks off in its middle."""
    from_byte = _RANGE.search(head)
    rest = store.objects[path][int(from_byte[1]) if from_byte else 0 :]
    status = b"206" if from_byte else b"200"
    writer.write(b"HTTP/1.1 %s X\r\ncontent-length: %d\r\n\r\n" % (status, len(rest)))
    writer.write(rest[: len(rest) // 2])


async def rangeless(store: FakeS3, path: str, _: bytes, writer: Writer) -> None:
    """All of a file, whatever part of it was asked for (RFC 9110, section 14.2)."""
    body = store.objects[path]
    writer.write(b"HTTP/1.1 200 X\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


async def elsewhere(store: FakeS3, path: str, _: bytes, writer: Writer) -> None:
    """Another part than was asked for."""
    body = store.objects[path][:-1]
    writer.write(b"HTTP/1.1 206 X\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


async def endless(store: FakeS3, path: str, _: bytes, writer: Writer) -> None:
    """All of a file in one piece, without the end of the answer."""
    body = store.objects[path]
    writer.write(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n")
    writer.write(b"%x\r\n%s\r\n" % (len(body), body))


async def too_much(store: FakeS3, path: str, _: bytes, writer: Writer) -> None:
    """More than was stored."""
    body = store.objects[path] * 64
    writer.write(b"HTTP/1.1 200 X\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


@asynccontextmanager
async def fake_s3() -> AsyncIterator[FakeS3]:
    """A running store."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/files"
    fake = FakeS3(S3Address(url, "us-east-1", "a-key", "a-secret-of-the-store"))
    server = await asyncio.start_server(fake.serve, "127.0.0.1", port)
    try:
        yield fake
    finally:
        server.close()
