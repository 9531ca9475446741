"""Calls of sipgate: events as forms, answers that say where to tell the rest, calls that are passed on."""

import base64
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import sipgate
from services.ingest.domain.delivery import RawDelivery, WebRequest
from services.ingest.domain.outcome import Ignored, Quarantined
from shared.errors import SignatureInvalid
from shared.policy import Account
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

NEW_CALL = (GOLDEN / "sipgate_newcall.form").read_bytes()
TRANSFER = (GOLDEN / "sipgate_transfer.forms").read_bytes().split(b"\n")
CALL, CALLER = "12111955", "+49211100200"
DOOR = "/in/demo/sipgate/main"


def by_password(secret: str, body: bytes) -> dict[str, str]:
    """The header field that an address with a password becomes."""
    return {"authorization": "Basic " + base64.b64encode(f"any:{secret}".encode()).decode()}


SAMPLE = Sample(NEW_CALL, by_password, signs_body=False)


def told(event: str, **fields: str) -> RawDelivery:
    """An event of the call."""
    about = {"event": event, "callId": CALL, "from": "49211100200", "direction": "in", **fields}
    return raw("sipgate", form_body(**about))


def test_every_field_of_a_call_that_rings() -> None:
    """Numbers come without a plus; its several users are no customers."""
    (event,) = parsed(raw("sipgate", NEW_CALL))
    assert event.type == "call.started"
    assert wire(event)["data"] == told_call("sipgate", CALL, CALLER, dialled="+4921199999999")


def test_a_call_that_is_passed_on_is_one_contact() -> None:
    """Two calls there; it is over when the second one is."""
    found = [event for each in TRANSFER[:4] for event in parsed(raw("sipgate", each))]
    assert sipgate.parse(raw("sipgate", TRANSFER[4])) == Ignored("forwarded")
    found += parsed(raw("sipgate", TRANSFER[5]))
    assert [each.type for each in found] == [
        "call.started",
        "call.answered",
        "call.transferred",
        "call.answered",
        "call.ended",
    ]
    assert len({each.open.contact_id for each in found}) == 1
    assert found[1].id == found[3].id, "she was connected once"
    assert (found[2].personal.to, found[2].open.provider_id) == ("Marty", f"{CALL}/21102015")


@pytest.mark.parametrize(
    ("cause", "kind", "how"),
    [
        ("normalClearing", "call.ended", "completed"),
        ("busy", "call.missed", "busy"),
        ("cancel", "call.missed", "canceled"),
        ("noAnswer", "call.missed", "no-answer"),
        ("congestion", "call.missed", "failed"),
        ("notFound", "call.missed", "failed"),
    ],
)
def test_each_cause_says_how_the_call_ended(cause: str, kind: str, how: str) -> None:
    """The table of the documents, one by one."""
    (event,) = parsed(told("hangup", cause=cause))
    assert (event.type, event.open.outcome) == (kind, how)


def test_nobody_there_takes_the_call_back_to_where_it_was() -> None:
    """Passed on to somebody who does not answer, it is not over."""
    ended = told("hangup", cause="noAnswer", callId="21102015", origCallId=CALL)
    assert sipgate.parse(ended) == Ignored("noAnswer")


def test_a_call_that_the_machine_answers_is_owed() -> None:
    """Though its hangup says that it was answered; who answers by another name is somebody."""
    (event,) = parsed(told("answer", user="voicemail", userId="w0"))
    assert (event.type, event.open.outcome) == ("call.voicemail_left", "voicemail")
    assert parsed(told("answer", user="Maria Kowalska"))[0].type == "call.answered"


def test_digits_of_a_menu() -> None:
    """They come without a number; of one who pressed nothing they are empty."""
    (event,) = parsed(raw("sipgate", form_body(event="dtmf", dtmf="12#", callId=CALL)))
    assert (event.type, event.open.digits) == ("call.menu_selected", "12#")
    assert [each.kind for each in event.personal.handles] == ["reference"]
    assert sipgate.parse(raw("sipgate", form_body(event="dtmf", dtmf="", callId=CALL))) == Ignored(
        "dtmf"
    )
    other = raw("sipgate", form_body(event="dtmf", dtmf="12#", callId=CALL), path=f"{DOOR}?menu=2")
    assert parsed(other)[0].id != event.id, "another menu"


