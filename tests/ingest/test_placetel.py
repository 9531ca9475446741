"""Calls of Placetel: forms signed as a whole."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.story.providers import placetel as provider
from services.ingest.channels import placetel
from services.ingest.domain.delivery import RawDelivery, WebRequest
from services.ingest.domain.outcome import Ignored, Quarantined
from shared.errors import SignatureInvalid
from shared.policy import Account
from tests.ingest.facts import disorder, facts, told_call
from tests.ingest.running_ingest import (
    GOLDEN,
    PUBLIC,
    RECEIVED,
    Sample,
    form_body,
    parsed,
    raw,
    wire,
)

CALL_FORMS = (GOLDEN / "placetel_call.forms").read_bytes().split(b"\n")
CALL = "f4591ba315d81671d7a06c2a3b4f963dafd119de39cb26edd8a6476676b2f447"
CALLER = "+4922129191999"
DOOR = "/in/demo/placetel/main"
GERMAN = Account(queue="hotline", region="DE")

DOCUMENTED_BODY = (
    b"call_id=4a4cbb39578170aed9a2761a7bec8c7e704a541f52291ef603d6f5f152980c3c"
    b"&event=CallAccepted&from=0123456789&to=0987654321"
)
DOCUMENTED_SIGNATURE = "c4f823c5b8806432fe2b83b1fc2ee714422e0cdfb4b5129152a7d0bbcd7792d0"
"""The example of the provider's documents, for the secret `12345`."""


def by_body(secret: str, body: bytes) -> dict[str, str]:
    """The header field over a body."""
    return provider.sign(secret, "", body, {})


SAMPLE = Sample(CALL_FORMS[0], by_body)


def german(body: bytes) -> RawDelivery:
    """A delivery to an account in Germany."""
    return replace(raw("placetel", body), rules=GERMAN)


def told(event: str, **fields: str) -> RawDelivery:
    """An event of the call."""
    about = {"event": event, "call_id": CALL, "from": "022129191999", "direction": "in", **fields}
    return german(form_body(**about))


def test_every_field_of_a_call_that_rings() -> None:
    """National numbers are read in the account's region."""
    (event,) = parsed(german(CALL_FORMS[0]))
    assert event.type == "call.started"
    assert wire(event)["data"] == told_call("placetel", CALL, CALLER, dialled="+4922199998560")


def test_a_call_is_told_from_its_beginning_to_its_end() -> None:
    """One contact."""
    found = [event for each in CALL_FORMS for event in parsed(german(each))]
    assert [each.type for each in found] == ["call.started", "call.answered", "call.ended"]
    assert len({each.open.contact_id for each in found}) == 1
    assert (found[2].open.outcome, found[2].open.duration_seconds) == ("completed", 42)


@pytest.mark.parametrize(
    ("said", "kind", "how"),
    [
        ("accepted", "call.ended", "completed"),
        ("missed", "call.missed", "no-answer"),
        ("busy", "call.missed", "busy"),
        ("canceled", "call.missed", "canceled"),
        ("blocked", "call.missed", "failed"),
        ("unavailable", "call.missed", "failed"),
        ("congestion", "call.missed", "failed"),
        ("voicemail", "call.voicemail_left", "voicemail"),
    ],
)
def test_each_type_says_how_the_call_ended(said: str, kind: str, how: str) -> None:
    """The table of the documents, one by one."""
    (event,) = parsed(told("HungUp", type=said))
    assert (event.type, event.open.outcome) == (kind, how)


def test_the_shops_own_calls_are_ignored() -> None:
    """Their end says so by its direction."""
    assert placetel.parse(told("OutgoingCall", direction="out")) == Ignored("OutgoingCall")
    assert placetel.parse(told("HungUp", direction="out", type="busy")) == Ignored("out")
    assert parsed(told("IncomingCall", direction=""))[0].type == "call.started"


def test_what_is_not_known_is_kept() -> None:
    """An event, an end, a direction."""
    kind = "payload.kind_unknown"
    assert placetel.parse(told("CallParked")) == Quarantined(kind, "CallParked")
    assert placetel.parse(told("HungUp", type="melted")) == Quarantined(kind, "melted")
    assert placetel.parse(told("HungUp")) == Quarantined(kind, "HungUp")
    assert placetel.parse(told("HungUp", direction="up")) == Quarantined(kind, "up")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "payload.unreadable"),
        (b"a=b", "payload.not_an_event"),
        (b"event=IncomingCall", "payload.unreadable"),
        (b"event=HungUp&call_id=a%20b", "payload.unreadable"),
    ],
)
def test_what_cannot_be_read_is_kept_too(body: bytes, code: str) -> None:
    """A person looks at it."""
    outcome = placetel.parse(raw("placetel", body))
    assert isinstance(outcome, Quarantined)
    assert outcome.code == code


def test_the_signature_is_that_of_the_documents() -> None:
    """Their own example, and no other body with it."""
    for body, fits in ((DOCUMENTED_BODY, True), (DOCUMENTED_BODY + b"0", False)):
        fields = [("x-placetel-signature", DOCUMENTED_SIGNATURE)]
        request = WebRequest("POST", DOOR, fields, body, RECEIVED)
        if fits:
            placetel.verify(request, {"signing": "12345"}, PUBLIC)
        else:
            with pytest.raises(SignatureInvalid):
                placetel.verify(request, {"signing": "12345"}, PUBLIC)


def test_it_is_given_instructions_where_there_are_some() -> None:
    """Where there are none it goes on by itself."""
    request = WebRequest("POST", DOOR, [], b"", RECEIVED)
    forward = '<Response><Forward voicemail="true"/></Response>'
    said = placetel.answer(request, Account(queue="hotline", reply=forward))
    assert (said.body, said.media_type) == (forward.encode(), "application/xml")
    assert placetel.answer(request, GERMAN).body == b""


@given(bodies=disorder(CALL_FORMS))
def test_any_order_and_repetition_tells_the_same_facts(bodies: list[bytes]) -> None:
    """Of the whole call."""
    assert facts("placetel", bodies) == facts("placetel", CALL_FORMS)


@given(
    event=st.sampled_from(["IncomingCall", "CallAccepted", "HungUp", "x"]),
    fields=st.dictionaries(
        st.sampled_from(["call_id", "from", "to", "type", "duration", "direction"]),
        st.text(max_size=40),
    ),
)
def test_whatever_a_parameter_holds_costs_nothing(event: str, fields: dict[str, str]) -> None:
    """It is read, ignored or kept."""
    facts("placetel", [form_body(event=event, **fields)])
