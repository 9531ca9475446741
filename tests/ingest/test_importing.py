"""A history goes into RAW talk by talk: stopped anywhere it goes on there, and the same once more is nothing."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from services.ingest.archives import ARCHIVES
from services.ingest.channels import CHANNELS
from services.ingest.domain import archive
from services.ingest.domain.archive import Talk
from services.ingest.domain.delivery import WebRequest
from services.ingest.handlers import importing, parsing
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.importing import Importer
from services.ingest.handlers.raw_store import BODY_IN_MESSAGE_MAX_BYTES, RawStore
from shared import streams
from shared.clock import SystemClock
from tests.ingest.running_ingest import RECEIVED, RunningIngest, raw

CHANNEL = "livechat"


def talk(number: int, text: str = "Hello") -> Talk:
    """A thread of a chat of its own."""
    begun = f"2024-01-0{number}T08:00:00Z"
    said = {"type": "message", "text": text, "author_id": "c", "id": f"T{number}_1"}
    thread = {"id": f"T{number}", "created_at": begun, "events": [{**said, "created_at": begun}]}
    (found,) = ARCHIVES[CHANNEL].talks(msgspec.json.encode({"id": f"C{number}", "thread": thread}))
    return found


TALKS = [talk(number) for number in range(1, 6)]


def importer(ingest: RunningIngest) -> Importer:
    store = RawStore(ingest.bus, BodyStore(ingest.bus), 8_192)
    return Importer(ingest.bus, store, SystemClock(), ingest.tenant, CHANNEL, ingest.account)


class Killed(Exception):
    """The tool is killed."""


async def test_an_import_goes_on_where_it_was_stopped(ingest: RunningIngest) -> None:
    """A webhook between two of its talks does not make it begin anew; imported once more it stores nothing."""
    told: list[int] = []

    def until_the_second(there: int) -> None:
        told.append(there)
        if there == 2:
            raise Killed

    with pytest.raises(Killed):
        await importer(ingest).take(TALKS, until_the_second)
    live = WebRequest("POST", "/in/x", [], b"{}", RECEIVED)
    await importer(ingest).store.append(ingest.tenant, CHANNEL, ingest.account, live)
    assert await importer(ingest).take(TALKS, told.append) == 3
    assert await importer(ingest).take(TALKS, told.append) == 0
    assert told == [0, 1, 2, 2, 3, 4, 5, 5]
    bodies = [each.body for each in await ingest.raw(CHANNEL) if each.body != b"{}"]
    assert bodies == [each.body for each in TALKS]


async def test_who_is_overtaken_looks_again(ingest: RunningIngest) -> None:
    """Two run at once, and between any two talks something else arrives: each talk is stored once between them."""
    one, other = importer(ingest), importer(ingest)
    left = 4

    async def first(number: int) -> None:
        await other.take(TALKS[:number], lambda there: None)

    await first(2)
    store = one.store

    class Overtaking:
        """Another delivery gets in before."""

        async def append(self, *given: Any, **more: Any) -> Any:
            nonlocal left
            if left:
                left -= 1
                live = WebRequest("POST", "/in/x", [], b"{}", RECEIVED)
                await store.append(ingest.tenant, CHANNEL, ingest.account, live)
            return await store.append(*given, **more)

    assert await replace(one, store=Overtaking()).take(TALKS, lambda there: None) == 5  # type: ignore[arg-type]
    imports = [each for each in await ingest.raw(CHANNEL) if each.body != b"{}"]
    assert len(imports) == 7, "the two talks of another export are deliveries of their own"


async def test_a_long_talk_is_imported_and_read(ingest: RunningIngest) -> None:
    """It stands beside RAW as a large body does; its event has the old date and comes by the import."""
    long = talk(1, "x" * BODY_IN_MESSAGE_MAX_BYTES)
    await importer(ingest).take([long], lambda there: None)
    (event,) = await ingest.contacts(CHANNEL, 1)
    assert event["time"] == "2024-01-01T08:00:00Z"
    assert event["actor"] == f"import:{CHANNEL}/{ingest.account}"


async def test_a_few_talks_are_decided_before_the_next_ones_are_stored(
    ingest: RunningIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who calls while thousands are imported waits behind a few: nothing is stored while those before it wait."""
    monkeypatch.setattr(importing, "AHEAD_MAX", 2)
    there, looked = 0, []
    left = {streams.RAW: [3, 1, 0, 0], streams.CONTACTS: [5, 0]}

    class Watched(Importer):
        async def waiting(self, stream: str, consumer: str) -> int:
            looked.append(there)
            return left[stream].pop(0) if left[stream] else 0

    def tell(number: int) -> None:
        nonlocal there
        there = number

    plain = importer(ingest)
    given = {name: getattr(plain, name) for name in plain.__slots__}
    assert await Watched(**given).take(TALKS, tell) == 5
    assert set(looked) == {2, 4}
    assert left == {streams.RAW: [], streams.CONTACTS: []}


def test_no_door_gives_a_mark() -> None:
    """What comes through a door is imported by nobody, whatever its address."""
    path = archive.ImportMark("0" * 64, 3).path
    assert archive.mark(path) == archive.ImportMark("0" * 64, 3)
    for other in (f"/in/demo/livechat{path}", path + "?x=1", path[:-1], "", "/import/"):
        assert archive.mark(other) is None
    assert not raw(CHANNEL, b"{}").imported
    assert raw(CHANNEL, b"{}", path=path).imported


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_of_a_channel(name: str) -> None:
    """Its talks are deliveries of that channel's accounts, and say so."""
    archived = ARCHIVES[name]
    assert CHANNELS[archived.NAME].MEDIUM == "chat"
    path = archive.ImportMark("0" * 64, 1).path
    for body in (b"\xff", b"[]", b"{}", b'{"id": "a", "thread": {"id": "b", "events": [{}]}}'):
        reading = parsing.read(raw(name, body, path=path))
        assert all(event.imported for event in reading.events)
