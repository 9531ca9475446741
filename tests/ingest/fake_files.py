"""A provider that keeps files, on loopback: each path answers as a test says."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from deploy.embedded.ports import free_ports

Answer = Callable[[asyncio.StreamWriter], None]


def answer(
    body: bytes, media_type: str = "image/jpeg", status: int = 200, **headers: str
) -> Answer:
    """An answer with a length."""
    fields = {"content-type": media_type, "content-length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    head = f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode()
    return lambda writer: writer.write(head + body)


def in_turn(*answers: Answer) -> Answer:
    """The answers one after another; the last one from then on."""
    left = list(answers)

    def reply(writer: asyncio.StreamWriter) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(writer)

    return reply


def redirect(to: str) -> Answer:
    """An answer that leads elsewhere."""
    return answer(b"", status=302, location=to)


def endless(writer: asyncio.StreamWriter) -> None:
    """A body that does not say how long it is, and is longer than any limit of a test."""
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    writer.write(b"10000\r\n" + bytes(65_536) + b"\r\n")
    for _ in range(64):
        writer.write(b"10000\r\n" + bytes(65_536) + b"\r\n")


def cut_off(writer: asyncio.StreamWriter) -> None:
    """A connection that is lost in the middle of a file."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: 9\r\n\r\nhalf")


@dataclass
class FakeFiles:
    """`paths`: what answers; `asked`: how often each was asked for; `heads`: what was sent."""

    url: str
    paths: dict[str, Answer] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and hang up."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            self.asked[path] += 1
            self.heads.append(head)
            self.paths.get(path, answer(b"", status=404))(writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def fake_files() -> AsyncIterator[FakeFiles]:
    """A running provider."""
    (port,) = free_ports(1)
    fake = FakeFiles(f"http://127.0.0.1:{port}")
    server = await asyncio.start_server(fake.serve, "127.0.0.1", port)
    async with server:
        yield fake
