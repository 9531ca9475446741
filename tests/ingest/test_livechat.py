"""LiveChat's webhooks. The payloads are written from platform.text.com/docs/management/webhooks, read 2026-11."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import livechat
from services.ingest.domain import body_secret
from services.ingest.domain.delivery import WebRequest
from services.ingest.domain.outcome import Ignored, Quarantined
from shared import errors, ids
from tests.ingest.facts import VALUES, disorder, facts
from tests.ingest.running_ingest import (
    GOLDEN,
    RECEIVED,
    SECRET,
    RunningIngest,
    Sample,
    parsed,
    raw,
    wire,
)
from tests.ingest.test_doors import refused
from tests.support.own_ids import OURS, WRITTEN

CHAT, THREAD = "QX1A2B3C4D", "QY5T6R7E8D"
ANNA = "6f1d4b0a-5a0e-4d53-8a5c-3f2f1f0b9a11"
PIOTR = "piotr@shop.example"
BOT = "5c9871d5372c824cbf22d860a707a578"
AT = "2026-11-22T09:30:12.010200Z"
HER_CHAT = ("account", f"livechat:{CHAT}", "delivered")
KNOWN = [
    ("reference", f"livechat/main/{CHAT}", None),
    ("reference", f"livechat/main/{CHAT}/{THREAD}", None),
    HER_CHAT,
]


def sealed(secret: str, body: bytes) -> bytes:
    """Put the secret where LiveChat puts it."""
    return msgspec.json.encode({"secret_key": secret, **msgspec.json.decode(body)})


def webhook(action: str, **payload: Any) -> bytes:
    told = {"webhook_id": "w1", "action": action, "organization_id": "o1", "payload": payload}
    return msgspec.json.encode({**told, "additional_data": {}})


def incoming(event: dict[str, Any], action: str = "incoming_event", **more: Any) -> bytes:
    said = {"id": f"{THREAD}_7", "author_id": ANNA, "created_at": AT, "visibility": "all", **event}
    return webhook(action, chat_id=CHAT, thread_id=THREAD, event=said, **more)


def one(body: bytes) -> Any:
    (event,) = parsed(raw("livechat", body))
    return event


def handles_of(event: Any) -> list[tuple[str, str, str | None]]:
    return [(each.kind, each.value, each.proof) for each in event.personal.handles]


def outcome_of(body: bytes) -> Any:
    return livechat.parse(raw("livechat", body))


SAMPLE = Sample(
    incoming({"type": "message", "text": "Where is my parcel?"}),
    lambda secret, body: {},  # noqa: ARG005  the shape of Sample
    seal=sealed,
)


# -- the door -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"secret_key": null}',
        b'{"secret_key": ["s3cret"]}',
        b'{"payload": {"secret_key": "s3cret"}}',
        b'"secret_key": "s3cret"',
        b'{"secret_key": "s3cret"',
        b'{"secret_key": "s3cre"}',
        b'{"secret\\u005fkey": "s3cret"}',
    ],
)
def test_only_the_member_itself_opens_the_door(body: bytes) -> None:
    """Nothing else in a body is the secret, nor a part of it, nor one that would be stored."""
    request = WebRequest("POST", "/in/demo/livechat/main", [], body, RECEIVED)
    with pytest.raises(errors.SignatureInvalid):
        livechat.verify(request, {"signing": "s3cret"}, "")


def test_what_is_kept_is_the_body_without_its_secret() -> None:
    """The other members stay byte for byte, in their order; a body that holds none is not touched."""
    body = b'{"a": 1.0,  "secret_key": "s3cret", "b": {"secret_key": "not ours"}, "c": 12345678901234567890123}'
    kept = b'{"a":1.0,"b":{"secret_key": "not ours"},"c":12345678901234567890123}'
    assert body_secret.without(body) == kept
    assert body_secret.without(kept) == kept
    twice = b'{"secret_key": "one", "secret_key": "two"}'
    assert (body_secret.given(twice), body_secret.without(twice)) == ("two", b"{}")


async def test_the_secret_reaches_no_store(ingest: RunningIngest) -> None:
    """A delivery is taken by its secret; neither RAW nor the event holds it, and what is stored is read."""
    forged = await ingest.http.post(ingest.door("livechat"), content=sealed("guess", SAMPLE.body))
    assert refused(forged, 403, "door.signature_invalid")
    body = sealed(SECRET, SAMPLE.body)
    taken = await ingest.http.post(ingest.door("livechat"), content=body)
    assert taken.status_code == 204
    (stored,) = await ingest.raw("livechat")
    (event,) = await ingest.contacts("livechat", 1)
    assert SECRET not in str((stored.body, stored.headers, event))
    assert event["data"]["personal"]["text"] == "Where is my parcel?"


# -- what is said ---------------------------------------------------------------------------------------


def test_a_chat_begins_with_all_that_stands_in_it() -> None:
    """Form, welcome, message and file are facts; what only agents see, and the vendor's own lines, are not."""
    body = (GOLDEN / "livechat_chat.json").read_bytes()
    form, welcome, message, file = parsed(raw("livechat", body))
    verified = ("email", "anna@mail.example", "delivered")
    assert form.type == "form.submitted"
    assert handles_of(form) == [*KNOWN, verified, ("email", "anna.k@mail.example", "claimed")]
    assert (form.personal.name, form.personal.text) == ("Anna K.", "My locker KRA01M stays shut")
    assert form.personal.fields == [
        ("Name", "Anna K."),
        ("E-mail", "anna.k@mail.example"),
        ("What is it about?", "A parcel"),
        ("Tried", "locker, app"),
    ]
    assert (form.open.medium, form.open.automatic) == ("chat", False)
    assert (welcome.type, welcome.personal.text) == ("message.echoed", "Hello. How may I help you?")
    assert handles_of(welcome) == handles_of(message) == [*KNOWN, verified]
    assert {each.open.contact_id for each in (form, welcome, message, file)} == {
        ids.scoped_id("contact", "demo", "livechat/main", CHAT)
    }
    assert (message.personal.name, message.open.provider_id) == ("Anna Kowalska", f"{THREAD}_3")
    assert wire(message)["time"] == "2026-11-22T09:29:58.010200Z"
    assert wire(file)["data"]["personal"]["files"] == [
        {
            "name": "screen.png",
            "media_type": "image/png",
            "size_bytes": 123_444,
            "sha256": None,
            "source": "https://cdn.livechat-files.com/api/file/lc/att/1/screen.png",
        }
    ]
    assert (file.open.attachments, file.personal.text) == (1, "")


