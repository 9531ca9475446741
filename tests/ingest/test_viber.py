"""Viber's callbacks. The payloads are written from developers.viber.com/docs/api/rest-bot-api, read 2026-11."""

import hashlib
import hmac
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import viber
from services.ingest.domain.delivery import Answer, WebRequest
from services.ingest.domain.outcome import Ignored, Quarantined
from shared import ids
from shared.policy import Account
from tests.ingest.facts import VALUES, disorder, facts, told_of
from tests.ingest.running_ingest import GOLDEN, RECEIVED, Sample, parsed, raw, wire
from tests.support.own_ids import CONVERSATION, MESSAGE, WRITTEN

ANNA = {"id": "b3Zlci1hLXNob3A+Kw==", "name": "Anna Kowalska"}
AT = 1_795_339_800_627
AT_TEXT = "2026-11-22T09:30:00.627000Z"
TOKEN = 4_912_661_846_655_238_145
KNOWN = [
    ("reference", "viber/main/b3Zlci1hLXNob3A+Kw==", None),
    ("account", "viber:b3Zlci1hLXNob3A+Kw==", "proved"),
]


def by_content(secret: str, body: bytes) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-viber-content-signature": signature}


def callback(event: str, **fields: Any) -> bytes:
    told = {"event": event, "timestamp": AT, "message_token": TOKEN, **fields}
    return msgspec.json.encode(told)


def message(said: dict[str, Any], **fields: Any) -> bytes:
    return callback("message", sender=ANNA, message=said, **fields)


def one(body: bytes) -> Any:
    (event,) = parsed(raw("viber", body))
    return event


def handles_of(event: Any) -> list[tuple[str, str, str | None]]:
    return [(each.kind, each.value, each.proof) for each in event.personal.handles]


SAMPLE = Sample(message({"type": "text", "text": "Where is my parcel?"}), by_content)


def test_a_file_has_every_field() -> None:
    """It becomes message.received, its token whole to the last digit; each field of the event is asserted."""
    body = (GOLDEN / "viber_message.json").read_bytes()
    event = one(body)
    contact = ids.scoped_id("contact", "demo", "viber/main", ANNA["id"])
    token = "9223372036854775807"
    assert wire(event) == {
        "type": "message.received",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "viber", "main", token, "message.received"),
        "source": "tellonce/ingest",
        "time": AT_TEXT,
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:viber/main",
        "rawref": f"7:{ids.body_sha256(body)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "message",
                "channel": "viber",
                "account": "main",
                "provider_id": token,
                "provider_time": AT_TEXT,
                "automatic": False,
                "numbered": None,
                "in_reply_to": CONVERSATION,
                "attachments": 1,
                "refers_to": None,
            },
            "personal": {
                "handles": told_of(f"viber/main/{ANNA['id']}", f"viber:{ANNA['id']}"),
                "name": "Anna Kowalska",
                "text": "The label",
                "reply_text": None,
                "title": None,
                "references": [],
                "quoted": None,
                "files": [
                    {
                        "name": "label.pdf",
                        "media_type": "application/pdf",
                        "size_bytes": 10_000,
                        "sha256": None,
                        "source": "https://dl.viber.example/download?file=label.pdf&sig=1",
                    }
                ],
            },
        },
    }


