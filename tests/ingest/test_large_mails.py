"""Mails with a photograph: from the door into the store and on, a lost body, and a death in between."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from deploy.embedded.ports import free_ports
from services.ingest.domain.delivery import BodyReference, WebRequest
from services.ingest.handlers import doors, fate_reader
from services.ingest.handlers.accounts import Accounts, Door
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.chunks import CHUNK_BYTES
from services.ingest.handlers.fate_reader import FateReader
from services.ingest.handlers.normalise import Normaliser
from services.ingest.handlers.raw_store import BODY_FIELD, RawStore
from shared import ids, policy, streams, subjects
from shared.bus import Bus, connect
from shared.codec import PlainCodec
from shared.contact_log import ContactLog
from shared.errors import DoorUnavailable, SignatureInvalid, TimedOut
from shared.policies import Policies
from tests.ingest.large_mails import PHOTO, mail_of, photograph
from tests.ingest.running_ingest import (
    RECEIVED,
    SECRET,
    RunningIngest,
    make_consumers,
    make_settings,
    running,
    signed,
    stored,
    until,
    visit_reader,
    visit_store,
)
from tests.ingest.test_crowds import Connection, connected, read_all, statuses_of_good
from tests.ingest.test_doors import refused
from tests.support.contacts import alone
from tests.support.servers import EmbeddedNats

MAIL = mail_of(PHOTO)


async def chunks_of(bus: Bus, tenant: str, sha256: str) -> dict[str, int]:
    """The subjects of a body's chunks, each with the number of its messages."""
    wanted = {"subjects_filter": f"body.{tenant}.{sha256}.*"}
    info = await bus.api(f"STREAM.INFO.{streams.BODIES}", wanted)
    return dict(info["state"].get("subjects") or {})


async def test_a_mail_of_25_megabytes_is_taken_stored_and_read(ingest: RunningIngest) -> None:
    """RAW holds the hash and the size, the event what the photograph is; both are small, and every byte is kept."""
    photo = photograph(18_900_000)
    mail = mail_of(photo)
    assert 25_000_000 < len(mail) <= ingest.settings.mail_max_bytes
    answer = await ingest.send("email", mail, webhook_id="w1")
    assert answer.status_code == 204
    (delivery,) = await ingest.raw("email")
    assert delivery.body == b""
    ref = msgspec.json.decode(delivery.headers[BODY_FIELD], type=BodyReference)
    assert (ref.sha256, ref.size_bytes) == (ids.body_sha256(mail), len(mail))
    (event,) = await until(lambda: events_of(ingest.bus, ingest.tenant, 1), 60)
    assert event["type"] == "message.received"
    assert event["rawref"] == f"{delivery.sequence}:{ids.body_sha256(mail)}"
    assert event["data"]["open"]["attachments"] == 1
    assert event["data"]["personal"]["text"] == "See the photograph."
    assert event["data"]["personal"]["files"] == [
        {
            "name": "photo.jpg",
            "media_type": "image/jpeg",
            "size_bytes": len(photo),
            "sha256": ids.body_sha256(photo),
            "source": None,
        }
    ]
    found = await stored(ingest.bus, streams.BODIES, f"body.{ingest.tenant}.{ref.sha256}.*")
    in_order = sorted(found, key=lambda each: int(each.subject.rpartition(".")[2]))
    assert b"".join(each.body for each in in_order) == mail


async def events_of(bus: Bus, tenant: str, count: int) -> list[dict[str, Any]] | None:
    """The events of mails, when there are so many; what becomes of their files is left out."""
    found = await stored(bus, streams.CONTACTS, f"contact.*.{tenant}.email.*")
    about = [msgspec.json.decode(each.body) for each in found]
    mails = [each for each in about if not each["type"].startswith("attachment.")]
    return mails if len(mails) >= count else None


