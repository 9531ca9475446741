"""Calls over Twilio: every normalised field, and what makes two webhooks the same fact."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from services.ingest.channels import twilio_voice
from services.ingest.domain.ordering import in_order
from services.ingest.domain.outcome import Ignored, Quarantined, contact_id
from shared import ids
from tests.ingest.running_ingest import (
    GOLDEN,
    PUBLIC,
    RECEIVED,
    Sample,
    called,
    form_body,
    parsed,
    raw,
    wire,
)

SID = "CA00000000000000000000000000000001"
CALL = {"CallSid": SID, "Direction": "inbound", "From": "+48601234567", "To": "+48123456789"}


def by_twilio(secret: str, body: bytes) -> dict[str, str]:
    fields = dict(pair.split("=", 1) for pair in body.decode().split("&"))
    return called(secret, f"{PUBLIC}/in/demo/twilio_voice/main", fields)


SAMPLE = Sample(b"CallSid=CA1&CallStatus=ringing", by_twilio)


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.form").read_bytes()


def one(body: bytes, **context: Any) -> dict[str, Any]:
    """The only event of a webhook, as it stands on the bus."""
    (event,) = parsed(raw("twilio_voice", body, **context))
    return wire(event)


def types(**fields: str) -> list[str]:
    return [event.type for event in parsed(raw("twilio_voice", form_body(**{**CALL, **fields})))]


def outcome(**fields: str) -> object:
    return twilio_voice.parse(raw("twilio_voice", form_body(**{**CALL, **fields})))


# -- normalised fields ---------------------------------------------------------------------------------


def test_the_first_webhook_of_a_call_is_a_started_call_with_every_field() -> None:
    """A ringing call becomes call.started; each field of the event is asserted."""
    body = golden("call_ringing")
    contact = ids.scoped_id("contact", "demo", "twilio_voice/main", SID)
    assert one(body) == {
        "type": "call.started",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "twilio_voice", "main", SID, "call.started"),
        "source": "tellonce/ingest",
        "time": "2026-11-22T09:30:00.250000Z",
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:twilio_voice/main",
        "rawref": f"7:{ids.body_sha256(body)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "call",
                "channel": "twilio_voice",
                "account": "main",
                "provider_id": SID,
                "provider_time": None,
                "automatic": False,
                "numbered": None,
                "dialled": "+48123456789",
            },
            "personal": {
                "handles": [
                    {
                        "kind": "reference",
                        "value": f"twilio_voice/main/{SID}",
                        "verified": False,
                        "proof": None,
                    },
                    {"kind": "phone", "value": "+48601234567", "verified": True, "proof": "proved"},
                ],
                "name": "Anna Kowalska",
            },
        },
    }


def test_a_completed_call_is_an_ended_call_at_the_providers_time() -> None:
    """A status callback carries a signed time, the outcome and the billed duration."""
    event = one(golden("call_completed"))
    assert event["type"] == "call.ended"
    assert event["time"] == "2026-11-22T09:28:07Z"
    assert event["recordedtime"] == "2026-11-22T09:30:00.250000Z"
    assert event["data"]["open"] == {
        "contact_id": ids.scoped_id("contact", "demo", "twilio_voice/main", SID),
        "medium": "call",
        "channel": "twilio_voice",
        "account": "main",
        "provider_id": SID,
        "provider_time": "2026-11-22T09:28:07Z",
        "automatic": False,
        "numbered": {"series": "call", "number": 3},
        "outcome": "completed",
        "duration_seconds": 185,
    }


def test_hold_and_resume_come_from_the_conference_and_name_the_call() -> None:
    """participant-hold and -unhold are facts of the call's contact, one per sequence number."""
    body = golden("conference_hold")
    held, resumed = one(body), one(body.replace(b"participant-hold", b"participant-unhold"))
    assert (held["type"], resumed["type"]) == ("call.held", "call.resumed")
    assert held["time"] == "2026-11-22T09:20:00Z"
    assert held["data"]["open"]["provider_id"] == f"{SID}/CF00000000000000000000000000000009/5"
    assert held["data"]["open"]["contact_id"] == contact_id(raw("twilio_voice", b""), SID)
    assert held["data"]["personal"] == {
        "handles": [
            {
                "kind": "reference",
                "value": f"twilio_voice/main/{SID}",
                "verified": False,
                "proof": None,
            }
        ],
        "name": None,
    }
    again = body.replace(b"SequenceNumber=5", b"SequenceNumber=9")
    assert one(again)["id"] != held["id"]


def test_digits_stand_beside_the_status_in_one_webhook() -> None:
    """A webhook with digits reports both that the call is connected and what was pressed."""
    body = form_body(**CALL, CallStatus="in-progress", Digits="2#")
    answered, selected = parsed(raw("twilio_voice", body))
    assert (answered.type, selected.type) == ("call.answered", "call.menu_selected")
    assert selected.open.digits == "2#"
    assert selected.open.contact_id == answered.open.contact_id
    assert selected.open.provider_id.startswith(f"{SID}/")


