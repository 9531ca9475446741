"""Text messages over Twilio: every normalised field, consent, and what became of ours."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import sms
from services.ingest.channels.shapes.twilio_signature import FIELDS_MAX
from services.ingest.domain.outcome import Ignored, Quarantined, contact_id
from services.ingest.domain.text_message import CONSENT_WORDS, consent_word
from shared import codec, handles, ids
from tests.ingest.running_ingest import GOLDEN, PUBLIC, Sample, called, form_body, parsed, raw, wire
from tests.support.own_ids import OURS, WRITTEN

SID = "SM00000000000000000000000000000002"
WRITER = "+48601234567"
MESSAGE = {"MessageSid": SID, "From": WRITER, "To": "+48732000111", "Body": "Hello"}
REPORT = {"MessageSid": SID, "To": WRITER, "From": "+48732000111"}


def by_twilio(secret: str, body: bytes) -> dict[str, str]:
    fields = dict(pair.split("=", 1) for pair in body.decode().split("&"))
    return called(secret, f"{PUBLIC}/in/demo/sms/main", fields)


SAMPLE = Sample(b"MessageSid=SM1&From=601&Body=hello", by_twilio)


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def events_of(fields: dict[str, str], **context: Any) -> Any:
    return parsed(raw("sms", form_body(**fields), **context))


def test_a_message_with_its_files_and_every_field() -> None:
    """An MMS becomes message.received; each field of the event is asserted."""
    body = golden("sms_received.form")
    (event,) = parsed(raw("sms", body))
    contact = ids.scoped_id("contact", "demo", "sms/main", WRITER)
    sid = "MM00000000000000000000000000000001"
    media = f"https://api.twilio.com/2010-04-01/Accounts/AC{1:032}/Messages/{sid}/Media/ME"
    files = [(f"{media}{1:032}", "image/jpeg"), (f"{media}{2:032}", "text/vcard")]
    told = wire(event)
    assert (told["type"], told["subject"]) == ("message.received", f"contact-{contact}")
    assert told["rawref"] == f"7:{ids.body_sha256(body)}"
    assert told["data"] == {
        "open": {
            "contact_id": contact,
            "medium": "message",
            "channel": "sms",
            "account": "main",
            "provider_id": sid,
            "provider_time": None,
            "automatic": False,
            "numbered": None,
            "in_reply_to": None,
            "attachments": 2,
            "refers_to": None,
        },
        "personal": {
            "handles": [
                {"kind": "phone", "value": WRITER, "verified": False, "proof": "delivered"}
            ],
            "name": None,
            "text": "Skrytka KRA01M nie działa",
            "reply_text": None,
            "title": None,
            "references": [],
            "quoted": None,
            "files": [
                {
                    "name": None,
                    "media_type": media_type,
                    "size_bytes": None,
                    "sha256": None,
                    "source": source,
                }
                for source, media_type in files
            ],
        },
    }


def test_a_report_leads_to_its_message_by_our_reference_and_by_the_providers_id() -> None:
    """Our reference stands in the address that the provider calls; the reason is the provider's code."""
    delivery = raw("sms", golden("sms_undelivered.form"), path=f"/in/demo/sms/main?m={WRITTEN}")
    (event,) = parsed(delivery)
    assert (event.type, event.conversation) == ("message.failed", OURS.conversation)
    assert (event.open.message_id, event.open.refers_to) == (OURS.message, SID)
    assert event.open.reason == "twilio_30006"
    assert event.personal.handles == [handles.of("phone", WRITER, "delivered")]
    assert event.open.contact_id == contact_id(delivery, WRITER)
    (unnamed,) = parsed(raw("sms", golden("sms_undelivered.form")))
    assert (unnamed.open.message_id, unnamed.conversation) == (None, None)
    assert (unnamed.id, unnamed.open.refers_to) == (event.id, SID)


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        ("sent", "message.sent", None),
        ("delivered", "message.delivered", None),
        ("read", "message.read", None),
        ("READ", "message.read", None),
        ("undelivered", "message.failed", "twilio_undelivered"),
        ("failed", "message.failed", "twilio_failed"),
        ("canceled", "message.failed", "twilio_canceled"),
    ],
)
def test_each_status_has_its_kind(status: str, kind: str, reason: str | None) -> None:
    """The table of the provider's words, word by word; also where only the older parameter stands."""
    (event,) = events_of({**REPORT, "MessageStatus": status})
    (older,) = events_of({"SmsSid": SID, "To": WRITER, "SmsStatus": status})
    assert (event.type, event.open.reason) == (older.type, older.open.reason) == (kind, reason)
    assert event.id == older.id


