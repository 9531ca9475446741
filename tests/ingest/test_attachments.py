"""Files of messages: from the provider or the delivery into the store, once, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from deploy.embedded.ports import free_ports
from services.ingest.domain import outcome
from services.ingest.domain.fetching import Asking, FileRequest, WantedFile, no_contents
from services.ingest.handlers import attachments
from services.ingest.handlers.attachments import Attachments
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.fetcher import Fetcher
from services.ingest.handlers.file_store import FileStore
from services.ingest.sources import SOURCES
from shared import events, ids, streams
from shared.bus.deliveries import Delivery
from shared.codec import PlainCodec
from shared.contact_log import ContactLog
from tests.ingest import fake_files
from tests.ingest.fake_files import FakeFiles
from tests.ingest.large_mails import PHOTO, mail_of
from tests.ingest.running_ingest import RunningIngest, raw, running, stored, until
from tests.support.contacts import alone
from tests.support.pieces import joined
from tests.support.servers import EmbeddedNats

LIMIT = 400_000


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the address that the message names."""
    yield FileRequest(wanted.source, secret={"authorization": "Bearer x"})


@pytest_asyncio.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeFiles]:
    """A provider of the channel `chat` that keeps files; what is tried again is so at once."""
    source = SimpleNamespace(
        NAME="chat", HOSTS=("127.0.0.1", "localhost"), fetch=fetch, contents=no_contents
    )
    monkeypatch.setitem(SOURCES, "chat", source)
    monkeypatch.setattr(attachments, "RETRY_AFTER_SECONDS", (0.05, 0.05, 0.05))
    async with fake_files.fake_files() as fake:
        yield fake


@pytest_asyncio.fixture
async def ingest(ingest_nats: EmbeddedNats, tmp_path: Path) -> AsyncIterator[RunningIngest]:
    """A running ingest that may fetch from loopback."""
    async with running(
        ingest_nats.url,
        tmp_path,
        port=free_ports(1)[0],
        attachment_networks="127.0.0.0/8",
        attachment_max_bytes=LIMIT,
        attachment_timeout_seconds=5.0,
    ) as started:
        yield started


def message(ingest: RunningIngest, number: int, *files: events.AttachedFile) -> Any:
    """A message of a chat with files, as parsing makes it."""
    delivery = raw("chat", b"{}", sequence=number)
    about = outcome.about(delivery, "chat", "s-1", f"m-{number}")
    opened = events.MessageReceivedOpen(
        **{**about, "account": ingest.account}, attachments=len(files)
    )
    personal = events.MessageReceivedPersonal(text="see this", files=list(files), name="Anna")
    made = outcome.contact_event(delivery, events.MessageReceived, opened, personal)
    return msgspec.structs.replace(
        made,
        tenant=ingest.tenant,
        id=events.EventId(ids.scoped_id("test", ingest.tenant, str(number))),
    )


def photo(source: str | None, **told: Any) -> events.AttachedFile:
    """A photograph that its provider keeps."""
    return events.AttachedFile(
        **{"name": "lamp.jpg", "media_type": "image/jpeg", "source": source, **told}
    )


async def comes(ingest: RunningIngest, *messages: Any) -> None:
    """They stand in CONTACTS, in one partition."""
    log = ContactLog(ingest.bus, PlainCodec(), alone)
    await log.publish([("chat", "s-1", each) for each in messages])


async def told(ingest: RunningIngest, count: int, channel: str = "chat") -> list[dict[str, Any]]:
    """What became of the files of a channel, when there are so many events of it."""

    async def look() -> list[dict[str, Any]] | None:
        found = await stored(ingest.bus, streams.CONTACTS, f"contact.*.{ingest.tenant}.{channel}.*")
        said = [msgspec.json.decode(each.body) for each in found]
        about = [each for each in said if each["type"].startswith("attachment.")]
        return about if len(about) >= count else None

    return await until(look)


