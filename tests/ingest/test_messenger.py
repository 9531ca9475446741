"""Messenger and Instagram."""

from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import messenger
from services.ingest.domain.delivery import Answer, WebRequest
from services.ingest.domain.outcome import Ignored, Quarantined, Reported
from shared import ids
from shared.errors import SignatureInvalid
from shared.events import ContactOpen
from tests.ingest.graph_deliveries import batched, by_graph, golden, one_by_one, shaken, told
from tests.ingest.running_ingest import RECEIVED, Sample, parsed, raw, wire
from tests.support.own_ids import OURS

BODY = golden("messenger")
DELIVERY = msgspec.json.decode(BODY)
SAMPLE_ITEM = {
    "sender": {"id": "9001"},
    "recipient": {"id": "700100"},
    "timestamp": 1795339990123,
    "message": {"mid": "m_1", "text": "hello"},
}


def of(*items: Any, name: str = "messaging") -> bytes:
    return msgspec.json.encode({"object": "page", "entry": [{"id": "700100", name: list(items)}]})


SAMPLE = Sample(of(SAMPLE_ITEM), by_graph)


def test_a_message_has_every_field() -> None:
    """A message becomes message.received; each field of the event is asserted."""
    event = parsed(raw("messenger", BODY))[0]
    contact = ids.scoped_id("contact", "demo", "messenger/main", "9001")
    named = f"m_text/{ids.body_sha256(b'Where is ORD-1234?')}"
    assert wire(event) == {
        "type": "message.received",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "messenger", "main", named, "message.received"),
        "source": "tellonce/ingest",
        "time": "2026-11-22T09:33:10.123000Z",
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:messenger/main",
        "rawref": f"7:{ids.body_sha256(BODY)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "message",
                "channel": "messenger",
                "account": "main",
                "provider_id": "m_text",
                "provider_time": "2026-11-22T09:33:10.123000Z",
                "automatic": False,
                "numbered": None,
                "in_reply_to": None,
                "attachments": 0,
                "refers_to": "m_ours",
            },
            "personal": {
                "handles": [
                    {
                        "kind": "account",
                        "value": "messenger:9001",
                        "verified": True,
                        "proof": "proved",
                    }
                ],
                "name": None,
                "text": "Where is ORD-1234?",
                "reply_text": None,
                "title": None,
                "references": [],
                "quoted": None,
                "files": [],
            },
        },
    }


def test_everything_under_entry_is_reported_once_and_in_order() -> None:
    """Type, routing key, the provider's id, and which message it is about."""
    outcome = messenger.parse(raw("messenger", BODY))
    assert isinstance(outcome, Reported)
    found = [
        (key, each.type, opened.provider_id, getattr(opened, "refers_to", None))
        for key, each in outcome.reports
        for opened in [cast("ContactOpen", each.open)]
    ]
    feedback = ids.body_sha256(
        msgspec.json.encode(DELIVERY["entry"][0]["messaging"][-1], order="sorted")
    )
    assert found == [
        ("9001", "message.received", "m_text", "m_ours"),
        ("9002", "message.received", "m_files", None),
        ("9001", "message.received", "m_quick", None),
        ("9001", "message.received", "m_postback", None),
        ("9001", "message.reacted", "m_ours", "m_ours"),
        ("9001", "message.reacted", "m_ours", "m_ours"),
        ("9001", "message.edited", "m_text", "m_text"),
        ("9001", "message.deleted", "m_gone", "m_gone"),
        ("9001", "consent.given", "9001/notification_messages/1795339998000", None),
        ("9001", "consent.withdrawn", "9001/STOP_NOTIFICATIONS/1795339999000", None),
        ("9001", "message.echoed", "m_inbox", None),
        ("9001", "message.sent", "m_sent", "m_sent"),
        ("9001", "message.delivered", "m_sent", "m_sent"),
        ("9001", "message.delivered", "m_inbox", "m_inbox"),
        ("9001", "message.read", "9001/read/1795340003500", None),
        ("9001", "message.received", feedback, None),
        ("9003", "message.received", "m_standby", None),
        ("9004", "message.received", "ig_1", None),
    ]


def test_what_was_chosen_or_answered_is_text() -> None:
    """The title of a quick reply or button, the words of a feedback form, of an edit and of our own people."""
    texts = [
        each.personal.text
        for each in parsed(raw("messenger", BODY))
        if hasattr(each.personal, "text")
    ]
    assert texts == [
        "Where is ORD-1234?",
        "Parcel locker\ngeo:52.25,21.5\nOur offer\nhttps://shop.example/offer\nBlue boots\n199 zł",
        "Yes",
        "Track my parcel",
        "Where is ORD-1235?",
        "Marek here.",
        "5\nQuick answer",
        "Is anybody there?",
        "",
    ]


