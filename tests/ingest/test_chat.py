"""The web chat's messages, as RAW holds them."""

import hashlib
import hmac

import msgspec
import pytest

from services.ingest.channels import chat
from services.ingest.channels.chat import Hello, Message
from services.ingest.domain.outcome import Quarantined
from shared import ids
from shared.errors import SignatureInvalid
from tests.ingest.running_ingest import RECEIVED, Sample, by_webhook, parsed, raw, wire

BODY = (
    b'{"session":"s-1","id":"m-1","text":"Where is my parcel?\\nThank you",'
    b'"name":"Anna","email":"Anna@Shop.Example","email_verified":true,"page":"https://shop.example/cart"}'
)
SAMPLE = Sample(b'{"session":"s","id":"m","text":"hello"}', by_webhook)


def test_a_message_has_every_field() -> None:
    """A chat message becomes message.received; each field of the event is asserted."""
    (event,) = parsed(raw("chat", BODY))
    contact = ids.scoped_id("contact", "demo", "chat/main", "s-1")
    said = b"Where is my parcel?\nThank you"
    named = f"s-1/m-1/{ids.body_sha256(said)}"
    assert wire(event) == {
        "type": "message.received",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "chat", "main", named, "message.received"),
        "source": "tellonce/ingest",
        "time": "2026-11-22T09:30:00.250000Z",
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:chat/main",
        "rawref": f"7:{ids.body_sha256(BODY)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "chat",
                "channel": "chat",
                "account": "main",
                "provider_id": "s-1/m-1",
                "provider_time": None,
                "automatic": False,
                "numbered": None,
                "in_reply_to": None,
                "attachments": 0,
                "refers_to": None,
            },
            "personal": {
                "handles": [
                    {
                        "kind": "reference",
                        "value": "chat/main/s-1",
                        "verified": False,
                        "proof": None,
                    },
                    {
                        "kind": "email",
                        "value": "anna@shop.example",
                        "verified": True,
                        "proof": "proved",
                    },
                ],
                "name": "Anna",
                "text": "Where is my parcel?\nThank you",
                "reply_text": None,
                "title": None,
                "references": [],
                "quoted": None,
                "files": [],
            },
        },
    }


def test_a_socket_stores_what_a_post_would_carry() -> None:
    """One message of a socket is the same self-contained body."""
    hello = Hello(session="s-1", name="Anna", email="Anna@Shop.Example")
    message = Message(
        id="m-1", text="Where is my parcel?\nThank you", page="https://shop.example/cart"
    )
    assert chat.stored_body(hello, message, verified=True) == BODY


def test_messages_of_a_session_are_one_contact_and_several_facts() -> None:
    """The session leads to the contact, the page's id to the message."""
    (first,) = parsed(raw("chat", BODY))
    (second,) = parsed(raw("chat", BODY.replace(b"m-1", b"m-2")))
    assert first.open.contact_id == second.open.contact_id
    assert first.id != second.id


def test_an_address_without_a_signature_is_only_claimed() -> None:
    """Nobody becomes Anna by writing her address."""
    (event,) = parsed(raw("chat", BODY.replace(b'"email_verified":true,', b"")))
    assert [handle.verified for handle in event.personal.handles] == [False, False]


def test_a_visitor_without_address_is_known_by_the_session_only() -> None:
    """A stranger's chat has one handle, its session."""
    (event,) = parsed(raw("chat", b'{"session":"s-1","id":"m-1","text":"hi"}'))
    assert [handle.kind for handle in event.personal.handles] == ["reference"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"session":"s-1","id":"m-1"}',
        b'{"session":"s-1","id":"m-1","text":""}',
        b'{"session":"s-1","session":"s-2","id":"m-1","text":"hi"}',
        b'{"session":"s-1","id":"m-1","text":7}',
        b'{"more":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_what_is_no_message_is_unreadable(body: bytes) -> None:
    """It is quarantined with its code, never guessed at."""
    assert chat.parse(raw("chat", body)) == Quarantined("payload.unreadable")