@pytest.mark.parametrize("digits", ["hangup", "abc", "1" * 40])
def test_impossible_digits_cost_no_report_of_the_call(digits: str) -> None:
    """Who hangs up while she speaks on the machine is called back all the same."""
    (ended,) = parsed(raw("twilio_voice", form_body(**CALL, CallStatus="completed", Digits=digits)))
    assert ended.type == "call.ended"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("ringing", "call.started"),
        ("in-progress", "call.answered"),
        ("completed", "call.ended"),
        ("busy", "call.missed"),
        ("no-answer", "call.missed"),
        ("failed", "call.missed"),
        ("canceled", "call.missed"),
    ],
)
def test_each_status_has_its_kind(status: str, kind: str) -> None:
    """The table of the provider's words, word by word."""
    assert types(CallStatus=status) == [kind]


@pytest.mark.parametrize("status", ["queued", "initiated"])
def test_a_call_that_does_not_ring_yet_is_ignored(status: str) -> None:
    """Nobody needs a call that is only planned."""
    assert outcome(CallStatus=status) == Ignored(status)


@pytest.mark.parametrize(
    "word", ["participant-join", "participant-leave", "conference-start", "conference-end"]
)
def test_other_conference_events_are_known_and_ignored(word: str) -> None:
    """They are balanced as ignored, not quarantined."""
    assert outcome(StatusCallbackEvent=word) == Ignored(word)


def test_an_agents_leg_is_no_contact() -> None:
    """A call that the provider made on our behalf is not a customer's call."""
    assert outcome(CallStatus="in-progress", Direction="outbound-dial") == Ignored("other_leg")
    assert outcome(CallStatus="in-progress", ParentCallSid="CA9") == Ignored("other_leg")


def test_an_unknown_status_survives_in_quarantine() -> None:
    """A word the table does not hold is a value with its code, not an error."""
    assert outcome(CallStatus="levitating") == Quarantined("payload.kind_unknown", "levitating")
    unknown = Quarantined("payload.kind_unknown", "participant-sang")
    assert outcome(StatusCallbackEvent="participant-sang") == unknown


def test_an_unknown_status_that_is_no_word_is_not_repeated() -> None:
    """Whatever stands there may be personal, and the kind is in the open part."""
    assert outcome(CallStatus="Anna Kowalska, Kraków") == Quarantined("payload.kind_unknown")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff\xfe\x00",
        b"CallStatus=ringing",
        b"CallSid=%00&CallStatus=ringing",
        b"CallSid=CA1&CallStatus=queued&Digits=abc",
        b"&".join(b"k%d=v" % number for number in range(500)),
    ],
)
def test_what_is_no_webhook_of_a_call_is_unreadable(body: bytes) -> None:
    """A body without a call's id, or with impossible digits and nothing else, is quarantined whole."""
    found = twilio_voice.parse(raw("twilio_voice", body))
    assert isinstance(found, Quarantined)
    assert found.code == "payload.unreadable"


@pytest.mark.parametrize("written", ["CA_1", "<call-sid>"])
def test_what_is_asked_of_a_call_before_its_status_is_known_begins_it(written: str) -> None:
    """Whoever stands between may leave the status out; an id of another make stays as it is. By WhatsApp as well."""
    asked = {**CALL, "CallSid": written, "From": "whatsapp:+48601234567"}
    (event,) = parsed(raw("twilio_voice", form_body(**asked)))
    assert (event.type, event.open.provider_id) == ("call.started", written)
    assert event.personal.handles[1].value == "+48601234567"


@pytest.mark.parametrize(
    "withheld",
    [
        "anonymous",
        "Anonymous",
        "Restricted",
        "+266696687",
        "+8656696",
        "client:anna",
        "",
        "sip:x@y",
    ],
)
def test_a_withheld_number_gives_no_phone_handle(withheld: str) -> None:
    """Such a call is known by its own id only."""
    event = one(form_body(**{**CALL, "CallStatus": "ringing", "From": withheld}))
    assert event["data"]["personal"]["handles"] == [
        {"kind": "reference", "value": f"twilio_voice/main/{SID}", "verified": False, "proof": None}
    ]