def test_files_are_named_with_where_they_lie() -> None:
    """A place and a page are words; what is a file has its address, and a media type as far as it is told."""
    events = parsed(raw("messenger", BODY))
    files = [(each.media_type, each.source, each.name) for each in events[1].personal.files]
    assert files == [
        ("image/jpeg", "https://cdn.example/a/locker.jpg?sig=1", None),
        ("audio/*", "https://cdn.example/b", None),
    ]
    assert events[1].open.attachments == 2
    assert [each.media_type for each in events[-1].personal.files] == ["video/mp4"]


def test_a_reaction_is_shown_and_taken_back() -> None:
    """The emoji; nothing when it was taken back."""
    shown = [
        each.personal.reaction
        for each in parsed(raw("messenger", BODY))
        if each.type == "message.reacted"
    ]
    assert shown == ["❤", None]


def test_an_echo_of_ours_tells_which_message_was_sent() -> None:
    """What we gave with the message comes back: its id and its conversation."""
    (sent,) = [each for each in parsed(raw("messenger", BODY)) if each.type == "message.sent"]
    assert (sent.open.message_id, sent.conversation) == (OURS.message, OURS.conversation)


def test_a_watermark_is_about_all_before_it() -> None:
    """Seen up to a time; a delivery that names no message is one too; Instagram names the message."""
    by_time = {**SAMPLE_ITEM, "delivery": {"watermark": 1795340002500}}
    by_name = {**SAMPLE_ITEM, "read": {"mid": "ig_2"}}
    del by_time["message"], by_name["message"]
    delivered, read = parsed(raw("messenger", of(by_time, by_name)))
    assert (delivered.type, delivered.open.refers_to) == ("message.delivered", None)
    assert delivered.open.until == datetime(2026, 11, 22, 9, 33, 22, 500_000, tzinfo=UTC)
    assert (read.type, read.open.refers_to, read.open.until) == ("message.read", "ig_2", None)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (1795339990, datetime(2026, 11, 22, 9, 33, 10, tzinfo=UTC)),
        ("1795339990123", datetime(2026, 11, 22, 9, 33, 10, 123_000, tzinfo=UTC)),
        ("2026-11-22T10:33:10+0100", datetime(2026, 11, 22, 9, 33, 10, tzinfo=UTC)),
        ("2026-11-22T10:33:10", None),
        ("yesterday", None),
        (True, None),
        (10**15, None),
        (None, None),
    ],
)
def test_a_time_is_read_in_seconds_and_milliseconds(written: Any, read: datetime | None) -> None:
    """What is no time with a zone, or lies where no calendar reaches, is none: it happened when it came."""
    (event,) = parsed(raw("messenger", of({**SAMPLE_ITEM, "timestamp": written})))
    assert event.occurred == (RECEIVED if read is None else read)
    assert event.open.provider_time == read


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"account_linking": {"status": "linked"}}, Ignored("account_linking")),
        ({"foo": {}}, Quarantined("payload.kind_unknown", "foo")),
        ({}, Quarantined("payload.not_an_event")),
        ({"message_edit": {"text": "x"}}, Quarantined("payload.unreadable", "message_edit")),
        ({"reaction": {"action": "react"}}, Quarantined("payload.unreadable", "reaction")),
        ({"read": {}}, Quarantined("payload.unreadable", "read")),
        ({"message": {"mid": "m", "is_echo": True, "is_deleted": True}}, Ignored("echo_deleted")),
        ({"optin": {"user_ref": "1"}, "sender": {}}, Ignored("optin")),
        ({"message": {"mid": "m"}, "sender": {}}, Quarantined("payload.unreadable", "message")),
    ],
)
def test_what_is_no_event_has_its_outcome(change: Any, expected: Any) -> None:
    """Known and needed by nobody, unknown, or of nobody."""
    item = {key: value for key, value in SAMPLE_ITEM.items() if key != "message"}
    assert messenger.parse(raw("messenger", of({**item, **change}))) == expected


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "payload.unreadable"),
        (b"\xff", "payload.unreadable"),
        (b'{"entry":' + b"[" * 5_000, "payload.unreadable"),
        (b"{}", "payload.not_an_event"),
        (b"[7]", "payload.not_an_event"),
        (b'[{"entry": 7}]', "payload.not_an_event"),
        (b'{"entry": [{"id": "1"}]}', "payload.not_an_event"),
        (b'{"entry": [{"messaging": [7]}]}', "payload.not_an_event"),
    ],
)
def test_what_is_no_delivery_is_quarantined(body: bytes, code: str) -> None:
    """What cannot be read, and what can be read and is nothing that the provider sends."""
    assert messenger.parse(raw("messenger", body)) == Quarantined(code)


