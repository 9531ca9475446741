"""Calls of Zadarma's exchange: notifications of which each kind signs other fields."""

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.story.providers import zadarma as provider
from services.ingest.channels import zadarma
from services.ingest.domain.delivery import RawDelivery, WebRequest
from services.ingest.domain.outcome import Ignored, Quarantined
from services.ingest.sources import SOURCES
from shared.errors import SignatureInvalid
from tests.ingest.facts import disorder, facts, told_call
from tests.ingest.running_ingest import (
    GOLDEN,
    PUBLIC,
    RECEIVED,
    SECRET,
    Sample,
    form_body,
    parsed,
    raw,
    wire,
)
from tests.ingest.test_sources import requests, wanted

CALL_FORMS = (GOLDEN / "zadarma_call.forms").read_bytes().split(b"\n")
START, IVR, INTERNAL, ANSWER, END, RECORD = CALL_FORMS
CALL = "in_00000000000000000000000000000001"
CALLER = "+48600100200"
DOOR = "/in/demo/zadarma/main"


def by_fields(secret: str, body: bytes) -> dict[str, str]:
    """The header field that the provider's player makes, by code of its own."""
    return provider.sign(secret, "", body, {})


SAMPLE = Sample(START, by_fields, signs_body=False)


def told(event: str, **fields: str) -> RawDelivery:
    """A notification of the call."""
    about = {"event": event, "pbx_call_id": CALL, "caller_id": "48600100200", **fields}
    return raw("zadarma", form_body(**about))


def test_every_field_of_a_call_that_rings() -> None:
    """`call_start` is by the clock of the exchange, whose zone nobody says: it is no time of ours."""
    (event,) = parsed(raw("zadarma", START))
    assert event.type == "call.started"
    assert wire(event)["data"] == told_call("zadarma", CALL, CALLER, dialled="+48221234567")


def test_a_call_is_told_from_its_beginning_to_its_recording() -> None:
    """An extension that rings is no event."""
    assert zadarma.parse(raw("zadarma", INTERNAL)) == Ignored("NOTIFY_INTERNAL")
    found = [
        event
        for each in (START, IVR, ANSWER, END, RECORD)
        for event in parsed(raw("zadarma", each))
    ]
    assert [each.type for each in found] == [
        "call.started",
        "call.menu_selected",
        "call.answered",
        "call.ended",
        "call.recorded",
    ]
    assert len({each.open.contact_id for each in found}) == 1
    assert found[1].open.digits == "2"
    assert (found[3].open.outcome, found[3].open.duration_seconds) == ("completed", 125)
    assert found[4].open.provider_id == f"{CALL}/1795339800.0000001"
    assert found[4].personal.files[0].source == "1795339800.0000001"


@pytest.mark.parametrize(
    ("disposition", "kind", "how"),
    [
        ("answered", "call.ended", "completed"),
        ("busy", "call.missed", "busy"),
        ("cancel", "call.missed", "canceled"),
        ("no answer", "call.missed", "no-answer"),
        ("failed", "call.missed", "failed"),
        ("no money, no limit", "call.missed", "failed"),
    ],
)
def test_each_disposition_says_how_the_call_ended(disposition: str, kind: str, how: str) -> None:
    """The table of the documents."""
    (event,) = parsed(told("NOTIFY_END", disposition=disposition))
    assert (event.type, event.open.outcome) == (kind, how)


def test_digits_may_stand_in_json() -> None:
    """Whoever pressed none is told without; what are none are kept."""
    (event,) = parsed(told("NOTIFY_IVR", wait_dtmf='{"name":"main","digits":"1"}'))
    assert event.open.digits == "1"
    for nothing in ({}, {"wait_dtmf": "{"}, {"wait_dtmf": "[]"}, {"wait_dtmf[digits]": ""}):
        assert zadarma.parse(told("NOTIFY_IVR", **nothing)) == Ignored("NOTIFY_IVR")
    kept = Quarantined("payload.unreadable", "NOTIFY_IVR")
    assert zadarma.parse(told("NOTIFY_IVR", **{"wait_dtmf[digits]": "one"})) == kept


def test_the_shops_own_calls_are_ignored_with_their_recordings() -> None:
    """A recording says no direction; the call's id does."""
    for kind in ("NOTIFY_OUT_START", "NOTIFY_OUT_END"):
        assert zadarma.parse(told(kind)) == Ignored(kind)
    recorded = told("NOTIFY_RECORD", pbx_call_id="out_1", call_id_with_rec="1.1")
    assert zadarma.parse(recorded) == Ignored("NOTIFY_RECORD")


