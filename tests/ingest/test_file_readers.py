"""A file is given piece by piece: a slow reader holds two of them, and the readers are counted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import Response

from services.ingest.domain import file_address
from services.ingest.domain.attachments import StoredFile
from services.ingest.domain.delivery import BodyReference
from services.ingest.handlers import file_doors
from services.ingest.handlers.file_doors import FileDoors
from shared import errors
from tests.ingest.test_file_doors import KEY, NOW, SOON

PIECES = 64
PIECE = b"x" * 1_000


class Files:
    """A store of one file; counts the pieces that were asked for. `damaged_from`: the reading that finds it damaged."""

    def __init__(self, damaged_from: int = 99) -> None:
        self.given: list[int] = []
        self._damaged_from = damaged_from

    async def find(self, tenant: str, attachment_id: str) -> StoredFile | None:  # noqa: ARG002  as the store
        content = BodyReference(sha256="0" * 64, size_bytes=PIECES * len(PIECE), chunks=PIECES)
        return StoredFile(content=content, media_type="image/png", name="a.png", stored=NOW)

    async def pieces(self, tenant: str, stored: StoredFile) -> AsyncIterator[bytes]:  # noqa: ARG002  as the store
        self.given.append(0)
        reading = len(self.given)
        for _ in range(PIECES - 1):
            self.given[reading - 1] += 1
            yield PIECE
        if reading >= self._damaged_from:
            raise errors.AttachmentLost(cause="body.damaged")
        self.given[reading - 1] += 1
        yield PIECE

    async def compare(self, tenant: str, stored: StoredFile) -> None:
        async for _ in self.pieces(tenant, stored):
            pass


class Reader:
    """Whoever asks for the file; takes so many messages and then no more. `taken`: their bodies."""

    def __init__(self, takes: int = 1_000) -> None:
        self._takes = takes
        self.status = 0
        self.whole = False
        self.taken: list[bytes] = []
        self.stopped = asyncio.Event()

    async def send(self, message: Any) -> None:
        if len(self.taken) >= self._takes:
            self.stopped.set()
            await asyncio.Event().wait()
        self.status = message.get("status", self.status)
        if message["type"] == "http.response.body":
            self.taken.append(message["body"])
            self.whole = not message.get("more_body", False)


def doors(files: Any) -> FileDoors:
    return FileDoors(files, {"demo": KEY}, SimpleNamespace(now=lambda: NOW))


async def asked(files: FileDoors) -> Response:
    path = file_address.path_of(KEY, "demo", "abc", SOON + timedelta(minutes=1))
    return await files.serve("demo", path.rpartition("/")[2])


async def give(response: Response, reader: Reader) -> None:
    async def receive() -> Any:
        await asyncio.Event().wait()

    await response({"type": "http"}, receive, reader.send)


async def test_a_slow_reader_holds_no_file() -> None:
    """She has taken two pieces; a third is on its way, and no other was fetched."""
    files, reader = Files(), Reader(takes=2)
    response = await asked(doors(files))
    giving = asyncio.create_task(give(response, reader))
    await reader.stopped.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert files.given[1] <= 3
    giving.cancel()


async def test_a_reader_who_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Her place is another's then; what she has is not whole."""
    monkeypatch.setattr(file_doors, "PIECE_SECONDS", 0.01)
    monkeypatch.setattr(file_doors, "READERS_MAX", 1)
    given, reader = doors(Files()), Reader(takes=2)
    await give(await asked(given), reader)
    assert (len(reader.taken), reader.whole) == (2, False)
    again = Reader()
    await give(await asked(given), again)
    assert (again.whole, b"".join(again.taken)) == (True, PIECE * PIECES)


async def test_readers_beyond_the_bound_are_asked_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is fetched for them, and also where the others came in between."""
    monkeypatch.setattr(file_doors, "READERS_MAX", 1)
    given, reader, late = doors(Files()), Reader(takes=2), Reader()
    first, second = await asked(given), await asked(given)
    giving = asyncio.create_task(give(first, reader))
    await reader.stopped.wait()
    await give(second, late)
    assert (late.status, (await asked(given)).status_code) == (503, 503)
    giving.cancel()
    await asyncio.gather(giving, return_exceptions=True)
    assert (await asked(given)).status_code == 200


async def test_what_is_damaged_between_comparing_and_giving_never_ends() -> None:
    """The length that was named is not reached: no reader takes it for the file."""
    reader = Reader()
    await give(await asked(doors(Files(damaged_from=2))), reader)
    assert not reader.whole
    assert (await asked(doors(Files(damaged_from=1)))).status_code == 410