async def settled(ingest: RunningIngest) -> None:
    """Wait until nothing is left to fetch."""
    name = streams.ingest_attachments(ingest.tenant).name

    async def look() -> bool | None:
        state = await ingest.bus.api(f"CONSUMER.INFO.{streams.CONTACTS}.{name}")
        return True if state["num_pending"] + state["num_ack_pending"] == 0 else None

    await until(look)


async def kept(ingest: RunningIngest, event: dict[str, Any]) -> bytes:
    """What FILES holds for an attachment."""
    files = FileStore(ingest.bus, SimpleNamespace(now=lambda: None))
    found = await files.find(ingest.tenant, event["data"]["open"]["attachment_id"])
    assert found is not None
    return await joined(files.pieces(ingest.tenant, found))


async def test_a_providers_file_is_fetched_stored_and_told(
    ingest: RunningIngest, provider: FakeFiles
) -> None:
    """The event names hash, size, type and name, and comes in the partition of its message, behind it."""
    provider.paths["/a"] = fake_files.answer(PHOTO)
    wrote = message(ingest, 1, photo(f"{provider.url}/a"))
    await comes(ingest, wrote)
    (event,) = await told(ingest, 1)
    opened, personal = event["data"]["open"], event["data"]["personal"]
    assert event["type"] == "attachment.stored"
    assert (opened["sha256"], opened["size_bytes"]) == (ids.body_sha256(PHOTO), len(PHOTO))
    assert (opened["media_type"], opened["message"], opened["number"]) == (
        "image/jpeg",
        wrote.id,
        0,
    )
    assert (opened["contact_id"], event["rawref"]) == (wrote.open.contact_id, wrote.raw)
    assert (personal["file_name"], personal["name"]) == ("lamp.jpg", "Anna")
    assert await kept(ingest, event) == PHOTO
    one, other = await stored(ingest.bus, streams.CONTACTS, f"contact.*.{ingest.tenant}.chat.*")
    assert one.subject.split(".")[:4] == other.subject.split(".")[:4]


async def test_a_mails_file_is_taken_out_of_its_delivery(ingest: RunningIngest) -> None:
    """Nobody is asked: what the mail holds is kept when RAW no longer holds the mail."""
    assert (await ingest.send("email", mail_of(PHOTO), webhook_id="w1")).status_code == 204
    (event,) = await told(ingest, 1, "email")
    assert event["data"]["open"]["sha256"] == ids.body_sha256(PHOTO)
    assert await kept(ingest, event) == PHOTO


async def test_a_forms_file_is_taken_out_of_its_delivery(ingest: RunningIngest) -> None:
    """A picture that a page uploads with its form."""
    body = (
        b'--x\r\ncontent-disposition: form-data; name="message"\r\n\r\nbroken\r\n--x\r\n'
        b'content-disposition: form-data; name="photo"; filename="lamp.png"\r\n'
        b"content-type: image/png\r\n\r\n\x89PNG\r\n--x--\r\n"
    )
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert (await ingest.send("form", body, webhook_id="w1", **kind)).status_code == 204
    (event,) = await told(ingest, 1, "form")
    assert event["data"]["personal"]["file_name"] == "lamp.png"
    assert await kept(ingest, event) == b"\x89PNG"


async def test_the_same_file_twice_is_stored_once(
    ingest: RunningIngest, provider: FakeFiles
) -> None:
    """Two attachments, each told, of one content."""
    provider.paths["/a"] = fake_files.answer(PHOTO)
    both = [message(ingest, 1, photo(f"{provider.url}/a"), photo(f"{provider.url}/a"))]
    await comes(ingest, *both)
    one, other = await told(ingest, 2)
    assert one["data"]["open"]["attachment_id"] != other["data"]["open"]["attachment_id"]
    wanted = {"subjects_filter": f"file.{ingest.tenant}.>"}
    info = await ingest.bus.api(f"STREAM.INFO.{streams.FILES}", wanted)
    assert sorted(info["state"]["subjects"].values()) == [1, 1]