@pytest.mark.parametrize("status", ["queued", "accepted", "scheduled", "sending", "receiving"])
def test_a_message_on_its_way_is_ignored(status: str) -> None:
    """Nobody needs what the next report overtakes."""
    found = sms.parse(raw("sms", form_body(**REPORT, MessageStatus=status)))
    assert found == Ignored(status)


@pytest.mark.parametrize("code", ["0", "", "3", "Anna", "30003;x"])
def test_a_reason_is_a_stable_word(code: str) -> None:
    """What is no code of the provider stands nowhere in the open part."""
    (event,) = events_of({**REPORT, "MessageStatus": "failed", "ErrorCode": code})
    assert event.open.reason == "twilio_failed"


# -- consent ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["STOP", " stop. ", "Unsubscribe", "rezygnuję", "ODHLÁSIŤ"])
def test_a_word_alone_withdraws_the_consent_and_is_a_message(written: str) -> None:
    """She said something, and says by it that she is not to be written to."""
    message, consent = events_of({**MESSAGE, "Body": written})
    assert (message.type, message.personal.text) == ("message.received", written)
    assert consent.type == "consent.withdrawn"
    assert CONSENT_WORDS[consent.open.said].__struct_config__.tag == "consent.withdrawn"
    assert consent.open.contact_id == message.open.contact_id
    assert consent.personal.handles == message.personal.handles


def test_the_providers_word_on_consent_goes_before_hers() -> None:
    """An account may have words of its own: the provider says what they are."""
    message, consent = events_of({**MESSAGE, "Body": "Dość", "OptOutType": "STOP"})
    assert (consent.type, consent.open.said) == ("consent.withdrawn", "STOP")
    assert message.personal.text == "Dość"
    assert [
        each.type for each in events_of({**MESSAGE, "Body": "Wróć", "OptOutType": "START"})
    ] == [
        "message.received",
        "consent.given",
    ]
    assert len(events_of({**MESSAGE, "Body": "HELP", "OptOutType": "HELP"})) == 1


@pytest.mark.parametrize(
    "written", ["stop sending me the wrong parcel", "Please cancel", "the end", "", "s t o p"]
)
def test_a_word_among_others_withdraws_nothing(written: str) -> None:
    """She asks for something, and waits for an answer."""
    (message,) = events_of({**MESSAGE, "Body": written})
    assert message.type == "message.received"


@given(text=st.text(max_size=300))
def test_only_a_word_of_the_table_is_one(text: str) -> None:
    """Whatever is written, what stands in the open part is from our table."""
    found = events_of({**MESSAGE, "Body": text})
    assert [each.open.said in CONSENT_WORDS for each in found[1:]] == [True] * (len(found) - 1)
    assert (len(found) == 2) == (consent_word(found[0].personal.text) in CONSENT_WORDS)


# -- who wrote, and what ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ("+48 601 234 567", "phone", WRITER),
        ("601234567", "phone", WRITER),
        ("whatsapp:+48601234567", "phone", WRITER),
        ("rcs:+48601234567", "phone", WRITER),
        ("messenger:1234567890123456", "account", "sms:messenger:1234567890123456"),
        ("InPost", "account", "sms:InPost"),
        ("72021", "account", "sms:72021"),
    ],
)
def test_whoever_writes_is_known_by_her_number_or_as_the_provider_calls_her(
    written: str, kind: str, value: str
) -> None:
    """The network stands before the number; a sender that nobody can dial keeps its name."""
    (event,) = events_of({**MESSAGE, "From": written, "FromCountry": "PL"})
    known = [(each.kind, each.value, each.proof) for each in event.personal.handles]
    assert known == [(kind, value, "delivered")]


@pytest.mark.parametrize("written", [" 48601234567", "whatsapp: 48601234567"])
def test_a_plus_that_nobody_escaped_is_one(written: str) -> None:
    """In a form it comes as a blank; with the wrong country, or none, her number would be nobody's or another's."""
    (event,) = events_of({**MESSAGE, "From": written, "FromCountry": ""})
    assert [each.value for each in event.personal.handles] == [WRITER]


def test_one_person_on_two_networks_has_two_contacts() -> None:
    """The answer goes back on the network that she wrote by."""
    (by_sms,) = events_of(MESSAGE)
    (again,) = events_of({**MESSAGE, "MessageSid": "SM9", "From": "+48 601 234 567"})
    (other,) = events_of({**MESSAGE, "MessageSid": "SM8", "From": f"whatsapp:{WRITER}"})
    assert by_sms.open.contact_id == again.open.contact_id != other.open.contact_id


