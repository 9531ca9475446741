"""Text messages of providers that sign nothing: their secret, their own shapes, and what comes by GET."""

import json

import pytest

from services.ingest.channels import sms
from services.ingest.domain.delivery import WebRequest
from services.ingest.domain.outcome import Ignored, Quarantined
from shared.errors import SignatureInvalid
from shared.policy import Account
from tests.ingest.running_ingest import (
    GOLDEN,
    PUBLIC,
    RECEIVED,
    SECRET,
    RunningIngest,
    form_body,
    parsed,
    raw,
    wire,
)
from tests.support.own_ids import CONVERSATION, MESSAGE

WRITER = "+48601234567"


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def accepted(query: str, method: str = "POST", secret: str = SECRET) -> bool:
    request = WebRequest(method, f"/in/demo/sms/main{query}", [], b"MsgId=1&status=404", RECEIVED)
    try:
        sms.verify(request, {"signing": secret}, PUBLIC)
    except SignatureInvalid:
        return False
    return True


def test_the_secret_in_the_address_opens_the_door() -> None:
    """It is the parameter `token`, whatever else stands there, and by either method."""
    assert accepted(f"?token={SECRET}")
    assert accepted(f"?a=1&token={SECRET}&MsgId=1", "GET")
    assert accepted("?token=a%20b%C5%82", secret="a bł")
    for wrong in ("", "?token=", "?token=wrong", f"?Token={SECRET}", f"?token=x&token={SECRET}"):
        assert not accepted(wrong)


def test_it_is_answered_as_the_provider_wants() -> None:
    """Without `OK` it asks again."""
    request = WebRequest("POST", "/in/demo/sms/main", [], b"", RECEIVED)
    answer = sms.answer(request, Account(queue="hotline"))
    assert (answer.body, answer.media_type) == (b"OK", "text/plain")


def test_a_message_with_every_field() -> None:
    """Its own id is none: MsgId is the message of ours that it answers."""
    delivery = raw("sms", golden("smsapi_received.form"))
    (event,) = parsed(delivery)
    assert wire(event)["time"] == "2026-11-22T09:30:00Z"
    assert event.open.provider_id == f"{WRITER}/1795339800"
    assert event.open.refers_to == "6A1B2C3D4E5F60718293A4B5"
    assert event.personal.text == "Gdzie jest paczka? ORD-1234"
    assert [(each.kind, each.value) for each in event.personal.handles] == [("phone", WRITER)]


def test_two_messages_of_one_second_are_two() -> None:
    """A long one comes whole; what differs is what she said."""
    told = {"sms_from": "48601234567", "sms_date": "1795339800", "MsgId": "6A"}
    ids = {
        parsed(raw("sms", form_body(**told, sms_text=text)))[0].id
        for text in ("one", "two", "one", "two")
    }
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0048601234567", WRITER),
        (" 48601234567", WRITER),
        ("Bank", "sms:Bank"),
        ("4855", "sms:4855"),
    ],
)
def test_a_sender_is_a_number_with_its_country_or_a_name(written: str, value: str) -> None:
    """The provider writes numbers without a plus; what nobody can dial is known as it is written."""
    (event,) = parsed(raw("sms", form_body(sms_from=written, sms_text="x")))
    assert [each.value for each in event.personal.handles] == [value]


def test_several_reports_come_side_by_side() -> None:
    """Each of one message, by the provider's id and by our reference, at its own time; one on its way is none."""
    delivered, failed = parsed(raw("sms", golden("smsapi_reports.query")))
    assert (delivered.type, delivered.conversation) == ("message.delivered", CONVERSATION)
    assert (delivered.open.message_id, delivered.open.refers_to) == (MESSAGE, "6A01")
    assert wire(delivered)["time"] == "2026-11-22T09:30:00Z"
    assert [each.value for each in delivered.personal.handles] == [WRITER]
    assert (failed.type, failed.open.reason) == ("message.failed", "smsapi_405")
    assert (failed.open.message_id, failed.open.refers_to) == (None, "6A02")


def test_one_report_that_is_not_known_costs_no_other() -> None:
    """It is kept beside them for a person."""
    known, kept = parsed(raw("sms", b"MsgId=6A01,6A02&status=404,999"))
    assert (known.type, kept.type) == ("message.delivered", "payload.quarantined")
    assert (kept.open.code, kept.open.kind) == ("payload.kind_unknown", "999")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("402", "message.failed"),
        ("403", "message.sent"),
        ("404", "message.delivered"),
        ("405", "message.failed"),
        ("406", "message.failed"),
        ("407", "message.failed"),
        ("412", "message.failed"),
    ],
)
def test_each_status_has_its_kind(status: str, kind: str) -> None:
    """The table of the provider's numbers, one by one."""
    (event,) = parsed(raw("sms", form_body(MsgId="6A", status=status)))
    assert event.type == kind


def test_a_report_that_says_nothing_new_is_ignored_and_an_unknown_one_kept() -> None:
    """By the provider's number."""
    assert sms.parse(raw("sms", b"MsgId=6A&status=409")) == Ignored("409")
    unknown = Quarantined("payload.kind_unknown", "999")
    assert sms.parse(raw("sms", b"MsgId=6A&status=999")) == unknown
    assert sms.parse(raw("sms", b"MsgId=&status=404")) == Quarantined("payload.unreadable")


def test_another_shape_a_list_of_events() -> None:
    """Each around its message; a message by itself says the same."""
    events = json.loads(golden("bandwidth_events.json"))
    received, failed = parsed(raw("sms", golden("bandwidth_events.json")))
    assert (received.type, received.open.provider_id) == ("message.received", "b-1")
    assert wire(received)["time"] == "2026-11-22T09:28:07.500000Z"
    (file,) = received.personal.files
    assert (file.name, file.source) == ("photo.jpg", events[0]["message"]["media"][0])
    assert (failed.type, failed.open.reason) == ("message.failed", "bandwidth_4720")
    assert (failed.open.message_id, failed.conversation) == (MESSAGE, CONVERSATION)
    (alone,) = parsed(raw("sms", json.dumps(events[0]["message"]).encode()))
    assert alone.id == received.id
    (short,) = parsed(raw("sms", json.dumps([{**events[1], "errorCode": 995}]).encode()))
    assert short.open.reason == "bandwidth_995"
    queued = {**events[1], "type": "queued"}
    assert sms.parse(raw("sms", json.dumps([queued]).encode())) == Ignored("queued")


async def test_a_report_by_get_is_stored_without_its_secret(ingest: RunningIngest) -> None:
    """Its query is its body; the provider hears OK, and nowhere stands what opens the door."""
    query = golden("smsapi_reports.query").decode()
    answer = await ingest.http.get(f"{ingest.door('sms')}?token={SECRET}&{query}")
    assert (answer.status_code, answer.text) == (200, "OK")
    (stored,) = await ingest.raw("sms")
    assert stored.body.decode() == query
    assert SECRET not in stored.headers["Tellonce-Path"]
    told = await ingest.contacts("sms", 2)
    assert [each["type"] for each in told] == ["message.delivered", "message.failed"]
    refused = await ingest.http.get(f"{ingest.door('sms')}?token=wrong&{query}")
    assert (refused.status_code, refused.json()["code"]) == (403, "door.signature_invalid")