@pytest.mark.parametrize(
    ("path", "reply", "reason"),
    [
        ("/gone", fake_files.answer(b"", status=410), "gone"),
        ("/missing", fake_files.answer(b"", status=404), "gone"),
        ("/no", fake_files.answer(b"", status=418), "refused"),
        ("/large", fake_files.answer(bytes(LIMIT + 1)), "too_large"),
        ("/endless", fake_files.endless, "too_large"),
        ("/program", fake_files.answer(b"MZ", "application/x-msdownload"), "kind_refused"),
        ("/away", fake_files.redirect("http://internal.example/a"), "address_refused"),
        ("/round", fake_files.redirect("/round"), "redirected_too_often"),
        ("/nowhere", fake_files.redirect(""), "redirected_too_often"),
        ("/file", fake_files.redirect("file:///etc/passwd"), "address_refused"),
        ("/busy", fake_files.answer(b"", status=503), "unavailable"),
        ("/page", fake_files.answer(b"<p>log in", "text/html"), "not_the_file"),
        ("/cut", fake_files.cut_off, "unreachable"),
    ],
)
async def test_what_cannot_be_had_is_told(
    ingest: RunningIngest, provider: FakeFiles, path: str, reply: Any, reason: str
) -> None:
    """For good at once, else after the last try; nothing of it is stored."""
    provider.paths[path] = reply
    await comes(ingest, message(ingest, 1, photo(f"{provider.url}{path}")))
    (event,) = await told(ingest, 1)
    assert (event["type"], event["data"]["open"]["reason"]) == ("attachment.failed", reason)
    assert event["data"]["personal"]["file_name"] == "lamp.jpg"
    passing = reason in {"unavailable", "not_the_file", "unreachable"}
    round_trip = reason == "redirected_too_often"
    assert provider.asked[path] == (4 if passing or round_trip else 1)
    await settled(ingest)
    info = await ingest.bus.api(
        f"STREAM.INFO.{streams.FILES}", {"subjects_filter": f"*.{ingest.tenant}.>"}
    )
    assert not info["state"].get("subjects")


async def test_a_provider_that_comes_back_gives_the_file(
    ingest: RunningIngest, provider: FakeFiles
) -> None:
    """What fails for now is asked for again, and another message's file does not wait for it."""
    good, busy = fake_files.answer(PHOTO), fake_files.answer(b"", status=503)
    provider.paths["/a"] = fake_files.in_turn(busy, fake_files.answer(b"", status=429), good)
    provider.paths["/b"] = good
    await comes(
        ingest,
        message(ingest, 1, photo(f"{provider.url}/a", name="a.jpg")),
        message(ingest, 2, photo(f"{provider.url}/b", name="b.jpg")),
    )
    found = await told(ingest, 2)
    assert [each["data"]["personal"]["file_name"] for each in found] == ["b.jpg", "a.jpg"]
    assert [each["type"] for each in found] == ["attachment.stored"] * 2


async def test_a_secret_goes_to_no_other_host(ingest: RunningIngest, provider: FakeFiles) -> None:
    """A redirect within the table is followed without the token."""
    elsewhere = provider.url.replace("127.0.0.1", "localhost")
    provider.paths["/a"] = fake_files.redirect(f"{elsewhere}/b")
    provider.paths["/b"] = fake_files.answer(PHOTO)
    await comes(ingest, message(ingest, 1, photo(f"{provider.url}/a")))
    (event,) = await told(ingest, 1)
    assert event["type"] == "attachment.stored"
    first, second = provider.heads
    assert (b"Bearer x" in first, b"Bearer x" in second) == (True, False)


async def test_a_network_that_nobody_named_is_not_called(
    ingest_nats: EmbeddedNats, tmp_path: Path, provider: FakeFiles
) -> None:
    """A customer's message must not make us call inside our own network."""
    provider.paths["/a"] = fake_files.answer(PHOTO)
    async with running(ingest_nats.url, tmp_path, port=free_ports(1)[0]) as ingest:
        await comes(ingest, message(ingest, 1, photo(f"{provider.url}/a")))
        (event,) = await told(ingest, 1)
    assert event["data"]["open"]["reason"] == "address_refused"
    assert provider.asked == {}


