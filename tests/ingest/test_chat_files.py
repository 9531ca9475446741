"""A visitor sends a photograph over her socket: in RAW before it is acknowledged, kept by its hash, and bounded."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.ingest.channels import chat
from services.ingest.domain.chat_file import FILE_TYPE
from services.ingest.domain.outcome import Quarantined, Reported
from services.ingest.handlers.uploads import PageFiles
from services.ingest.sources import SOURCES
from shared import errors, ids, streams
from shared.settings import Settings
from tests.ingest.chat_visitor import ANNA, address, heard, hello, say
from tests.ingest.running_ingest import RunningIngest, raw, until
from tests.ingest.running_ingest import stored as stored_in

PHOTO = bytes(range(256)) * 1_200  # more than a message of RAW holds
SMALL = b"\x89PNG\nnot really one\n"
PIECE_BYTES = 60_000


async def announce(socket: ClientConnection, content: bytes, **more: Any) -> dict[str, Any]:
    """Announce a file and return what is heard."""
    about = {"name": "parcel.png", "media_type": "image/png", "size": len(content), **more}
    await say(socket, **{"type": "file", "id": "f-1", **about})
    return await heard(socket)


async def send(socket: ClientConnection, content: bytes, **more: Any) -> dict[str, Any]:
    """Send a file as a page does; return how it was answered."""
    assert await announce(socket, content, **more) == {"type": "go", "id": more.get("id", "f-1")}
    for begin in range(0, len(content), PIECE_BYTES):
        await socket.send(content[begin : begin + PIECE_BYTES])
    return await heard(socket)


@contextlib.asynccontextmanager
async def page(ingest: RunningIngest, **more: Any) -> AsyncIterator[ClientConnection]:
    async with connect(address(ingest)) as socket:
        await hello(socket, **more)
        yield socket


async def attached(ingest: RunningIngest) -> dict[str, Any]:
    """Return what is told of the only file, once it is."""

    async def look() -> dict[str, Any] | None:
        found = await stored_in(ingest.bus, streams.CONTACTS, f"contact.*.{ingest.tenant}.chat.*")
        told = [msgspec.json.decode(each.body) for each in found]
        about = [each["data"] for each in told if each["type"] == "attachment.stored"]
        return about[0] if about else None

    return await until(look)


@pytest.mark.parametrize("content", [PHOTO, SMALL], ids=["large", "small"])
async def test_a_file_is_a_message_and_is_kept(ingest: RunningIngest, content: bytes) -> None:
    """Of who said hello; its bytes are the delivery, and become an attachment with its name, kind, size and hash."""
    async with page(ingest, name="Anna", email=ANNA) as socket:
        assert await send(socket, content) == {"type": "ack", "id": "f-1"}
        await say(socket, type="message", id="m-2", text="this is how it came")
        assert await heard(socket) == {"type": "ack", "id": "m-2"}
    first, second = await ingest.contacts("chat", 2)
    message = first["data"]
    assert (second["data"]["personal"]["files"], second["data"]["open"]["attachments"]) == ([], 0)
    assert message["open"]["provider_id"] == "s-1/f-1"
    assert [each["value"] for each in message["personal"]["handles"]] == [
        f"chat/{ingest.account}/s-1",
        ANNA,
    ]
    (file,) = message["personal"]["files"]
    assert (file["name"], file["media_type"]) == ("parcel.png", "image/png")
    assert (file["size_bytes"], file["sha256"]) == (len(content), ids.body_sha256(content))
    stored = await attached(ingest)
    assert stored["open"]["sha256"] == ids.body_sha256(content)
    assert stored["personal"]["file_name"] == "parcel.png"


async def test_what_a_file_is_stored_as_is_not_the_pages_word(ingest: RunningIngest) -> None:
    """A field of the opening request takes no place: it was acknowledged, and is read."""
    fields = {"content-type": "text/plain"}
    async with connect(address(ingest), additional_headers=fields) as socket:
        await hello(socket)
        assert await send(socket, SMALL) == {"type": "ack", "id": "f-1"}
    (told,) = await ingest.contacts("chat", 1)
    assert told["type"] == "message.received"


async def test_a_file_that_is_sent_again_is_one_message(ingest: RunningIngest) -> None:
    """The page heard no acknowledgement, and opened another socket."""
    for _ in range(2):
        async with page(ingest) as socket:
            assert (await send(socket, SMALL))["type"] == "ack"
    stored = await ingest.raw("chat")
    assert len(stored) == 2
    await ingest.normalised("chat")
    assert len(await ingest.contacts("chat", 1)) == 1


@pytest.mark.parametrize(
    ("about", "code"),
    [
        ({"media_type": "text/html"}, "door.file_refused"),
        ({"media_type": "image/svg+xml"}, "door.file_refused"),
        ({"name": "parcel.png.exe"}, "door.file_refused"),
        ({"size": 10_485_761}, "door.body_too_large"),
        ({"size": 0}, "payload.unreadable"),
        ({"size": -1}, "payload.unreadable"),
        ({"media_type": ""}, "payload.unreadable"),
        ({"id": "no id"}, "payload.unreadable"),
    ],
)
async def test_what_is_refused_is_refused_before_it_is_sent(
    ingest: RunningIngest, about: dict[str, Any], code: str
) -> None:
    """By kind, name and size; the page may go on."""
    async with page(ingest) as socket:
        told = await announce(socket, SMALL, **about)
        assert (told["type"], told["code"], told["retryable"]) == ("error", code, False)
        await say(socket, type="message", id="m-1", text="hello")
        assert await heard(socket) == {"type": "ack", "id": "m-1"}
    assert len(await ingest.raw("chat")) == 1


async def test_nobody_sends_a_file_who_did_not_say_hello(ingest: RunningIngest) -> None:
    """It would be nobody's."""
    async with connect(address(ingest)) as socket:
        assert (await announce(socket, SMALL))["code"] == "payload.unreadable"