@pytest.mark.parametrize(
    "odd",
    [
        {"email": "a" * 300 + "@shop.example"},
        {"email": 7},
        {"name": 7},
        {"page": 7},
        {"page": "x" * 3_000},
        {"id": "m 1"},
        {"id": 17},
        {"session": "s 1"},
        {"session": "s-1\n"},
        {"email_verified": 1},
    ],
)
def test_one_odd_field_discards_no_words(odd: dict[str, object]) -> None:
    """What was written stands, and is one message however often it is sent; nobody is guessed."""
    body = msgspec.json.encode({"session": "s-1", "id": "m-1", "text": "hi", **odd})
    (event,) = parsed(raw("chat", body))
    assert event.personal.text == "hi"
    assert [handle.kind for handle in event.personal.handles] == ["reference"]
    assert parsed(raw("chat", body, sequence=8))[0].id == event.id
    if "id" in odd or "session" in odd:
        (other,) = parsed(raw("chat", b'{"session":"s-1","id":"m-1","text":"hi"}'))
        assert other.open.provider_id != event.open.provider_id


def test_a_long_name_is_cut_and_half_a_character_marked() -> None:
    """Neither costs the message."""
    body = msgspec.json.encode({"session": "s", "id": "m", "name": "n" * 5_000, "text": "TEXT"})
    (event,) = parsed(raw("chat", body.replace(b"TEXT", b"hi \\ud83d")))
    assert event.personal.text == "hi \ufffd"
    assert (event.personal.name or "").startswith("nnnn")


@pytest.mark.parametrize("word", ["true", 1, [True], "yes"])
def test_nothing_but_true_vouches_for_an_address(word: object) -> None:
    """A text that reads so proves nothing."""
    body = {"session": "s", "id": "m", "text": "hi", "email": "anna@shop.example"}
    (event,) = parsed(raw("chat", msgspec.json.encode({**body, "email_verified": word})))
    assert [handle.proof for handle in event.personal.handles if handle.kind == "email"] == [
        "claimed"
    ]


def test_a_field_we_do_not_know_does_no_harm() -> None:
    """A newer page may send more."""
    (event,) = parsed(raw("chat", BODY[:-1] + b',"mood":"fine"}'))
    assert event.personal.text.startswith("Where is my parcel?")


# -- who vouches for the address ------------------------------------------------------------------------


def test_the_shop_vouches_by_an_hmac_over_the_address() -> None:
    """The signature is hex of HMAC-SHA256 under the account's key over the address as written."""
    signature = hmac.new(b"key", b"Anna@Shop.Example", hashlib.sha256).hexdigest()
    hello = Hello(session="s", email="Anna@Shop.Example", signature=signature)
    assert chat.vouched(hello, {"signing": "key"}, RECEIVED) is True
    assert (
        chat.vouched(msgspec.structs.replace(hello, signature=None), {"signing": "key"}, RECEIVED)
        is False
    )


@pytest.mark.parametrize(
    ("email", "secret"),
    [("eve@shop.example", "key"), ("anna@shop.example", "other"), (None, "key")],
)
def test_a_signature_that_does_not_fit_is_refused(email: str | None, secret: str) -> None:
    """Another address, another key or no address at all: somebody pretends."""
    signature = chat.sign_email("anna@shop.example", "key")
    hello = Hello(session="s", email=email, signature=signature)
    with pytest.raises(SignatureInvalid):
        chat.vouched(hello, {"signing": secret}, RECEIVED)


def test_without_a_key_no_signature_is_believed() -> None:
    """An account without a secret vouches for nobody."""
    hello = Hello(session="s", email="a@b.example", signature=chat.sign_email("a@b.example", ""))
    with pytest.raises(SignatureInvalid):
        chat.vouched(hello, {}, RECEIVED)


def test_other_words_under_an_id_that_was_used_are_another_message() -> None:
    """Some pages count their messages anew; the same message again is the same."""
    first, again, other = (
        parsed(raw("chat", b'{"session":"s","id":"m","text":"%b"}' % text))[0].id
        for text in (b"hello", b"hello", b"are you there?")
    )
    assert first == again != other