@pytest.mark.parametrize(
    ("said", "text", "files"),
    [
        ({"type": "text", "text": "Hello"}, "Hello", []),
        ({"type": "url", "media": "https://shop.example/a"}, "https://shop.example/a", []),
        (
            {"type": "contact", "contact": {"name": "Jan", "phone_number": "+48601"}},
            "Jan\n+48601",
            [],
        ),
        ({"type": "location", "location": {"lat": 50.06, "lon": 19.94}}, "50.06, 19.94", []),
        (
            {"type": "location", "location": {"lat": "50.06", "lng": "19.94", "address": "Rynek"}},
            "Rynek\n50.06, 19.94",
            [],
        ),
        ({"type": "sticker", "sticker_id": 40_126}, "sticker 40126", []),
        (
            {"type": "rich_media", "rich_media": {"Buttons": [{"Text": "Yes"}, {"Text": "No"}]}},
            "Yes\nNo",
            [],
        ),
        ({"type": "rich_media", "alt_text": "Pick one", "rich_media": {}}, "Pick one", []),
        (
            {"type": "picture", "text": "Broken", "media": "https://x.example/a.png?e=1"},
            "Broken",
            [("https://x.example/a.png?e=1", "image/png")],
        ),
        (
            {"type": "picture", "media": "https://x.example/1"},
            "",
            [("https://x.example/1", "image/jpeg")],
        ),
        (
            {"type": "video", "media": "https://x.example/1", "size": 9},
            "",
            [("https://x.example/1", "video/mp4")],
        ),
        (
            {
                "type": "contact",
                "text": "Call him",
                "contact": {"name": "Jan", "phone_number": "+48601"},
            },
            "Call him\nJan\n+48601",
            [],
        ),
        (
            {"type": "url", "text": "This one", "media": "https://x.example/"},
            "This one\nhttps://x.example/",
            [],
        ),
        (
            {"type": "url", "text": "see https://x.example/", "media": "https://x.example/"},
            "see https://x.example/",
            [],
        ),
        ({"type": "sticker", "text": "Hi", "sticker_id": 40133}, "Hi", []),
        ({"type": "file", "media": ""}, "", []),
        ({"type": "file", "media": "http://["}, "", [("http://[", "application/octet-stream")]),
        ({"type": "thought", "text": "hm"}, "hm", []),
    ],
)
def test_every_type_of_message_is_told(
    said: dict[str, Any], text: str, files: list[tuple[str, str]]
) -> None:
    """In words, or as a file with the address that fetches it; a type that is new is a message all the same."""
    event = one(message(said))
    assert event.personal.text == text
    assert [(each.source, each.media_type) for each in event.personal.files] == files
    assert event.open.attachments == len(files)


@pytest.mark.parametrize(
    ("kind", "type_", "reason"),
    [
        ("delivered", "message.delivered", None),
        ("seen", "message.read", None),
        ("failed", "message.failed", "refused_by_provider"),
    ],
)
def test_what_became_of_a_message_names_it(kind: str, type_: str, reason: str | None) -> None:
    """By its token, with the customer's handles; our own reference, where it came back, leads to the conversation."""
    event = one(callback(kind, user_id=ANNA["id"], desc="She has left the country"))
    assert event.type == type_
    assert event.open.refers_to == event.open.provider_id == str(TOKEN)
    assert (event.open.reason, event.open.message_id, event.conversation) == (reason, None, None)
    assert wire(event)["time"] == AT_TEXT
    assert handles_of(event) == KNOWN
    known = one(callback(kind, user_id=ANNA["id"], tracking_data=WRITTEN))
    assert (known.open.message_id, known.conversation) == (MESSAGE, CONVERSATION)


def test_a_message_to_many_is_reported_of_each() -> None:
    """One token, two people: two facts."""
    first, second = (one(callback("seen", user_id=person)) for person in ("a=", "b="))
    assert first.id != second.id


@pytest.mark.parametrize(
    ("kind", "told", "type_"),
    [
        ("subscribed", {"user": ANNA}, "consent.given"),
        ("unsubscribed", {"user_id": ANNA["id"]}, "consent.withdrawn"),
    ],
)
def test_a_subscription_is_consent(kind: str, told: dict[str, Any], type_: str) -> None:
    """To begin it and to end it, each as often as she does."""
    event = one(callback(kind, **told))
    assert (event.type, event.open.said, event.open.provider_id) == (type_, kind, str(TOKEN))
    assert handles_of(event) == KNOWN
    first, later = (
        one(callback(kind, message_token=None, timestamp=AT + k, **told)) for k in (0, 1)
    )
    assert first.id != later.id


@pytest.mark.parametrize("kind", ["webhook", "conversation_started", "client_status", "action"])
def test_what_nobody_needs_is_ignored_by_name(kind: str) -> None:
    """A try of the address, and who only looks."""
    assert viber.parse(raw("viber", callback(kind, user=ANNA))) == Ignored(kind)