@pytest.mark.parametrize("odd", [SMALL + b"more", "a text", b""], ids=["long", "text", "empty"])
async def test_another_length_or_something_between_ends_the_socket(
    ingest: RunningIngest, odd: bytes | str
) -> None:
    """Nobody knows any more what the next frame is; nothing is stored."""
    async with page(ingest) as socket:
        assert (await announce(socket, SMALL))["type"] == "go"
        await socket.send(odd)
        assert (await heard(socket))["code"] == "payload.unreadable"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert await ingest.raw("chat") == []


async def test_pieces_that_nobody_let_in_are_no_file(ingest: RunningIngest) -> None:
    """They are refused one by one, as any frame that says nothing."""
    async with page(ingest) as socket:
        await socket.send(SMALL)
        assert (await heard(socket))["code"] == "payload.unreadable"
    assert await ingest.raw("chat") == []


# -- the pieces of it ---------------------------------------------------------------------------------


def a_file(size: int = 10) -> chat.File:
    return chat.File(id="f-1", name="a.png", media_type="image/png", size=size)


async def test_who_sends_longest_makes_room_for_who_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd that never ends its files holds no more than so many of them, and keeps nobody out."""
    monkeypatch.setattr("services.ingest.handlers.uploads.AT_ONCE", 2)
    taking = PageFiles(Settings())
    forever = asyncio.Event()

    async def never() -> bytes:
        await forever.wait()
        return b""

    async def at_once() -> bytes:
        return b"0123456789"

    slow = [asyncio.create_task(taking.take(a_file(), f"peer-{k}", never)) for k in range(2)]
    await asyncio.sleep(0)
    assert await taking.take(a_file(), "peer-9", at_once) == b"0123456789"
    with pytest.raises(errors.DeliveryTooSlow):
        await slow[0]
    assert not slow[1].done()
    slow[1].cancel()


async def test_a_house_may_take_no_files_at_all() -> None:
    """Or others: what is taken is a setting."""
    with pytest.raises(errors.FileRefused):
        PageFiles(Settings(chat_file_kinds="")).check(a_file())
    PageFiles(Settings(chat_file_kinds="image/PNG")).check(a_file())


def test_what_lies_in_raw_is_read_as_it_was_sent() -> None:
    """Whatever the bytes are, a line's end among them; without any it is no file."""
    hers = chat.Hello(session="s-1")
    body = chat.stored_file(hers, a_file(), b"\n{}\n\xff", verified=False)
    delivery = raw("chat", body, headers=[("content-type", FILE_TYPE)])
    assert list(SOURCES["chat"].contents(delivery)) == [b"\n{}\n\xff"]
    parsed = chat.parse(delivery)
    assert isinstance(parsed, Reported)
    ((_, event),) = parsed.reports
    assert event.personal.files[0].size_bytes == 5  # type: ignore[union-attr]
    for broken in (body.partition(b"\n")[0], b"\n", b"{}\nx" + b"\xff", msgspec.json.encode([])):
        found = chat.parse(raw("chat", broken, headers=[("content-type", FILE_TYPE)]))
        assert isinstance(found, Quarantined | Reported)
    lost = chat.parse(raw("chat", body.partition(b"\n")[0], headers=[("content-type", FILE_TYPE)]))
    assert isinstance(lost, Quarantined)