async def test_a_gateway_alone_is_called(
    ingest_nats: EmbeddedNats,
    tmp_path: Path,
    provider: FakeFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is for a provider goes through it; what is for nobody's host goes nowhere."""
    source = SimpleNamespace(
        NAME="chat", HOSTS=("*.provider.example",), fetch=fetch, contents=no_contents
    )
    monkeypatch.setitem(SOURCES, "chat", source)
    provider.paths["/cdn.provider.example/a?b=1"] = fake_files.answer(PHOTO)
    port, url = free_ports(1)[0], provider.url
    async with running(ingest_nats.url, tmp_path, port=port, providers_url=url) as ingest:
        good = photo("https://cdn.provider.example/a?b=1")
        await comes(ingest, message(ingest, 1, good, photo("https://elsewhere.example/a")))
        stored_one, refused = await told(ingest, 2)
    assert stored_one["data"]["open"]["sha256"] == ids.body_sha256(PHOTO)
    assert refused["data"]["open"]["reason"] == "address_refused"
    assert provider.asked == {"/cdn.provider.example/a?b=1": 1}


class Dies(FileStore):
    """A store whose process is killed behind the file, before anybody is told."""

    async def put(self, *given: Any) -> Any:
        await super().put(*given)
        raise asyncio.CancelledError


async def test_killed_between_the_file_and_its_event_nothing_is_doubled(
    ingest: RunningIngest, provider: FakeFiles
) -> None:
    """The next process finds the file, asks nobody, and tells it once, with the time it was stored."""
    other = fake_files.answer(b"other bytes")
    provider.paths["/a"] = fake_files.in_turn(fake_files.answer(PHOTO), other)
    clock = SimpleNamespace(now=lambda: msgspec.convert("2026-11-29T12:00:00Z", events.Instant))
    wrote = message(ingest, 1, photo(f"{provider.url}/a"))
    log = ContactLog(ingest.bus, PlainCodec(), alone)
    door = SimpleNamespace(rules=SimpleNamespace(api=None, ari=None, recordings=None), secrets={})
    accounts: Any = SimpleNamespace(find=lambda *_: door)
    fetcher = Fetcher(ingest.bus, BodyStore(ingest.bus), accounts, ingest.settings)
    delivery = Delivery(
        f"contact.1.{ingest.tenant}.chat.{wrote.id}", msgspec.json.encode(wrote),
        {}, 1, wrote.recorded, 1, 0, "", ingest.bus,
    )  # fmt: skip
    found = attachments.files_of(delivery)

    def process(store: FileStore) -> Attachments:
        return Attachments(ingest.bus, ingest.tenant, store, fetcher, log, clock)

    with pytest.raises(asyncio.CancelledError):
        await process(Dies(ingest.bus, clock)).take(delivery, found)
    for _ in range(2):
        assert await process(FileStore(ingest.bus, clock)).take(delivery, found) is None
    (event,) = await told(ingest, 1)
    assert (event["data"]["open"]["sha256"], provider.asked["/a"]) == (ids.body_sha256(PHOTO), 1)
    assert len(await told(ingest, 1)) == 1


async def test_what_waits_for_slow_providers_is_tried_once(
    ingest: RunningIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long those before it take: given again meanwhile, it would use up tries that were never made."""
    taken: list[tuple[int, int]] = []
    goes_on = asyncio.Event()

    async def slow(_: Attachments, delivery: Delivery, __: object) -> None:
        taken.append((delivery.sequence, delivery.attempt))
        await goes_on.wait()

    async def full() -> bool | None:
        return True if len(taken) == attachments.AT_ONCE else None

    monkeypatch.setattr(Attachments, "take", slow)
    every = [message(ingest, number, photo("http://127.0.0.1/a")) for number in range(12)]
    for each in every:
        await comes(ingest, each)
    await until(full)
    await asyncio.sleep(2 * streams.ACK_WAIT_SECONDS)  # the fault itself: providers that are slow
    goes_on.set()
    await settled(ingest)
    assert [attempt for _, attempt in taken] == [1] * len(every)
    assert len(set(taken)) == len(every)