def test_what_is_not_known_is_kept() -> None:
    """A kind that the provider makes some day, and another end."""
    kind = "payload.kind_unknown"
    assert zadarma.parse(told("NOTIFY_MOON")) == Quarantined(kind, "NOTIFY_MOON")
    assert zadarma.parse(told("NOTIFY_END", disposition="no mood")) == Quarantined(kind, "no_mood")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "payload.unreadable"),
        (b"a=b", "payload.not_an_event"),
        (b"event=NOTIFY_START", "payload.unreadable"),
        (b"event=NOTIFY_START&pbx_call_id=a%20b", "payload.unreadable"),
        (b"event=NOTIFY_RECORD&pbx_call_id=in_1", "payload.unreadable"),
    ],
)
def test_what_cannot_be_read_is_kept_too(body: bytes, code: str) -> None:
    """A person looks at it."""
    outcome = zadarma.parse(raw("zadarma", body))
    assert isinstance(outcome, Quarantined)
    assert outcome.code == code


# -- the door ---------------------------------------------------------------------------------------------


def accepted(body: bytes, signature: str) -> bool:
    """Whether a notification with this signature is taken."""
    request = WebRequest("POST", DOOR, [("signature", signature)], body, RECEIVED)
    try:
        zadarma.verify(request, {"signing": SECRET}, PUBLIC)
    except SignatureInvalid:
        return False
    return True


@pytest.mark.parametrize("body", CALL_FORMS)
def test_each_kind_signs_fields_of_its_own(body: bytes) -> None:
    """One of them changed, and it is refused."""
    signature = by_fields(SECRET, body)["signature"]
    assert accepted(body, signature)
    signed = b"pbx_call_id=in_" if body == RECORD else b"caller_id=4"
    assert not accepted(body.replace(signed, signed + b"9"), signature)


def test_the_signature_is_base64_of_hexadecimal_text() -> None:
    """As PHP's `hash_hmac` gives it, which the documents show."""
    text = b"48600100200" + b"48221234567" + b"2026-11-22 10:30:00"
    digest = hmac.new(SECRET.encode(), text, hashlib.sha1).hexdigest()
    assert accepted(START, base64.b64encode(digest.encode()).decode())


def test_a_kind_that_is_not_known_opens_no_door() -> None:
    """Nobody knows which fields it signs."""
    body = START.replace(b"NOTIFY_START", b"NOTIFY_MOON")
    assert not accepted(body, by_fields(SECRET, body)["signature"])


def test_the_provider_tries_the_address() -> None:
    """It wants its text back, and a browser never reads it as a page."""
    request = WebRequest("GET", f"{DOOR}?zd_echo=a%3Cb", [], b"", RECEIVED)
    answer = zadarma.handshake(request, {})
    assert answer is not None
    assert (answer.body, answer.media_type) == (b"a<b", "text/plain")
    for query in ("", "?zd_echo=", "?zd_echo=" + "a" * 129, "?zd_echo=%0d%0a", "?a=b"):
        assert zadarma.handshake(WebRequest("GET", DOOR + query, [], b"", RECEIVED), {}) is None


def test_a_recording_is_asked_for_by_its_id() -> None:
    """The first answer has its address; only the first request shows a key."""
    secrets = {"signing": "auth", "user_key": "u1"}
    asked = wanted("1795339800.1")
    link = "https://api.zadarma.com/v1/pbx/record/download/x.mp3"
    made = type(asked)(asked.source, asked.rules, secrets)
    first, second = requests(SOURCES["zadarma"].fetch(made), {"status": "success", "link": link})
    query = "call_id=1795339800.1&format=json"
    assert first.url == f"https://api.zadarma.com/v1/pbx/record/request/?{query}"
    md5 = hashlib.md5(query.encode(), usedforsecurity=False).hexdigest()
    text = f"/v1/pbx/record/request/{query}{md5}".encode()
    digest = hmac.new(b"auth", text, hashlib.sha1).hexdigest()
    assert first.secret == {"authorization": "u1:" + base64.b64encode(digest.encode()).decode()}
    assert (second.url, second.secret) == (link, {})


@given(bodies=disorder(CALL_FORMS))
def test_any_order_and_repetition_tells_the_same_facts(bodies: list[bytes]) -> None:
    """Of the whole call."""
    assert facts("zadarma", bodies) == facts("zadarma", CALL_FORMS)


@given(
    event=st.sampled_from([*zadarma.SIGNED, "x"]),
    fields=st.dictionaries(
        st.sampled_from(
            ["pbx_call_id", "caller_id", "called_did", "disposition", "duration", "wait_dtmf"]
        ),
        st.text(max_size=40),
    ),
)
def test_whatever_a_parameter_holds_costs_nothing(event: str, fields: dict[str, Any]) -> None:
    """It is read, ignored or kept."""
    facts("zadarma", [form_body(event=event, **fields)])