async def test_the_same_mail_twice_is_one(ingest: RunningIngest) -> None:
    """Two deliveries, one event, and its bytes once."""
    for _ in range(2):
        assert (await ingest.send("email", MAIL, webhook_id="w1")).status_code == 204
    await ingest.normalised("email")
    assert len(await ingest.raw("email")) == 2
    assert len(await ingest.contacts("email", 1)) == 1
    chunks = await chunks_of(ingest.bus, ingest.tenant, ids.body_sha256(MAIL))
    assert set(chunks.values()) == {1}
    assert len(chunks) == -(-len(MAIL) // CHUNK_BYTES)


async def test_a_mail_door_takes_more_than_others_and_no_more_than_its_limit(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """The medium of the account decides; beyond it 413 with its code, declared or not, and nothing is stored."""
    port = free_ports(1)[0]
    async with running(ingest_nats.url, tmp_path, port=port, mail_max_bytes=len(MAIL)) as ingest:

        async def pieces() -> AsyncIterator[bytes]:
            yield MAIL
            yield b"\n"

        assert refused(
            await ingest.send("email", MAIL + b"\n", webhook_id="w1"), 413, "door.body_too_large"
        )
        assert refused(
            await ingest.send_pieces("email", MAIL + b"\n", pieces()), 413, "door.body_too_large"
        )
        answer = await ingest.send("form", MAIL, webhook_id="w2")
        assert refused(answer, 413, "door.body_too_large")
        assert await ingest.raw("email") == []
        assert (await ingest.send("email", MAIL, webhook_id="w3")).status_code == 204


async def test_a_large_forgery_is_refused_and_nothing_of_it_is_stored(
    ingest: RunningIngest,
) -> None:
    """Not even a chunk: who has proved nothing fills no disk."""
    answer = await ingest.http.post(ingest.door("email"), content=MAIL, headers=signed("x", MAIL))
    assert refused(answer, 403, "door.signature_invalid")
    assert await chunks_of(ingest.bus, ingest.tenant, ids.body_sha256(MAIL)) == {}


def test_a_refusal_lets_go_of_what_it_refuses() -> None:
    """A large body is not held by the frames of its error while the rest of it is thrown away."""

    class Body:
        """Whatever came."""

    def verify() -> None:
        body = Body()
        held.append(weakref.ref(body))
        raise SignatureInvalid

    def take() -> None:
        try:
            verify()
        except SignatureInvalid as cause:
            raise DoorUnavailable from cause

    held: list[weakref.ref[Body]] = []
    with pytest.raises(DoorUnavailable) as refusal:
        take()
    assert held[0]() is not None
    doors.let_go(refusal.value)
    assert held[0]() is None


async def test_twenty_large_mails_at_once_stay_within_the_room_and_small_ones_pass(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """As many as fit are taken, the others hear at once that they shall come again, and do."""
    port = free_ports(1)[0]
    most = 3 * len(MAIL) * 4 // 3 + 100
    async with running(
        ingest_nats.url, tmp_path, port=port, bodies_max_bytes=most, door_timeout_seconds=60.0
    ) as ingest:
        head = mail_head(ingest, MAIL)
        async with connected(ingest, 20, head + MAIL[:-1]) as made:
            assert await statuses_of_good(ingest, 20) == {204}
            answers = [asyncio.create_task(read_all(reader)) for reader, _ in made]
            await until(lambda: all_but(answers, 3))
            assert await statuses_of_good(ingest, 5) == {204}
            turned_away = [each.result() for each in answers if each.done()]
            assert all(each.startswith(b"HTTP/1.1 503") for each in turned_away)
            assert all(b"door.bodies_too_many" in each for each in turned_away)
            taken = [await finished(*each) for each in zip(answers, made, strict=True)]
        assert 1 <= sum(each.startswith(b"HTTP/1.1 204") for each in taken) <= 3
        assert (await ingest.send("email", MAIL, webhook_id="w1")).status_code == 204


def mail_head(ingest: RunningIngest, body: bytes) -> bytes:
    """The head of a signed delivery to the mail door, which asks for the connection's end."""
    path = ingest.door("email").removeprefix(ingest.url)
    fields = [f"{name}: {value}" for name, value in signed(SECRET, body).items()]
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


async def all_but(answers: Sequence[asyncio.Task[bytes]], most: int) -> bool | None:
    return True if sum(not each.done() for each in answers) <= most else None


async def finished(answer: asyncio.Task[bytes], connection: Connection) -> bytes:
    """Send the last byte of a mail that still waits for it; return the answer."""
    if not answer.done():
        connection[1].write(MAIL[-1:])
    return await answer


# -- without a running service ----------------------------------------------------------------------------


class Place:
    """A mail account, its store and its normaliser."""

    def __init__(self, bus: Bus, door: Door) -> None:
        self.bus, self.door, self.bodies = bus, door, BodyStore(bus)

    async def put(self, body: bytes, store: RawStore | None = None) -> int:
        store = store or RawStore(self.bus, self.bodies, 16_384)
        request = WebRequest("POST", "/", [], body, RECEIVED)
        ack = await store.append(self.door.tenant, "email", self.door.account, request)
        return ack.sequence

    async def normalised(self, count: int) -> list[dict[str, Any]]:
        """The first events, in order, once there are so many."""
        contacts, visited = ContactLog(self.bus, PlainCodec(), alone), visit_store(self.bus)
        worker = asyncio.create_task(
            Normaliser(self.bus, self.bodies, contacts, visited, self.door, 64).run()
        )
        try:
            return await until(lambda: events_of(self.bus, self.door.tenant, count))
        finally:
            worker.cancel()


@pytest.fixture
async def place(ingest_nats: EmbeddedNats, tmp_path: Path) -> AsyncIterator[Place]:
    """A mail account on a real server that no service reads."""
    settings, tenant, account = make_settings(ingest_nats.url, tmp_path)
    bus = await connect(ingest_nats.url, "tests")
    await make_consumers(bus, settings, tenant, account)
    accounts = Accounts(Policies(policy.load(settings.policy)), {"DOOR_SECRET": SECRET})
    yield Place(bus, accounts.find(tenant, "email", account))
    await bus.close()


class DiesBeforeRaw(RawStore):
    """Ends when the chunks are stored and RAW is not."""

    class Death(Exception):
        """The end of the process."""

    @override
    async def append(self, *args: Any, **named: Any) -> Any:
        bus = self._bus

        class Dying:
            async def store(self, subject: str, *rest: Any, **more: Any) -> Any:
                if subject.startswith("raw."):
                    raise DiesBeforeRaw.Death
                return await bus.store(subject, *rest, **more)

        self._bus = Dying()  # type: ignore[assignment]
        return await super().append(*args, **named)


async def test_a_death_between_the_chunks_and_raw_acknowledges_nothing_and_loses_nothing(
    place: Place,
) -> None:
    """What was stored names no delivery; the mail comes again, takes the place of its own chunks, and is read."""
    with pytest.raises(DiesBeforeRaw.Death):
        await place.put(MAIL, DiesBeforeRaw(place.bus, place.bodies, 16_384))
    sha256 = ids.body_sha256(MAIL)
    left = await chunks_of(place.bus, place.door.tenant, sha256)
    assert len(left) == -(-len(MAIL) // CHUNK_BYTES)
    assert await stored(place.bus, streams.RAW, raw_subject(place)) == []
    await place.put(MAIL)
    (event,) = await place.normalised(1)
    assert event["type"] == "message.received"
    assert await chunks_of(place.bus, place.door.tenant, sha256) == left


def raw_subject(place: Place) -> str:
    return subjects.raw(place.door.tenant, "email", place.door.account)


async def remove(place: Place, subject: str) -> None:
    await place.bus.api(f"STREAM.PURGE.{streams.BODIES}", {"filter": subject})


async def damage(place: Place, subject: str) -> None:
    await place.bus.store(subject, b"something else")


@pytest.mark.parametrize(
    ("harm", "code"), [(remove, "payload.body_missing"), (damage, "payload.body_damaged")]
)
async def test_a_lost_body_is_quarantined_and_keeps_nobody_waiting(
    place: Place, harm: Any, code: str
) -> None:
    """The event names the delivery and the hash of what is lost; the next mail is read; sent again, it is read too."""
    sequence = await place.put(MAIL)
    sha256 = ids.body_sha256(MAIL)
    await harm(place, f"body.{place.door.tenant}.{sha256}.1")
    await place.put(mail_of(photograph(400_000), name=b"m2"))
    lost, read = await place.normalised(2)
    assert lost["type"] == "payload.quarantined"
    assert lost["data"]["open"]["code"] == code
    assert lost["rawref"] == f"{sequence}:{sha256}"
    assert read["type"] == "message.received"
    await place.put(MAIL)
    assert (await place.normalised(3))[2]["type"] == "message.received"


class LateAnswers:
    """A bus of which every second answer about a chunk does not come."""

    def __init__(self, bus: Bus) -> None:
        self._bus, self._asked = bus, 0

    async def leader_get(self, *args: Any, **asked: Any) -> Any:
        self._asked += 1
        if self._asked % 2:
            raise TimedOut
        return await self._bus.leader_get(*args, **asked)


async def test_an_answer_that_does_not_come_is_asked_for_again(place: Place) -> None:
    """One late chunk of a hundred does not make the others be read anew, nor is it taken for a lost one."""
    await place.put(MAIL)
    (message,) = await stored(place.bus, streams.RAW, raw_subject(place))
    delivery = fate_reader.raw_of(place.door, message)
    late = BodyStore(LateAnswers(place.bus))  # type: ignore[arg-type]
    async with late.whole(delivery) as whole:
        assert (whole.body, whole.lost) == (MAIL, None)


async def test_a_reference_that_nobody_can_read_stops_nothing(place: Place) -> None:
    """Another hand's, or a broken one: the delivery is quarantined like any other that says nothing."""
    for number, written in enumerate(("{", '{"sha256":"x","size_bytes":1,"chunks":1}')):
        await place.bus.store(
            raw_subject(place), b"", msg_id=f"{place.door.tenant}-{number}", headers={BODY_FIELD: written}
        )  # fmt: skip
    await place.put(b"From: a@b.example\r\n\r\nhello")
    lost, read = await place.normalised(2)
    assert lost["data"]["open"]["code"] == "payload.unreadable"
    assert read["type"] == "message.received"


async def test_a_store_without_room_for_bodies_is_a_503(place: Place) -> None:
    """What does not store the chunks does not acknowledge the mail."""
    config = (await place.bus.api(f"STREAM.INFO.{streams.BODIES}"))["config"]
    await place.bus.api(f"STREAM.UPDATE.{streams.BODIES}", {**config, "max_msg_size": 10})
    try:
        with pytest.raises(DoorUnavailable):
            await place.put(MAIL)
        assert await stored(place.bus, streams.RAW, raw_subject(place)) == []
    finally:
        await place.bus.api(f"STREAM.UPDATE.{streams.BODIES}", config)


async def test_a_batch_of_large_mails_is_published_portion_by_portion(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, each once, although the batch is longer than what is read in one go."""
    monkeypatch.setattr("services.ingest.handlers.normalise.PORTION_BYTES", len(MAIL) + 100)
    for number in range(4):
        await place.put(mail_of(photograph(300_000, number), name=b"m%d" % number))
        await place.put(b"From: a@b.example\r\nMessage-ID: <s%d@b.example>\r\n\r\nx" % number)
    events = await place.normalised(8)
    named = [event["data"]["open"]["provider_id"].partition("@")[0] for event in events]
    assert named == ["m0", "s0", "m1", "s1", "m2", "s2", "m3", "s3"]


async def test_what_a_large_mail_makes_is_remembered_while_it_is_undecided(place: Place) -> None:
    """The tally asks again and again what became of it, and does not parse it again for that; a proof does."""
    await place.put(MAIL)
    (message,) = await stored(place.bus, streams.RAW, raw_subject(place))
    delivery = fate_reader.raw_of(place.door, message)
    asked: list[list[str]] = []

    async def nothing(_: str, names: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
        asked.append(list(names))
        return {}, {}

    remembered: dict[int, fate_reader.Made] = {}
    for _ in range(2):
        counting = FateReader(place.bus, place.bodies, visit_reader(place.bus), 0, remembered)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(counting, "_known", nothing)
            assert await counting.fates(place.door, [delivery]) == [(message.sequence, "missing")]
        await remove(place, f"body.{place.door.tenant}.{ids.body_sha256(MAIL)}.0")
    proving = FateReader(place.bus, place.bodies, visit_reader(place.bus), 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proving, "_known", nothing)
        await proving.fates(place.door, [delivery])
    assert asked[0] == asked[1] != asked[2]