@pytest.mark.parametrize(
    ("written", "country"),
    [
        ("+48 601 234 567", "PL"),
        ("601234567", "PL"),
        ("0048601234567", ""),
        (" 48601234567", ""),
        ("sip:+48601234567@a", ""),
    ],
)
def test_a_number_is_normalised_however_it_is_written(written: str, country: str) -> None:
    """The same person has one handle."""
    fields = {**CALL, "CallStatus": "ringing", "From": written, "FromCountry": country}
    event = one(form_body(**fields))
    assert event["data"]["personal"]["handles"][1]["value"] == "+48601234567"
    assert event["data"]["personal"]["handles"][1]["verified"] is False


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("Sun, 22 Nov 2026 10:28:07 +0100", datetime(2026, 11, 22, 9, 28, 7, tzinfo=UTC)),
        ("Sun, 22 Nov 2026 09:28:07 -0000", datetime(2026, 11, 22, 9, 28, 7, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        ("Fri, 31 Dec 9999 23:59:59 -0100", None),
        ("Sun, 22 Nov 2026 10:28:07 +99999999999999999999", None),
    ],
)
def test_only_a_time_that_can_be_read_is_the_providers_time(
    text: str, time: datetime | None
) -> None:
    """Otherwise the event happened when we received it."""
    (event,) = parsed(
        raw("twilio_voice", form_body(**CALL, CallStatus="completed", Timestamp=text))
    )
    happened = RECEIVED if time is None else time
    assert (event.open.provider_time, event.occurred) == (time, happened)


# -- order ----------------------------------------------------------------------------------------------


def test_a_conference_numbers_its_reports_apart_from_the_call() -> None:
    """What both numbers mean is known; what is no number is none."""
    body = golden("conference_hold")
    conference = "CF00000000000000000000000000000009"
    assert one(body)["data"]["open"]["numbered"] == {"series": conference, "number": 5}
    for odd in (b"SequenceNumber=-1", b"SequenceNumber=%C2%B2", b"SequenceNumber="):
        event = one(body.replace(b"SequenceNumber=5", odd))
        assert event["data"]["open"]["numbered"] is None


def reports(*numbered: tuple[str, int | None]) -> list[tuple[str, Any]]:
    """Return a call's reports of these states, each with its number, as they arrived."""
    found = []
    for number, (status, place) in enumerate(numbered):
        told = {} if place is None else {"SequenceNumber": str(place)}
        body = form_body(**{**CALL, "CallStatus": status, **told})
        (event,) = parsed(raw("twilio_voice", body, sequence=number + 1))
        found.append(("key", event))
    return found


def test_what_came_together_is_put_into_the_providers_order() -> None:
    """Its requests overtake each other; what has no number, and another call's reports, stay where they are."""
    other = reports(("ringing", 7))[0]
    other = (other[0], replace(other[1], aggregate="contact-other"))
    came = [*reports(("completed", 3), ("in-progress", 2)), other, *reports(("ringing", 1))]
    types = [event.type for _, event in in_order(came)]
    assert types == ["call.started", "call.answered", "call.started", "call.ended"]
    unnumbered = reports(("completed", None), ("in-progress", 2), ("ringing", 1))
    types = [event.type for _, event in in_order(unnumbered)]
    assert types == ["call.ended", "call.started", "call.answered"]


# -- the same fact ------------------------------------------------------------------------------------


def test_the_answered_webhook_and_the_status_callback_are_one_fact() -> None:
    """Both say that the call was connected, so both have the same event id."""
    webhook = one(form_body(**CALL, CallStatus="in-progress"))
    callback = one(
        form_body(
            **CALL,
            CallStatus="in-progress",
            SequenceNumber="2",
            CallbackSource="call-progress-events",
        )
    )
    assert webhook["id"] == callback["id"]


def test_the_same_digit_in_another_menu_is_another_fact() -> None:
    """Only the address tells the menus apart, and it is signed."""
    body = form_body(**CALL, CallStatus="in-progress", Digits="2")
    first = parsed(raw("twilio_voice", body, path="/in/demo/twilio_voice/main?menu=1"))
    second = parsed(raw("twilio_voice", body, path="/in/demo/twilio_voice/main?menu=2"))
    assert first[0].id == second[0].id
    assert first[1].id != second[1].id


@pytest.mark.parametrize(
    "odd",
    [
        {"CallStatus": "Completed"},
        {"CallStatus": "completed "},
        {"StatusCallbackEvent": "completed"},
        {"StatusCallbackEvent": "Completed", "Direction": "Inbound"},
    ],
)
def test_a_call_ends_however_its_end_is_spelled(odd: dict[str, str]) -> None:
    """Another case, a blank, or the word of the callback beside the status: the same fact."""
    plain = {**CALL, "CallStatus": "completed"}
    (known,) = parsed(raw("twilio_voice", form_body(**plain)))
    (event,) = parsed(raw("twilio_voice", form_body(**{**plain, **odd})))
    assert event.id == known.id
    assert event.open == known.open


def test_a_conference_is_held_however_it_is_spelled() -> None:
    """Its word decides, whatever stands beside it."""
    word = {"StatusCallbackEvent": "Participant-Hold", "ConferenceSid": "CF1"}
    assert types(**word, CallStatus="in-progress") == ["call.held"]
