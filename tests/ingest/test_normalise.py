"""RAW to CONTACTS: order, quarantine, repeats, and a death between publishing and acknowledging."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from services.ingest.domain.delivery import RawDelivery, WebRequest
from services.ingest.handlers.accounts import Accounts, Door
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.normalise import Normaliser
from services.ingest.handlers.parsing import Reading, read_all
from services.ingest.handlers.raw_store import RawStore
from shared import ensuring, ids, policy, streams, subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import Delivery
from shared.codec import PlainCodec, decode
from shared.contact_log import ContactLog
from shared.errors import BusUnavailable
from shared.policies import Policies
from tests.ingest.running_ingest import (
    RECEIVED,
    SECRET,
    RunningIngest,
    make_consumers,
    make_settings,
    stored,
    until,
    visit_store,
)
from tests.support.contacts import alone
from tests.support.servers import EmbeddedNats

JSON = {"content-type": "application/json"}
CALL = {"CallSid": "CA1", "From": "+48601234567", "Direction": "inbound"}


async def test_an_event_names_its_delivery_and_stands_under_its_id(ingest: RunningIngest) -> None:
    """The message id on CONTACTS is the event's id; `rawref` names the position in RAW and the body's hash."""
    await ingest.call({**CALL, "CallStatus": "ringing"})
    (event,) = await ingest.contacts("twilio_voice", 1)
    (delivery,) = await ingest.raw("twilio_voice")
    assert event["rawref"] == f"{delivery.sequence}:{ids.body_sha256(delivery.body)}"
    assert event["recordedtime"][:19] == delivery.headers["Tellonce-Received"][:19]
    subject = subjects.contact(
        ingest.tenant, "twilio_voice", "CA1", event["id"], streams.contact_partitions("live")
    )
    (message,) = await stored(ingest.bus, streams.CONTACTS, subject)
    assert message.headers["Nats-Msg-Id"] == event["id"]
    assert decode(message.body).tenant == ingest.tenant


async def test_a_call_is_told_in_order(ingest: RunningIngest) -> None:
    """All events of a call are in one partition, in the order of its webhooks."""
    for status, more in (
        ("ringing", {}),
        ("in-progress", {"Digits": "2"}),
        ("in-progress", {"CallbackSource": "call-progress-events"}),
        ("completed", {"CallDuration": "60"}),
    ):
        await ingest.call({**CALL, "CallStatus": status, **more})
    events = await ingest.contacts("twilio_voice", 4)
    assert [event["type"] for event in events] == [
        "call.started",
        "call.answered",
        "call.menu_selected",
        "call.ended",
    ]


async def test_repeats_are_stored_and_counted_once(ingest: RunningIngest) -> None:
    """Five times the same delivery: five in RAW, one in CONTACTS."""
    for _ in range(5):
        await ingest.send("form", b'{"submission_id":"f-1"}', webhook_id="w1", **JSON)
    await ingest.normalised("form")
    assert len(await ingest.raw("form")) == 5
    assert len(await ingest.contacts("form", 1)) == 1


@pytest.mark.parametrize(
    ("channel", "body", "code"),
    [
        ("email", b"\x00\xff no mail", "payload.unreadable"),
        ("form", b"\xff", "payload.unreadable"),
        ("chat", b"{", "payload.unreadable"),
    ],
)
async def test_what_cannot_be_read_is_quarantined_once(
    ingest: RunningIngest, channel: str, body: bytes, code: str
) -> None:
    """Taken with 2xx, recorded with its code and its evidence, and what comes after it is read."""
    for number in range(2):
        answer = await ingest.send(channel, body, webhook_id=f"w{number}", **JSON)
        assert answer.status_code == 204
    await ingest.normalised(channel)
    (event,) = await ingest.contacts(channel, 1)
    assert event["type"] == "payload.quarantined"
    assert event["data"]["open"] == {
        "channel": channel,
        "account": ingest.account,
        "code": code,
        "kind": None,
        "words": False,
    }
    assert event["rawref"].endswith(ids.body_sha256(body))
    good = (
        b"From: a@b.example\r\n\r\nhi"
        if channel == "email"
        else b'{"session":"s","id":"m","text":"x"}'
    )
    await ingest.send(channel, good, webhook_id="w9", **JSON)
    assert len(await ingest.contacts(channel, 2)) == 2


async def test_an_unknown_kind_is_quarantined_by_its_name(ingest: RunningIngest) -> None:
    """A webhook of a kind that the table does not hold survives."""
    answer = await ingest.call({**CALL, "CallStatus": "levitating"})
    assert answer.status_code == 200
    (event,) = await ingest.contacts("twilio_voice", 1)
    assert event["data"]["open"]["code"] == "payload.kind_unknown"
    assert event["data"]["open"]["kind"] == "levitating"


async def test_a_mail_as_large_as_a_door_takes_fits_the_bus(ingest: RunningIngest) -> None:
    """The worst text for JSON, beyond what a message holds."""
    body = b"From: a@b.example\r\n\r\n".ljust(2 * ingest.settings.body_max_bytes, b"\x01")
    await ingest.send("email", body, webhook_id="w1")
    (event,) = await ingest.contacts("email", 1)
    assert event["type"] == "message.received"


async def test_a_message_that_another_hand_put_into_raw_stops_nothing(
    ingest: RunningIngest,
) -> None:
    """Without our headers, or with broken ones, it is read as received when it was stored."""
    subject = subjects.raw(ingest.tenant, "form", ingest.account)
    body = b'{"message":"hello"}'
    for number, fields in enumerate(({}, {"Tellonce-Headers": "[[", "Tellonce-Received": "noon"})):
        await ingest.bus.store(subject, body, msg_id=f"{ingest.tenant}-{number}", headers=fields)
    await ingest.send("form", body, webhook_id="w1", **JSON)
    first, second = await ingest.contacts("form", 2)
    assert first["data"]["open"]["provider_id"] == ids.body_sha256(body)
    assert second["data"]["open"]["provider_id"] == "w1"


# -- a death at the worst moment -------------------------------------------------------------------------


class Death(Exception):
    """The process ends here."""


class DiesBeforeAck:
    """A delivery whose consumer is killed when it is about to acknowledge."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def __getattr__(self, name: str) -> Any:
        return getattr(self._delivery, name)

    async def ack(self) -> None:
        raise Death


