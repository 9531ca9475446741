"""A store of files that is busy, slow or away: no file is lost, and what was stored elsewhere meanwhile is found."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from deploy.embedded.ports import free_ports
from services.ingest.domain.attachments import Attachment, StoredFile
from services.ingest.handlers import s3
from services.ingest.handlers.file_store import FileStore
from services.ingest.handlers.s3 import S3Store
from shared import errors, events, ids, streams
from shared.backoff import Backoff
from shared.clock import SystemClock
from shared.settings import Settings, load
from tests.ingest import fake_s3
from tests.ingest.fake_s3 import FakeS3
from tests.ingest.large_mails import PHOTO
from tests.ingest.running_ingest import RunningIngest, running, stored
from tests.ingest.test_attachments import message
from tests.ingest.test_doors import refused
from tests.ingest.test_file_doors import address_of, attachment_of_a_mail
from tests.support.moto import moto
from tests.support.pieces import joined
from tests.support.servers import EmbeddedNats


@pytest_asyncio.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeS3]:
    """A store that is asked again at once."""
    monkeypatch.setattr(s3, "RETRY", Backoff(first_seconds=0.001, longest_seconds=0.002))
    async with fake_s3.fake_s3() as started:
        yield started


@pytest_asyncio.fixture
async def store(fake: FakeS3) -> AsyncIterator[S3Store]:
    """Our side of it."""
    ours = S3Store(fake.address, 0.5)
    yield ours
    await ours.aclose()


@pytest.mark.parametrize("day", [fake_s3.slow_down, fake_s3.hang_up, fake_s3.silent])
async def test_a_bad_day_passes(fake: FakeS3, store: S3Store, day: Any) -> None:
    """What it did not take is given to it again."""
    fake.days = [day, day]
    ref = await store.put("demo", PHOTO)
    assert fake.asked == ["PUT 0"] * 3
    assert fake.objects == {f"/files/demo/{ref.sha256}": PHOTO}


@pytest.mark.parametrize(
    ("day", "reason", "says"),
    [
        (fake_s3.slow_down, "busy", "SlowDown"),
        (fake_s3.hang_up, "unreachable", "RemoteProtocolError"),
    ],
)
async def test_a_store_that_stays_away_is_asked_four_times(
    fake: FakeS3, store: S3Store, day: Any, reason: str, says: str
) -> None:
    """Then whoever asks is told why."""
    fake.days = [day] * 9
    with pytest.raises(errors.FilesUnavailable) as refusal:
        await store.put("demo", b"x")
    assert refusal.value.details == {"reason": reason, "says": says}
    assert len(fake.asked) == s3.TRIES


async def test_a_file_that_breaks_off_goes_on_where_it_broke(fake: FakeS3, store: S3Store) -> None:
    """No byte is read twice, and the whole has its hash."""
    ref = await store.put("demo", PHOTO)
    fake.days = [fake_s3.half, fake_s3.slow_down, fake_s3.half]
    assert await joined(store.pieces("demo", ref)) == PHOTO
    first = len(PHOTO) // 2
    second = first + (len(PHOTO) - first) // 2
    assert fake.asked[1:] == ["GET 0", f"GET {first}", f"GET {first}", f"GET {second}"]


async def test_a_store_that_knows_no_ranges_gives_the_whole_again(
    fake: FakeS3, store: S3Store
) -> None:
    """It may: what was read already is left out, and the file is not lost for it."""
    ref = await store.put("demo", PHOTO)
    fake.days = [fake_s3.half, fake_s3.rangeless]
    assert await joined(store.pieces("demo", ref)) == PHOTO
    fake.days = [fake_s3.half, fake_s3.elsewhere]
    with pytest.raises(errors.BodyDamaged):
        await joined(store.pieces("demo", ref))


async def test_a_file_of_which_all_came_is_not_asked_for_again(
    fake: FakeS3, store: S3Store
) -> None:
    """Of what lies behind its end a store says that there is nothing: the file would be lost."""
    ref = await store.put("demo", PHOTO)
    fake.days = [fake_s3.endless]
    assert await joined(store.pieces("demo", ref)) == PHOTO
    assert fake.asked[1:] == ["GET 0"]


async def test_a_file_is_given_in_pieces_and_its_end_last(fake: FakeS3, store: S3Store) -> None:
    """Whoever passes pieces on has all but the end of a damaged one, and none is large."""
    large = PHOTO * 20
    ref = await store.put("demo", large)
    pieces = [each async for each in store.pieces("demo", ref)]
    assert b"".join(pieces) == large
    assert max(map(len, pieces)) <= 65_536 * 4
    path = f"/files/demo/{ref.sha256}"
    fake.objects[path] = large[:-1] + b"?"
    given: list[bytes] = []
    with pytest.raises(errors.BodyDamaged):
        await _read(store.pieces("demo", ref), given)
    assert 0 < len(b"".join(given)) < len(large)


async def _read(pieces: AsyncIterator[bytes], given: list[bytes]) -> None:
    async for piece in pieces:
        given += [piece]


async def test_more_than_was_stored_is_not_read_to_its_end(fake: FakeS3, store: S3Store) -> None:
    """A store that gives something else does not fill our memory."""
    ref = await store.put("demo", PHOTO)
    fake.days = [fake_s3.too_much]
    with pytest.raises(errors.BodyDamaged):
        await joined(store.pieces("demo", ref))


# -- files ---------------------------------------------------------------------------------------------


def attachment(ingest: RunningIngest, number: int) -> Attachment:
    """A file of a message."""
    file = events.AttachedFile(name="lamp.jpg", media_type="image/jpeg", source="x")
    return Attachment(message(ingest, number, file), 0, file)


async def test_while_the_store_is_away_files_are_kept_in_the_stream(
    ingest: RunningIngest, fake: FakeS3, store: S3Store
) -> None:
    """Each says where it stands, so all of them are found; the trouble ends with the next that is taken."""
    files = FileStore(ingest.bus, SystemClock(), store)
    fake.days = [fake_s3.slow_down] * s3.TRIES
    kept = await files.put(attachment(ingest, 1), PHOTO, "image/jpeg")
    assert (kept.place, files.trouble and files.trouble.code) == ("stream", "files.unavailable")
    taken = await files.put(attachment(ingest, 2), PHOTO[::-1], "image/jpeg")
    assert (taken.place, files.trouble) == ("s3", None)
    assert await joined(files.pieces(ingest.tenant, kept)) == PHOTO
    assert await joined(files.pieces(ingest.tenant, taken)) == PHOTO[::-1]


async def test_a_file_is_found_where_it_was_stored(
    ingest: RunningIngest, fake: FakeS3, store: S3Store
) -> None:
    """Before S3 was set and since; when it is set no longer, what stands there is refused for now, and not lost."""
    before = FileStore(ingest.bus, SystemClock())
    old = await before.put(attachment(ingest, 1), PHOTO, "image/jpeg")
    since = FileStore(ingest.bus, SystemClock(), store)
    new = await since.put(attachment(ingest, 2), PHOTO, "image/jpeg")
    assert len(fake.objects) == 1
    assert await joined(since.pieces(ingest.tenant, old)) == PHOTO
    with pytest.raises(errors.FilesUnavailable) as refusal:
        await joined(before.pieces(ingest.tenant, new))
    assert refusal.value.details["reason"] == "not_set"
    fake.objects.clear()
    fake.days = [fake_s3.slow_down] * s3.TRIES
    with pytest.raises(errors.FilesUnavailable):
        await joined(since.pieces(ingest.tenant, new))


def test_what_was_stored_before_there_was_s3_is_read() -> None:
    """As FILES holds it since 2026-11-29."""
    old = (
        b'{"content":{"sha256":"' + b"a" * 64 + b'","size_bytes":1,"chunks":1},'
        b'"media_type":"image/jpeg","name":null,"stored":"2026-11-29T12:00:00Z"}'
    )
    assert msgspec.json.decode(old, type=StoredFile).place == "stream"


async def test_a_mails_file_stands_in_s3_and_is_served_from_there(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """By the settings alone; FILES holds its name, and none of its bytes."""
    async with moto() as server:
        address = server.address
        secrets = f"FILES_ACCESS_KEY={address.access_key}\nFILES_SECRET_KEY={address.secret_key}\n"
        async with running(
            ingest_nats.url,
            tmp_path,
            port=free_ports(1)[0],
            secrets=secrets,
            files_url=f"s3+{address.url}",
            files_region=address.region,
        ) as ingest:
            given = await address_of(ingest, await attachment_of_a_mail(ingest))
            assert (await ingest.http.get(given.url)).content == PHOTO
            key = f"{ingest.tenant}/{ids.body_sha256(PHOTO)}"
            assert (await server.object(key)).content == PHOTO
            assert await stored(ingest.bus, streams.FILES, f"file.{ingest.tenant}.>") == []
            await server.object(key, b"something else")
            assert refused(await ingest.http.get(given.url), 410, "attachment.lost")


async def test_a_mails_file_is_kept_while_no_store_answers(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service says so and does its work."""
    monkeypatch.setattr(s3, "RETRY", Backoff(first_seconds=0.001, longest_seconds=0.002))
    port, nobody = free_ports(2)
    async with running(
        ingest_nats.url,
        tmp_path,
        port=port,
        secrets="FILES_ACCESS_KEY=x\nFILES_SECRET_KEY=y\n",
        files_url=f"s3+http://127.0.0.1:{nobody}/files",
    ) as ingest:
        given = await address_of(ingest, await attachment_of_a_mail(ingest))
        assert (await ingest.http.get(given.url)).content == PHOTO
        health = msgspec.json.decode(await ingest.bus.request("ops.ingest.health"))
        assert "files.unavailable" in {each["code"] for each in health["troubles"]}


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.shop.example/files",
        "s3+https://s3.shop.example",
        "s3+https://s3.shop.example/",
        "s3+https://key:secret@s3.shop.example/files",
        "s3+https://s3.shop.example/files?x=1",
        "s3+ftp://s3.shop.example/files",
    ],
)
def test_an_address_that_is_no_bucket_is_refused(url: str) -> None:
    """A key in it, which every log would show, as well."""
    with pytest.raises(errors.SettingInvalid, match="TELLONCE_FILES_URL"):
        load({"TELLONCE_FILES_URL": url})


async def test_a_store_without_its_secrets_is_refused() -> None:
    """At start, by the names of what is lacking."""
    with pytest.raises(errors.SettingInvalid, match="FILES_SECRET_KEY"):
        async with s3.opened(
            Settings(files_url="s3+https://s3.shop.example/files"), {"FILES_ACCESS_KEY": "x"}
        ):
            raise AssertionError("it must not begin")