def test_what_is_not_known_is_kept() -> None:
    """An event, a cause, a direction."""
    kind = "payload.kind_unknown"
    assert sipgate.parse(told("hold")) == Quarantined(kind, "hold")
    assert sipgate.parse(told("hangup", cause="melted")) == Quarantined(kind, "melted")
    assert sipgate.parse(told("newCall", direction="up")) == Quarantined(kind, "up")
    assert sipgate.parse(told("newCall", direction="out")) == Ignored("out")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "payload.unreadable"),
        (b"a=b", "payload.not_an_event"),
        (b"event=newCall&callId=", "payload.unreadable"),
        (b"event=newCall&callId=a%20b", "payload.unreadable"),
        (b"event=dtmf&callId=1&dtmf=x", "payload.unreadable"),
    ],
)
def test_what_cannot_be_read_is_kept_too(body: bytes, code: str) -> None:
    """A person looks at it."""
    outcome = sipgate.parse(raw("sipgate", body))
    assert isinstance(outcome, Quarantined)
    assert outcome.code == code


@pytest.mark.parametrize("caller", ["anonymous", "", "1234567w0"])
def test_who_withholds_her_number_is_known_by_the_call_alone(caller: str) -> None:
    """`anonymous` is what the documents name."""
    (event,) = parsed(told("newCall", **{"from": caller}))
    assert [each.kind for each in event.personal.handles] == ["reference"]


# -- the door ---------------------------------------------------------------------------------------------


def request(url: str, body: bytes = b"", /, **headers: str) -> WebRequest:
    return WebRequest("POST", url, list(headers.items()), body, RECEIVED)


def test_the_secret_stands_in_the_address() -> None:
    """As a parameter or as the password."""
    sipgate.verify(request(f"{DOOR}?token={SECRET}"), {"signing": SECRET}, PUBLIC)
    sipgate.verify(request(DOOR, **by_password(SECRET, b"")), {"signing": SECRET}, PUBLIC)
    with pytest.raises(SignatureInvalid):
        sipgate.verify(request(f"{DOOR}?token=x"), {"signing": SECRET}, PUBLIC)


def test_the_answer_says_where_to_tell_the_rest() -> None:
    """At this door, with its secret: without that nothing but beginnings would come."""
    asked = request(f"{DOOR}?token={SECRET}&a=%26", host="doors.shop.example")
    said = sipgate.answer(asked, Account(queue="hotline"))
    assert said.media_type == "application/xml"
    root = ET.fromstring(said.body)
    door = f"https://doors.shop.example{DOOR}?token={SECRET}&a=%26"
    assert root.attrib == {"onAnswer": door, "onHangup": door}
    by_basic = request(DOOR, host="doors.shop.example", **by_password("a@b", b""))
    root = ET.fromstring(sipgate.answer(by_basic, Account(queue="hotline")).body)
    assert root.attrib["onHangup"] == f"https://any:a%40b@doors.shop.example{DOOR}"


def test_a_menu_is_played_once_and_told_at_the_door() -> None:
    """The account's own instructions stay; `{door}` in them is the address."""
    rules = Account(
        queue="hotline",
        reply='<Response><Gather onData="{door}"><Play/></Gather><Dial><Voicemail/></Dial></Response>',
    )
    asked = request(f"{DOOR}?token=t", b"event=newCall", host="doors.shop.example")
    first = ET.fromstring(sipgate.answer(asked, rules).body)
    gather = first.find("Gather")
    assert gather is not None
    assert gather.attrib == {"onData": f"https://doors.shop.example{DOOR}?token=t"}
    pressed = request(f"{DOOR}?token=t", b"event=dtmf&dtmf=1", host="doors.shop.example")
    then = ET.fromstring(sipgate.answer(pressed, rules).body)
    assert [each.tag for each in then] == ["Dial"]


def test_without_a_host_it_is_answered_all_the_same() -> None:
    """Whoever speaks HTTP/1.0 is told nothing of addresses."""
    assert sipgate.answer(request(DOOR), Account(queue="hotline")).body == b"<Response/>"


@given(bodies=disorder(TRANSFER))
def test_any_order_and_repetition_tells_the_same_facts(bodies: list[bytes]) -> None:
    """Also of a call that was passed on."""
    assert facts("sipgate", bodies) == facts("sipgate", TRANSFER)


@given(
    fields=st.dictionaries(
        st.sampled_from(["callId", "origCallId", "from", "to", "cause", "dtmf", "direction"]),
        st.text(max_size=40),
    ),
    event=st.sampled_from(["newCall", "answer", "hangup", "dtmf", "x"]),
)
def test_whatever_a_parameter_holds_costs_nothing(fields: dict[str, str], event: str) -> None:
    """It is read, ignored or kept."""
    facts("sipgate", [form_body(event=event, **fields)])
