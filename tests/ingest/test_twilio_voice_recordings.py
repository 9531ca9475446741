"""What Twilio tells of recordings, voicemails and what runs beside a call."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import twilio_voice
from services.ingest.domain.outcome import Ignored, Quarantined, contact_id
from shared import codec
from tests.ingest.running_ingest import GOLDEN, form_body, parsed, raw, wire

SID = "CA00000000000000000000000000000001"
RECORDING = "RE00000000000000000000000000000001"
URL = f"https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/{RECORDING}"
CALL = {"CallSid": SID, "Direction": "inbound", "From": "+48601234567", "To": "+48123456789"}
RECORDED = {
    "CallSid": SID,
    "RecordingSid": RECORDING,
    "RecordingUrl": URL,
    "RecordingStatus": "completed",
    "RecordingDuration": "17",
    "RecordingSource": "DialVerb",
}


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def events_of(fields: dict[str, str]) -> Any:
    return parsed(raw("twilio_voice", form_body(**fields)))


def outcome(**fields: str) -> object:
    return twilio_voice.parse(raw("twilio_voice", form_body(**fields)))


def test_a_voicemail_with_every_field() -> None:
    """The verb Record asks what follows: she hung up, which is no digit of a menu."""
    ended, left = parsed(raw("twilio_voice", golden("voicemail.form")))
    assert (left.type, ended.type) == ("call.voicemail_left", "call.ended")
    contact = contact_id(raw("twilio_voice", b""), SID)
    assert wire(left)["data"] == {
        "open": {
            "contact_id": contact,
            "medium": "call",
            "channel": "twilio_voice",
            "account": "main",
            "provider_id": RECORDING,
            "provider_time": None,
            "automatic": False,
            "numbered": None,
            "outcome": "voicemail",
            "duration_seconds": 17,
            "refers_to": None,
        },
        "personal": {
            "handles": [
                {
                    "kind": "reference",
                    "value": f"twilio_voice/main/{SID}",
                    "verified": False,
                    "proof": None,
                },
                {
                    "kind": "phone",
                    "value": "+48601234567",
                    "verified": False,
                    "proof": "delivered",
                },
            ],
            "name": None,
            "files": [
                {
                    "name": None,
                    "media_type": "audio/wav",
                    "size_bytes": None,
                    "sha256": None,
                    "source": URL,
                }
            ],
            "text": "",
        },
    }


def test_the_recordings_own_report_is_the_same_fact() -> None:
    """Whichever comes first; the words are a fact of their own, which names the voicemail."""
    (_, asked) = parsed(raw("twilio_voice", golden("voicemail.form")))
    (told,) = events_of({**RECORDED, "RecordingSource": "RecordVerb"})
    words = {"TranscriptionStatus": "completed", "TranscriptionText": " Gdzie paczka? "}
    (heard,) = events_of({**CALL, **words, "RecordingSid": RECORDING, "RecordingUrl": URL})
    assert asked.id == told.id != heard.id
    assert (heard.type, heard.personal.text) == ("call.voicemail_left", "Gdzie paczka?")
    assert (heard.open.refers_to, heard.personal.files) == (RECORDING, [])
    assert heard.open.contact_id == asked.open.contact_id


def test_a_recording_of_the_talk_is_its_calls() -> None:
    """Whatever recorded it; that of an agent's leg is of the customer's call."""
    (event,) = events_of(RECORDED)
    assert (event.type, event.open.provider_id) == ("call.recorded", RECORDING)
    assert event.open.duration_seconds == 17
    assert [(file.source, file.media_type) for file in event.personal.files] == [(URL, "audio/wav")]
    (leg,) = events_of({**RECORDED, "CallSid": "CA2", "ParentCallSid": SID})
    assert (leg.id, leg.open.contact_id) == (event.id, event.open.contact_id)


def test_a_call_that_was_dialled_on_and_recorded_left_no_voicemail() -> None:
    """Dial says how its own call ended, and may name a recording of it."""
    dialled = {**CALL, "CallStatus": "in-progress", "DialCallStatus": "completed"}
    (event,) = events_of({**dialled, "DialCallSid": "CA2", "RecordingUrl": URL})
    assert event.type == "call.answered"


@pytest.mark.parametrize(
    "told",
    [
        {"RecordingUrl": URL},
        {"RecordingUrl": URL, "RecordingSid": RECORDING, "Digits": "#"},
        {"RecordingUrl": "", "Digits": "hangup"},
    ],
)
def test_a_voicemail_needs_no_id_of_its_recording(told: dict[str, str]) -> None:
    """Its address ends with it; else a call has one. The key that ended it chose nothing."""
    answered, left = events_of({**CALL, "CallStatus": "in-progress", **told})
    assert (left.type, answered.type) == ("call.voicemail_left", "call.answered")
    assert left.open.provider_id == (RECORDING if told["RecordingUrl"] else SID)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"RecordingSid": RECORDING, "RecordingStatus": "in-progress"}, "recording/in-progress"),
        ({"RecordingSid": RECORDING, "RecordingStatus": "absent"}, "recording/absent"),
        (
            {"RecordingSid": RECORDING, "TranscriptionStatus": "failed", "CallStatus": "completed"},
            "transcription",
        ),
        ({"AnsweredBy": "machine_start", "MachineDetectionDuration": "3200"}, "machine_detection"),
        ({"RecordingStatus": "in-progress"}, "recording/in-progress"),
        ({"PaymentSid": "PK1", "PaymentMethod": "credit-card"}, "payment"),
        ({"SiprecSid": "SR1", "SiprecEvent": "siprec-started"}, "siprec-started"),
        ({"StreamSid": "MZ1", "StreamEvent": "stream-started"}, "stream-started"),
        ({"TranscriptionEvent": "transcription-content"}, "transcription-content"),
    ],
)
def test_what_runs_beside_a_call_is_known_and_ignored(fields: dict[str, str], kind: str) -> None:
    """By its name, so that the balance counts it."""
    assert outcome(CallSid=SID, **fields) == Ignored(kind)


def test_the_recording_of_a_conference_is_no_calls() -> None:
    """It names none: a conference may hold several."""
    told = {"ConferenceSid": "CF1", "RecordingSid": RECORDING, "RecordingUrl": URL}
    ignored = Ignored("recording/conference")
    assert outcome(**told, RecordingStatus="completed") == outcome(**told, Duration="9") == ignored


def test_a_recording_is_named_by_its_address() -> None:
    """Where it has no other name."""
    (event,) = events_of({"CallSid": SID, "RecordingStatus": "completed", "RecordingUrl": URL})
    assert (event.type, event.open.provider_id) == ("call.recorded", RECORDING)


@pytest.mark.parametrize(
    ("fields", "code", "kind"),
    [
        ({"StreamEvent": "stream-sang"}, "payload.kind_unknown", "stream-sang"),
        (
            {"RecordingSid": RECORDING, "RecordingStatus": "sung"},
            "payload.kind_unknown",
            "recording/sung",
        ),
        ({"RecordingStatus": "completed"}, "payload.unreadable", "recording"),
    ],
)
def test_what_is_not_known_of_it_is_kept(fields: dict[str, str], code: str, kind: str) -> None:
    """With its word."""
    assert outcome(CallSid=SID, **fields) == Quarantined(code, kind)


WEBHOOKS = [
    form_body(**{**CALL, "CallStatus": "ringing"}),
    form_body(**{**CALL, "CallStatus": "in-progress"}),
    golden("voicemail.form"),
    form_body(**RECORDED, Timestamp="Sun, 22 Nov 2026 09:28:07 +0000"),
    form_body(
        **{**CALL, "TranscriptionStatus": "completed", "TranscriptionText": "Halo"},
        RecordingSid=RECORDING,
    ),
]


@given(order=st.lists(st.sampled_from(WEBHOOKS), max_size=12))
def test_any_order_and_repetition_tells_the_same_facts(order: list[bytes]) -> None:
    """All of one contact, however the deliveries are mixed and repeated."""
    told: dict[str, bytes] = {}
    contacts = set()
    for sequence, body in enumerate(itertools.chain(order, WEBHOOKS), 1):
        for event in parsed(raw("twilio_voice", body, sequence=sequence)):
            text = codec.encode(event).replace(event.raw.encode(), b"")
            assert told.setdefault(event.id, text) == text
            contacts.add(event.open.contact_id)
    assert (len(told), len(contacts)) == (6, 1)