def test_what_whatsapp_adds_is_read() -> None:
    """Her name, the message that she answers, a button that she pressed, a place."""
    told = {"From": f"whatsapp:{WRITER}", "ProfileName": "Anna  Kowalska", "Body": ""}
    answer = {**told, "OriginalRepliedMessageSid": "SM7", "ButtonText": "Yes, please"}
    (event,) = events_of({**MESSAGE, **answer})
    assert (event.personal.name, event.personal.text) == ("Anna Kowalska", "Yes, please")
    assert event.open.refers_to == "SM7"
    (place,) = events_of({**MESSAGE, **told, "Latitude": "50.06", "Longitude": "19.94"})
    assert place.personal.text == "50.06\n19.94"


def test_who_hides_her_number_is_known_by_what_whatsapp_calls_her() -> None:
    """With it, too, so that both lead to one person; no word of the address is somebody else's."""
    named = {**MESSAGE, "ExternalUserId": "PL.2081978709342942"}
    (both,) = events_of({**named, "From": f"whatsapp:{WRITER}"})
    (hidden,) = events_of({**named, "From": "whatsapp:PL.2081978709342942"})
    (nobody,) = events_of({**named, "From": ""})
    known = [each.value for each in both.personal.handles]
    assert known == [WRITER, "sms:whatsapp:PL.2081978709342942"]
    assert [each.value for each in hidden.personal.handles] == known[1:]
    assert nobody.personal.handles == []


def test_the_advertisement_on_which_she_came_is_said() -> None:
    """A line each, where Twilio tells it."""
    shown = {
        "ReferralHeadline": "Winter boots",
        "ReferralBody": "Now 20 % less",
        "ReferralMediaId": "",
    }
    (event,) = events_of({**MESSAGE, **shown, "ReferralSourceUrl": "https://fb.example/1"})
    assert event.personal.quoted == "Winter boots\nNow 20 % less\nhttps://fb.example/1"


def test_what_pads_a_text_is_not_said() -> None:
    """Some gateways end a text with what no store takes."""
    (event,) = events_of({**MESSAGE, "Body": "Where\x00 is it?\x00"})
    assert event.personal.text == "Where is it?"


def test_one_id_with_other_words_is_another_fact() -> None:
    """The same again is the same; RAW has both."""
    (first,) = events_of(MESSAGE)
    (again,) = events_of({**MESSAGE, "ApiVersion": "2010-04-01"}, sequence=9)
    (other,) = events_of({**MESSAGE, "Body": "Goodbye"})
    assert first.id == again.id != other.id


def test_events_say_what_webhooks_say() -> None:
    """The provider's event streams: a list, signed over its hash, with the time of each."""
    message, read = parsed(raw("sms", golden("sms_events.json")))
    assert (message.type, message.personal.text) == ("message.received", "Dzień dobry")
    assert wire(message)["time"] == "2026-11-22T09:28:07Z"
    assert (read.type, read.open.refers_to) == ("message.read", SID)
    assert [each.value for each in read.personal.handles] == [WRITER]


@pytest.mark.parametrize(
    ("body", "code", "kind"),
    [
        (b"", "payload.unreadable", None),
        (b"[]", "payload.unreadable", None),
        (b"[[]]", "payload.unreadable", None),
        (b'{"MessageSid": ', "payload.unreadable", None),
        (b"Body=hello&From=601234567", "payload.not_an_event", None),
        (b'[{"name": "a"}]', "payload.not_an_event", None),
        (b"MessageSid=SM1", "payload.unreadable", "received"),
        (b"MessageSid=SM1&MessageStatus=levitating", "payload.kind_unknown", "levitating"),
        (b"&".join(b"k%d=v" % n for n in range(FIELDS_MAX + 1)), "payload.unreadable", None),
    ],
)
def test_what_is_no_message_is_kept_for_a_person(body: bytes, code: str, kind: str | None) -> None:
    """Each with its code."""
    assert sms.parse(raw("sms", body)) == Quarantined(code, kind)


WEBHOOKS = [
    form_body(**MESSAGE),
    form_body(**{**MESSAGE, "MessageSid": "SM3", "Body": "STOP"}),
    *(
        form_body(**{**REPORT, "MessageSid": "SM4", "MessageStatus": each})
        for each in ("sent", "delivered", "read")
    ),
    golden("sms_events.json"),
]


@given(order=st.lists(st.sampled_from(WEBHOOKS), max_size=12))
def test_any_order_and_repetition_tells_the_same_facts(order: list[bytes]) -> None:
    """What arrives late, twice or before its time gives the same contact events, but for where each stands in RAW."""
    told: dict[str, bytes] = {}
    for sequence, body in enumerate([*order, *WEBHOOKS], 1):
        for event in parsed(raw("sms", body, sequence=sequence)):
            text = codec.encode(event).replace(event.raw.encode(), b"")
            assert told.setdefault(event.id, text) == text
    assert len(told) == 8