@pytest.mark.parametrize(
    ("body", "code", "kind"),
    [
        (b"{", "payload.unreadable", None),
        (b"[]", "payload.not_an_event", None),
        (b'{"status":0}', "payload.not_an_event", None),
        (callback("seen"), "payload.unreadable", "seen"),
        (callback("seen", user_id="a=", message_token=None), "payload.unreadable", "seen"),
        (callback("waved", user_id="a="), "payload.kind_unknown", "waved"),
    ],
)
def test_what_cannot_be_read_is_quarantined(body: bytes, code: str, kind: str | None) -> None:
    """It says which kind it was meant to be."""
    assert viber.parse(raw("viber", body)) == Quarantined(code, kind)


@pytest.mark.parametrize("counted", [1795339800627, 1795339800, "1795339800"])
def test_a_time_in_seconds_is_no_day_of_1970(counted: int | str) -> None:
    """Viber counts milliseconds; what stands between it and us may not."""
    event = one(callback("seen", timestamp=counted, user_id="u=", message_token=5))
    assert str(event.open.provider_time)[:19] == "2026-11-22 09:30:00"


def test_a_message_without_a_token_is_named_by_its_body() -> None:
    """It is hers all the same."""
    body = message({"type": "text", "text": "Hello"}, message_token=None)
    assert one(body).open.provider_id == ids.body_sha256(body)


# -- the door -----------------------------------------------------------------------------------------


def answered(body: bytes, **rules: Any) -> Answer:
    request = WebRequest("POST", "/in/demo/viber/main", [], body, RECEIVED)
    return viber.answer(request, Account(queue="hotline", **rules))


def test_who_begins_a_conversation_is_welcomed() -> None:
    """By the account's reply, under its title; nobody else is, and nobody without one."""
    begun = callback("conversation_started", user=ANNA, type="open")
    welcome = answered(begun, title="The shop", reply="How can we help?")
    assert welcome.media_type == "application/json"
    assert msgspec.json.decode(welcome.body) == {
        "sender": {"name": "The shop"},
        "type": "text",
        "text": "How can we help?",
    }
    assert answered(begun, title="The shop") == Answer()
    assert answered(SAMPLE.body, reply="How can we help?") == Answer()
    assert answered(b"{", reply="How can we help?") == Answer()


STORY = [
    message({"type": "text", "text": "one"}),
    message({"type": "text", "text": "two"}, message_token=TOKEN + 1),
    callback("subscribed", user=ANNA, message_token=TOKEN + 2),
    callback("unsubscribed", user_id=ANNA["id"], message_token=TOKEN + 3),
    callback("delivered", user_id=ANNA["id"], message_token=TOKEN + 4),
    callback("seen", user_id=ANNA["id"], message_token=TOKEN + 4),
    callback("failed", user_id=ANNA["id"], message_token=TOKEN + 5),
]


@given(deliveries=disorder(STORY))
def test_any_disorder_of_deliveries_comes_to_the_same_facts(deliveries: list[bytes]) -> None:
    """Late, again, in another order: the same events under the same ids."""
    assert facts("viber", deliveries) == facts("viber", STORY)
    assert len(facts("viber", STORY)) == len(STORY)


@given(kind=st.sampled_from(sorted(viber.KINDS)), data=st.data())
def test_any_value_in_any_field_is_survived(kind: str, data: st.DataObject) -> None:
    """Whatever stands where the documents promise something else, the delivery comes to an outcome."""
    types = [*viber.FILE_KINDS, "contact", "location", "rich_media", "sticker", "url"]
    fields = ["text", "media", "contact", "location", "rich_media", "size", "tracking_data"]
    outer = ["user_id", "sender", "message", "timestamp", "message_token"]
    said: dict[str, Any] = {"type": data.draw(st.sampled_from(types)), "media": "a.pdf"}
    said[data.draw(st.sampled_from(fields))] = data.draw(VALUES)
    told: dict[str, Any] = {"user_id": ANNA["id"], "sender": ANNA, "message": said}
    if data.draw(st.booleans()):
        told[data.draw(st.sampled_from(outer))] = data.draw(VALUES)
    facts("viber", [callback(kind, **told)])