class LostBeforeAck(DiesBeforeAck):
    """A delivery whose server is killed when it is about to be acknowledged."""

    @override
    async def ack(self) -> None:
        raise BusUnavailable


@pytest.fixture
async def place(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> AsyncIterator[tuple[Bus, Door, RawStore]]:
    """The parts of a normaliser, without a service around them."""
    settings, tenant, account = make_settings(ingest_nats.url, tmp_path)
    bus = await connect(ingest_nats.url, "tests")
    await make_consumers(bus, settings, tenant, account)
    accounts = Accounts(Policies(policy.load(settings.policy)), {"DOOR_SECRET": SECRET})
    door = accounts.find(tenant, "form", account)
    yield bus, door, RawStore(bus, BodyStore(bus), settings.header_max_bytes)
    await bus.close()


async def put(place: tuple[Bus, Door, RawStore], number: int) -> None:
    _, door, store = place
    body = json.dumps({"submission_id": f"f-{number}"}).encode()
    request = WebRequest("POST", "/", [("content-type", "application/json")], body, RECEIVED)
    await store.append(door.tenant, "form", door.account, request)


async def test_a_death_between_publishing_and_acknowledging_doubles_nothing(
    place: tuple[Bus, Door, RawStore],
) -> None:
    """The batch is given again, its events have the same ids, and all of it is acknowledged at last."""
    bus, door, _ = place
    for number in range(20):
        await put(place, number)
    durable = streams.ingest_normalise(door.tenant, "form", door.account)
    dying = Normaliser(
        bus, BodyStore(bus), ContactLog(bus, PlainCodec(), alone), visit_store(bus), door, 64
    )
    async for batch in bus.pull(streams.RAW, durable, batch=64):
        with pytest.raises(Death):
            await dying.take([DiesBeforeAck(each) for each in batch])  # type: ignore[misc]
        break
    wildcard = f"contact.*.{door.tenant}.form.*"
    assert await stored(bus, streams.CONTACTS, wildcard) != []

    heir = asyncio.create_task(
        Normaliser(
            bus, BodyStore(bus), ContactLog(bus, PlainCodec(), alone), visit_store(bus), door, 64
        ).run()
    )

    async def look() -> bool | None:
        state = await bus.api(f"CONSUMER.INFO.{streams.RAW}.{durable}")
        return True if state["num_pending"] + state["num_ack_pending"] == 0 else None

    await until(look)
    heir.cancel()
    events = [
        msgspec.json.decode(each.body) for each in await stored(bus, streams.CONTACTS, wildcard)
    ]
    named = [event["data"]["open"]["provider_id"] for event in events]
    assert named == [f"f-{number}" for number in range(20)]


async def test_a_server_lost_before_the_acknowledgement_does_not_end_the_normaliser(
    place: tuple[Bus, Door, RawStore],
) -> None:
    """What could not be acknowledged is given again; until then the normaliser works on."""
    bus, door, _ = place
    await put(place, 1)
    durable = streams.ingest_normalise(door.tenant, "form", door.account)
    normaliser = Normaliser(
        bus, BodyStore(bus), ContactLog(bus, PlainCodec(), alone), visit_store(bus), door, 64
    )
    attempts = []
    async for batch in bus.pull(streams.RAW, durable, batch=64):
        attempts += [each.attempt for each in batch]
        if len(attempts) > 1:
            break
        await normaliser.take([LostBeforeAck(each) for each in batch])  # type: ignore[misc]
    assert attempts == [1, 2]
    assert len(await stored(bus, streams.CONTACTS, f"contact.*.{door.tenant}.form.*")) == 1


class Recorder:
    """Takes what a delivery tells its consumer."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []

    async def publish(self, subject: str, body: bytes = b"", **_: Any) -> None:
        self.said.append((subject, body))

    def all_held(self, deliveries: int) -> bool:
        return {subject for subject, body in self.said if body == b"+WPI"} == {
            f"$JS.ACK.{number}" for number in range(deliveries)
        }


async def test_a_batch_that_takes_long_to_read_is_held_until_it_is_done(
    place: tuple[Bus, Door, RawStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its deliveries says so while they are parsed, and is then acknowledged, not given again."""
    bus, door, _ = place
    said = Recorder()

    async def read_slowly(raws: Sequence[RawDelivery], bodies: BodyStore) -> list[Reading]:
        await until(_held)
        return await read_all(raws, bodies)

    async def _held() -> bool | None:
        return True if said.all_held(3) else None

    monkeypatch.setattr("services.ingest.handlers.parsing.read_all", read_slowly)
    batch = [
        Delivery("raw", b"{}", {}, number + 1, RECEIVED, 1, 0, f"$JS.ACK.{number}", said)
        for number in range(3)
    ]
    await Normaliser(
        bus, BodyStore(bus), ContactLog(bus, PlainCodec(), alone), visit_store(bus), door, 64
    ).take(batch)
    assert [body for _, body in said.said[-3:]] == [b"+ACK"] * 3


async def test_a_store_that_refuses_is_waited_for_and_order_is_kept(
    place: tuple[Bus, Door, RawStore],
) -> None:
    """While CONTACTS takes nothing, nothing is acknowledged; when it does, all is there in order."""
    bus, door, _ = place
    consumers = streams.ingest_consumers(door.tenant, [door.name], 8)
    await ensuring.ensure(bus, streams.WantedStreams(consumers=consumers))
    config = (await bus.api("STREAM.INFO.CONTACTS"))["config"]
    await bus.api("STREAM.UPDATE.CONTACTS", {**config, "max_msg_size": 10})
    wildcard = f"contact.*.{door.tenant}.form.*"
    worker = asyncio.create_task(
        Normaliser(
            bus, BodyStore(bus), ContactLog(bus, PlainCodec(), alone), visit_store(bus), door, 8
        ).run()
    )
    try:
        for number in range(20):
            await put(place, number)
        state = await until(lambda: _taken(bus, door))
        assert state["ack_floor"]["consumer_seq"] == 0
        assert await stored(bus, streams.CONTACTS, wildcard) == []
    finally:
        await bus.api("STREAM.UPDATE.CONTACTS", config)

    async def look() -> list[Any] | None:
        found = await stored(bus, streams.CONTACTS, wildcard)
        return found if len(found) == 20 else None

    events = [msgspec.json.decode(each.body) for each in await until(look)]
    worker.cancel()
    named = [event["data"]["open"]["provider_id"] for event in events]
    assert named == [f"f-{number}" for number in range(20)]


async def _taken(bus: Bus, door: Door) -> Any:
    """The consumer's state once its first batch is given out."""
    name = streams.ingest_normalise(door.tenant, "form", door.account)
    state = await bus.api(f"CONSUMER.INFO.{streams.RAW}.{name}")
    return state if state["num_ack_pending"] == 8 else None