def test_instagrams_own_forms_are_read() -> None:
    """Its documents show a list around a delivery, and a change without a list in its entry."""
    change = {"field": "messages", "value": SAMPLE_ITEM}
    for entry in ({"messaging": [SAMPLE_ITEM]}, change, {"changes": [change]}):
        body = msgspec.json.encode([{"object": "instagram", "entry": [{"id": "1", **entry}]}])
        (event,) = parsed(raw("messenger", body))
        assert (event.open.provider_id, event.personal.text) == ("m_1", "hello")


def test_an_unknown_list_costs_nothing_else() -> None:
    """What is known is reported, what is not is recorded beside it."""
    document = {"entry": [{"id": "1", "novelties": [{}], "messaging": [SAMPLE_ITEM]}]}
    events = parsed(raw("messenger", msgspec.json.encode(document)))
    assert [each.type for each in events] == ["message.received", "payload.quarantined"]
    assert events[1].open.kind == "novelties"


def test_half_a_character_costs_no_message() -> None:
    """Some programs cut an emoji in two."""
    body = of(SAMPLE_ITEM).replace(b"hello", rb"hi \ud83d")
    (event,) = parsed(raw("messenger", body))
    assert event.personal.text == "hi \ufffd"


@given(data=st.data())
def test_whatever_way_it_comes_it_is_the_same(data: st.DataObject) -> None:
    """Any order, any repetition, any batches: the same events with the same routing keys."""
    single = one_by_one(DELIVERY)
    shuffled = data.draw(shaken(single))
    size = data.draw(st.integers(1, 7))
    assert told("messenger", batched(shuffled, size)) == told("messenger", [DELIVERY])


def asked(**query: str) -> WebRequest:
    url = "/in/demo/messenger/main?" + "&".join(
        f"{k.replace('_', '.', 1)}={v}" for k, v in query.items()
    )
    return WebRequest("GET", url, [], b"", RECEIVED)


SECRETS = {"signing": "s", "verify": "verify-me"}


def test_the_handshake_is_answered_with_its_challenge() -> None:
    """Only to whoever knows the token."""
    good = asked(hub_mode="subscribe", hub_verify_token="verify-me", hub_challenge="1158201444")
    assert messenger.handshake(good, SECRETS) == Answer(b"1158201444", "text/plain")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"hub_mode": "subscribe", "hub_verify_token": "guessed", "hub_challenge": "1"},
        {"hub_mode": "unsubscribe", "hub_verify_token": "verify-me", "hub_challenge": "1"},
        {"hub_mode": "subscribe", "hub_verify_token": "verify-me", "hub_challenge": "x" * 257},
        {"hub_mode": "subscribe", "hub_verify_token": "verify-me", "hub_challenge": "a%0Ab"},
        {"hub_mode": "subscribe", "hub_challenge": "1"},
    ],
)
def test_another_handshake_is_refused(query: dict[str, str]) -> None:
    """Whoever does not know the token hears nothing, and nothing but a challenge is said again."""
    with pytest.raises(SignatureInvalid):
        messenger.handshake(asked(**query), SECRETS)


WAY = {
    "source": "ADS",
    "ref": "winter-sale",
    "ads_context_data": {"ad_title": "Winter boots", "post_id": "77"},
}


@pytest.mark.parametrize(
    ("told", "quoted"),
    [
        ({"message": {"text": "?"}}, None),
        ({"message": {"text": "?", "reply_to": {"mid": "m_ours"}}}, None),
        (
            {
                "message": {
                    "text": "?",
                    "reply_to": {"story": {"id": "5", "url": "https://a.example/5"}},
                }
            },
            "https://a.example/5",
        ),
        ({"message": {"text": "?", "referral": {"product": {"id": "BOOTS-7"}}}}, "BOOTS-7"),
        ({"postback": {"payload": "START", "referral": WAY}}, "Winter boots\nwinter-sale"),
    ],
)
def test_what_a_message_answers_stands_beside_it(told: Any, quoted: str | None) -> None:
    """A story by its address, an article, an advertisement with the word of its link."""
    item = {name: each for name, each in SAMPLE_ITEM.items() if name != "message"}
    (event,) = parsed(raw("messenger", of({**item, **told})))
    assert event.personal.quoted == quoted