def test_a_message_has_every_field() -> None:
    """Each field of the event is asserted."""
    event = one(SAMPLE.body)
    contact = ids.scoped_id("contact", "demo", "livechat/main", CHAT)
    assert wire(event) == {
        "type": "message.received",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "livechat", "main", f"{THREAD}_7", "message.received"),
        "source": "tellonce/ingest",
        "time": AT,
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:livechat/main",
        "rawref": f"7:{ids.body_sha256(SAMPLE.body)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "chat",
                "channel": "livechat",
                "account": "main",
                "provider_id": f"{THREAD}_7",
                "provider_time": AT,
                "automatic": False,
                "numbered": None,
                "in_reply_to": None,
                "attachments": 0,
                "refers_to": None,
            },
            "personal": {
                "handles": [
                    {"kind": kind, "value": value, "verified": False, "proof": proof}
                    for kind, value, proof in KNOWN
                ],
                "name": None,
                "text": "Where is my parcel?",
                "reply_text": None,
                "title": None,
                "references": [],
                "quoted": None,
                "files": [],
            },
        },
    }


@pytest.mark.parametrize("author", [PIOTR, BOT])
def test_what_one_of_ours_writes_there_is_an_echo(author: str) -> None:
    """An agent's id is an address, a bot's has no dash; the handles are the customer's."""
    event = one(incoming({"type": "message", "text": "One moment", "author_id": author}))
    assert (event.type, handles_of(event)) == ("message.echoed", KNOWN)


def test_the_users_of_a_payload_say_who_wrote() -> None:
    """A customer whose id looks like an agent's is a customer; an author of whom nobody knows is heard as one."""
    users = [{"id": "anna@mail.example", "type": "customer"}, {"id": "helper", "type": "agent"}]
    told = {"type": "message", "text": "Hello"}
    hers = incoming({**told, "author_id": "anna@mail.example"}, users=users)
    assert one(hers).type == "message.received"
    assert one(incoming({**told, "author_id": "helper"}, users=users)).type == "message.echoed"
    assert one(incoming({**told, "author_id": "somebody"})).type == "message.received"


def test_our_own_message_comes_back_as_sent() -> None:
    """What an agent wrote here carries our reference: it is no echo, and its id leads to it."""
    sent = {"type": "message", "text": "Today", "author_id": PIOTR, "custom_id": WRITTEN}
    event = one(incoming(sent))
    assert (event.type, event.open.message_id, event.open.refers_to) == (
        "message.sent",
        OURS.message,
        f"{THREAD}_7",
    )
    assert event.conversation == OURS.conversation


def test_a_message_written_anew_is_a_new_version() -> None:
    """Each version is a fact of its own, and refers to the message; when it was written nobody says."""
    first, second = (
        one(incoming({"type": "message", "text": text}, "event_updated")) for text in ("a", "b")
    )
    assert (first.type, first.open.refers_to) == ("message.edited", f"{THREAD}_7")
    assert first.open.provider_time is None
    assert first.id != second.id
    ours = {"type": "message", "text": "b", "author_id": PIOTR}
    assert one(incoming(ours, "event_updated")).type == "message.echoed"


def test_a_button_is_what_she_says() -> None:
    """The button stands for something; one that is let go says nothing."""
    told = {"chat_id": CHAT, "thread_id": THREAD, "event_id": "e1", "user_id": ANNA}
    pressed = one(
        webhook("incoming_rich_message_postback", **told, postback={"id": "yes", "toggled": True})
    )
    assert (pressed.type, pressed.personal.text, pressed.open.refers_to) == (
        "message.received",
        "yes",
        "e1",
    )
    let_go = webhook(
        "incoming_rich_message_postback", **told, postback={"id": "y", "toggled": False}
    )
    assert outcome_of(let_go) == Ignored("incoming_rich_message_postback")


def test_what_she_has_seen_is_read_until_a_time() -> None:
    """What an agent saw is nobody's news."""
    seen = {"chat_id": CHAT, "seen_up_to": AT}
    event = one(webhook("events_marked_as_seen", user_id=ANNA, **seen))
    assert (event.type, event.open.until, handles_of(event)) == (
        "message.read",
        event.open.provider_time,
        [KNOWN[0], HER_CHAT],
    )
    by_agent = webhook("events_marked_as_seen", user_id=PIOTR, **seen)
    assert outcome_of(by_agent) == Ignored("events_marked_as_seen")


def test_a_survey_after_the_chat_asks_for_nothing() -> None:
    """It is kept where it belongs, and nobody waits for an answer."""
    field = {"type": "radio", "label": "Were you helped?", "value": "Yes"}
    older = {"properties": {"lc2": {"form_type": "postchat"}}}
    for told in ({"form_type": "postchat"}, older):
        event = one(incoming({"type": "filled_form", "fields": [field], **told}))
        assert (event.open.automatic, event.personal.fields) == (
            True,
            [("Were you helped?", "Yes")],
        )


def test_a_form_of_before_tells_what_was_ticked_and_when() -> None:
    """Before version 3.1: options with a mark, seconds since 1970."""
    options = [
        {"label": "Delivery", "value": "d", "checked": True},
        {"value": "returns", "checked": True},
        {"label": "Else", "checked": False},
    ]
    field = {"type": "checkbox", "label": "About", "required": True, "options": options}
    told = {"type": "filled_form", "fields": [field], "created_at": None, "timestamp": 1795339812}
    event = one(incoming(told))
    assert event.personal.fields == [("About", "Delivery, returns")]
    assert event.open.provider_time.isoformat() == "2026-11-22T09:30:12+00:00"
    answered = {**field, "answers": [{"id": "0", "label": "Returns"}]}
    later = one(incoming({"type": "filled_form", "fields": [answered]}))
    assert later.personal.fields == [("About", "Returns")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\xff", Quarantined("payload.unreadable")),
        (b"{}", Quarantined("payload.not_an_event")),
        (webhook("new_thing"), Quarantined("payload.kind_unknown", "new_thing")),
        (webhook("incoming_event"), Quarantined("payload.unreadable", "incoming_event")),
        (webhook("incoming_chat", chat={}), Quarantined("payload.unreadable", "incoming_chat")),
        (incoming({"type": "hologram"}), Quarantined("payload.kind_unknown", "event/hologram")),
        (webhook("chat_deactivated", chat_id=CHAT), Ignored("chat_deactivated")),
        (webhook("event_deleted", chat_id=CHAT, event_id="e"), Ignored("event_deleted")),
        (webhook("incoming_chat", chat={"id": CHAT}), Ignored("incoming_chat")),
        (incoming({"type": "system_message", "text": "x"}), Ignored("event/system_message")),
        (incoming({"type": "message", "recipients": "agents"}), Ignored("event/for_agents")),
    ],
)
def test_what_reports_nothing_is_named(body: bytes, expected: object) -> None:
    """Kinds that nobody needs are ignored by name; what cannot be read is quarantined."""
    assert outcome_of(body) == expected


DISORDERED = [
    (GOLDEN / "livechat_chat.json").read_bytes(),
    SAMPLE.body,
    incoming({"type": "message", "text": "anew"}, "event_updated"),
    webhook("events_marked_as_seen", user_id=ANNA, chat_id=CHAT, seen_up_to=AT),
]


@given(order=disorder(DISORDERED))
def test_any_order_of_deliveries_tells_the_same(order: list[bytes]) -> None:
    """Doubled, delayed, turned around: the same facts."""
    assert facts("livechat", order) == facts("livechat", DISORDERED)


@given(
    event=st.dictionaries(
        st.sampled_from(
            ["id", "type", "text", "author_id", "fields", "url", "created_at", "users"]
        ),
        VALUES,
    )
)
def test_no_field_of_another_kind_makes_it_fail(event: dict[str, Any]) -> None:
    """Whatever stands in a field, the event is read, ignored, or quarantined."""
    facts("livechat", [incoming(event), incoming({"type": "filled_form", "fields": [event]})])
