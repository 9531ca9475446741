"""Calls over Twilio Programmable Voice, as webhooks in application/x-www-form-urlencoded.

Sources, read 2026-11-22 (www.twilio.com/docs):
- voice/twiml: what a request for instructions carries
- voice/api/call-resource, "StatusCallback" and "Call status values"
- voice/twiml/gather: Digits; voice/twiml/conference: StatusCallbackEvent
- voice/twiml/record: RecordingUrl in the request for what follows, transcribeCallback
- voice/api/recording: RecordingStatus, RecordingSource
- voice/answering-machine-detection: AnsweredBy; voice/twiml/stream, transcription: StreamEvent, TranscriptionEvent
- both status callbacks: SequenceNumber, as requests need not arrive in the order of what they report
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from services.ingest.channels.shapes import twilio_signature
from services.ingest.channels.shapes.twilio_call_words import (
    ALONE,
    ASIDE_KINDS,
    CONFERENCE_KINDS,
    IGNORED,
    KINDS,
    OF_CONFERENCE,
    RECORDING_KINDS,
    STATUS_KINDS,
)
from services.ingest.domain import delivery, numbers, outcome, texts
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import errors, events, handles
from shared.policy import Account

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "twilio_voice"
MEDIUM: events.Medium = "call"
SECRETS = ("signing",)
SID_MAX_CHARACTERS = 64

WITHHELD = frozenset(
    {
        "anonymous",
        "restricted",
        "unavailable",
        "unknown",
        "+266696687",  # ANONYMOUS on a keypad, and so on
        "+7378742833",
        "+86282452253",
        "+8656696",
        "+2562533",
        "+464",
    }
)
"""What stands in `From` when the caller's number is not given."""

STIR_PASSED = "TN-Validation-Passed-A"
"""`StirVerstat` when the caller's carrier vouches for the number itself (STIR/SHAKEN, attestation A)."""
STIR_FAILED = "TN-Validation-Failed"
"""How `StirVerstat` begins when the number was checked and is not the caller's."""

WHATSAPP = "whatsapp:"
"""What stands before the number of who calls by WhatsApp."""

HANGUP = "hangup"
"""`Digits` when the caller hung up while she spoke on the machine (voice/twiml/record)."""

VOICEMAIL_SOURCE = "recordverb"
"""`RecordingSource`, in small letters, of what the caller spoke on the machine."""

DIGITS_MAX = 32
_DIGITS = re.compile(rf"[0-9*#]{{1,{DIGITS_MAX}}}\Z")
_SID = re.compile(rf"[!-.0-~]{{2,{SID_MAX_CHARACTERS}}}\Z")
_GATHER = re.compile(rb"<Gather\b[^>]*/>|<Gather\b.*?</Gather\s*>", re.DOTALL)

Fields = Mapping[str, str]
"""The parameters of a webhook; of a repeated one the first."""


# -- the door ----------------------------------------------------------------------------------------


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:
    """Check X-Twilio-Signature over the public address as called and the parameters. Raises: SignatureInvalid."""
    twilio_signature.verify(request, secrets["signing"], public_url)


def answer(request: delivery.WebRequest, rules: Account) -> delivery.Answer:
    """Return the account's instructions (TwiML) for the call.

    Who has pressed digits is not asked again: what the digit has for an answer is done, else what follows the menu. Who
    has spoken on the machine is done: the verb Record asks at the address that made it speak, and would make it speak
    again.
    """
    if b"RecordingUrl=" in request.body and b"DialCallStatus=" not in request.body:
        return delivery.Answer(b"<Response/>", "text/xml")
    reply = (rules.reply or "<Response/>").encode()
    if b"Digits=" in request.body:
        digits = dict(twilio_signature.pairs(request.body)).get("Digits", "")
        pressed = rules.menu.get(digits)
        own = pressed.reply if pressed is not None else None
        reply = own.encode() if own is not None else _GATHER.sub(b"", reply)
    return delivery.Answer(reply, "text/xml")


# -- normalising --------------------------------------------------------------------------------------


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return the events of one webhook: the event for the call's status, then the digits that the caller pressed."""
    try:
        fields = dict(reversed(twilio_signature.pairs(raw.body)))
    except errors.SignatureInvalid:
        return outcome.unreadable()
    if _word(fields, "StatusCallbackEvent") in CONFERENCE_KINDS:
        return _conference(raw, fields)
    if "StatusCallbackEvent" in fields and "CallStatus" not in fields:
        return outcome.unknown(fields["StatusCallbackEvent"])
    aside = _aside(fields)
    if aside is not None:
        return aside
    if not _SID.match(fields.get("CallSid", "")):
        return outcome.unreadable()
    if "RecordingStatus" in fields or "TranscriptionStatus" in fields:
        return _recording(
            raw, {**fields, "CallSid": fields.get("ParentCallSid") or fields["CallSid"]}
        )
    if "ParentCallSid" in fields or _word(fields, "Direction").startswith("outbound"):
        return Ignored("other_leg")
    return _call(raw, fields)


def _aside(fields: Fields) -> Parsed | None:
    """Return what is said of something that runs beside the call; `None` for what concerns the call."""
    for name, kinds in ASIDE_KINDS.items():
        if name in fields:
            word = _word(fields, name)
            return Ignored(word) if word in kinds else outcome.unknown(word)
    if "RecordingSid" in fields and "ConferenceSid" in fields and "CallSid" not in fields:
        return Ignored(OF_CONFERENCE)
    alone = next((word for name, word in ALONE.items() if name in fields), None)
    return Ignored(alone) if alone is not None and "CallStatus" not in fields else None


def _word(fields: Fields, name: str) -> str:
    """Return one of the provider's words, in its own case; empty where it says none."""
    return fields.get(name, "").strip().lower()


def _call(raw: delivery.RawDelivery, fields: Fields) -> Parsed:
    asked = "ringing" if _word(fields, "Direction") == "inbound" else ""
    status = _word(fields, "CallStatus") or asked
    kind = STATUS_KINDS.get(status)
    if kind is None:
        return outcome.unknown(status)
    reported = [] if kind == IGNORED else [_status_event(raw, fields, kind)]
    digits = fields.get("Digits", "")
    if digits == HANGUP or (reported and not _DIGITS.match(digits)):
        digits = ""  # whatever else stands there: it must not cost the call's beginning or end
    if digits and not _DIGITS.match(digits):
        return outcome.unreadable("Digits")
    if digits and not _is_voicemail(fields):
        reported.append(_menu_event(raw, fields, digits))
    if _is_voicemail(fields):
        reported.append(
            _voicemail_event(raw, fields)
        )  # told with the end: that says how the call was lost
    return (
        Reported([(fields["CallSid"], event) for event in reported])
        if reported
        else Ignored(status)
    )


def _status_event(raw: delivery.RawDelivery, fields: Fields, kind: str) -> events.ContactEvent:
    """Return one fact per call and kind: both name the fact, so a repeated webhook reports the same fact."""
    about, personal = _about(raw, fields, fields["CallSid"]), _personal(raw, fields)
    if kind == "call.started":
        written = numbers.with_plus(fields.get("To"))
        dialled = handles.phone(written, fields.get("ToCountry") or raw.rules.region)
        started = events.CallStartedOpen(**about, dialled=dialled)
        return outcome.contact_event(raw, events.CallStarted, started, personal)
    if kind == "call.answered":
        opened = events.ContactOpen(**about)
        return outcome.contact_event(raw, events.CallAnswered, opened, personal)
    ended = events.CallEndedOpen(
        **about,
        outcome=_word(fields, "CallStatus"),
        duration_seconds=_count(fields.get("CallDuration")),
    )
    over = events.CallEnded if kind == "call.ended" else events.CallMissed
    return outcome.contact_event(raw, over, ended, personal)


def _menu_event(raw: delivery.RawDelivery, fields: Fields, digits: str) -> events.CallMenuSelected:
    """A caller may press the same digit in two menus, and only what is signed can tell: address and body."""
    called = hashlib.sha256(raw.path.encode() + b"\n" + raw.body).hexdigest()[:32]
    about = _about(raw, fields, f"{fields['CallSid']}/{called}")
    opened = events.CallMenuSelectedOpen(**about, digits=digits)
    return outcome.contact_event(raw, events.CallMenuSelected, opened, _personal(raw, fields))


# -- recordings ----------------------------------------------------------------------------------------


def _is_voicemail(fields: Fields) -> bool:
    """Tell whether the verb Record asks what follows: Dial, which may record too, says how its own call ended."""
    return "RecordingUrl" in fields and "DialCallStatus" not in fields


def _recording(raw: delivery.RawDelivery, fields: Fields) -> Parsed:
    if "TranscriptionStatus" in fields:
        words = fields.get("TranscriptionText", "").strip()
        event = _voicemail_event(raw, fields, words) if words else None
        return Reported([(fields["CallSid"], event)]) if event else Ignored("transcription")
    status = _word(fields, "RecordingStatus")
    kind = RECORDING_KINDS.get(status)
    if kind is None:
        return outcome.unknown(f"recording/{status}")
    if kind == IGNORED:
        return Ignored(f"recording/{status}")
    if _recording_sid(fields) == fields["CallSid"]:
        return outcome.unreadable("recording")
    voicemail = _word(fields, "RecordingSource") == VOICEMAIL_SOURCE
    made = _voicemail_event(raw, fields) if voicemail else _recorded_event(raw, fields)
    return Reported([(fields["CallSid"], made)])


def _recorded_event(raw: delivery.RawDelivery, fields: Fields) -> events.CallRecorded:
    about = _about(raw, fields, _recording_sid(fields))
    opened = events.CallRecordedOpen(**about, duration_seconds=_length(fields))
    personal = events.CallRecordedPersonal(
        handles=_personal(raw, fields).handles, files=_sound(fields)
    )
    return outcome.contact_event(raw, events.CallRecorded, opened, personal)


def _voicemail_event(
    raw: delivery.RawDelivery, fields: Fields, words: str = ""
) -> events.CallVoicemailLeft:
    """Return a voicemail, or its `words`: what the verb asks and what the recording reports are one fact."""
    sid = _recording_sid(fields)
    opened = events.CallVoicemailLeftOpen(
        **_about(raw, fields, f"{sid}/words" if words else sid),
        outcome="voicemail",
        duration_seconds=_length(fields),
        refers_to=sid if words else None,
    )
    known = _personal(raw, fields)
    personal = events.CallVoicemailLeftPersonal(
        handles=known.handles,
        name=known.name,
        files=[] if words else _sound(fields),
        text=texts.fit(words),
    )
    return outcome.contact_event(raw, events.CallVoicemailLeft, opened, personal)


def _recording_sid(fields: Fields) -> str:
    """Return the recording's id, with which its address ends; else the call's: it has one voicemail."""
    told = (fields.get("RecordingSid", ""), fields.get("RecordingUrl", "").rpartition("/")[2])
    return next((each for each in told if _SID.match(each)), fields["CallSid"])


def _length(fields: Fields) -> int | None:
    return _count(fields.get("RecordingDuration"))


def _sound(fields: Fields) -> list[events.AttachedFile]:
    source = texts.line(fields.get("RecordingUrl"))
    return [events.AttachedFile(media_type="audio/wav", source=source)] if source else []


# -- what all of them share ----------------------------------------------------------------------------


def _conference(raw: delivery.RawDelivery, fields: Fields) -> Parsed:
    word = _word(fields, "StatusCallbackEvent")
    kind = CONFERENCE_KINDS[word]
    if kind == IGNORED:
        return Ignored(word)
    if not _SID.match(fields.get("CallSid", "")):
        return outcome.unreadable(word)
    number = fields.get("SequenceNumber") or raw.sha256
    provider_id = f"{fields['CallSid']}/{fields.get('ConferenceSid', '')}/{number}"
    opened = events.ContactOpen(**_about(raw, fields, provider_id[: 4 * SID_MAX_CHARACTERS]))
    held = events.CallHeld if kind == "call.held" else events.CallResumed
    event = outcome.contact_event(raw, held, opened, _personal(raw, fields))
    return Reported([(fields["CallSid"], event)])


def _about(raw: delivery.RawDelivery, fields: Fields, provider_id: str) -> dict[str, Any]:
    about = outcome.about(raw, MEDIUM, fields["CallSid"], provider_id)
    signed = {"provider_time": _time(fields.get("Timestamp")), "numbered": _numbered(fields)}
    return {**about, **signed}


def _numbered(fields: Fields) -> events.Numbered | None:
    """Return the report's number: of the call's own reports, or of its conference's; they count apart."""
    number, series = _count(fields.get("SequenceNumber")), fields.get("ConferenceSid", "call")
    if number is None or not _SID.match(series):
        return None
    return events.Numbered(series=series, number=number)


def _personal(raw: delivery.RawDelivery, fields: Fields) -> events.ContactPersonal:
    known = [handles.reference(NAME, raw.account, fields["CallSid"])]
    number = _caller(fields, raw.rules.region)
    if number is not None:
        known.append(handles.of("phone", number, _proof(fields.get("StirVerstat", ""))))
    return events.ContactPersonal(handles=known, name=texts.line(fields.get("CallerName")))


def _proof(attested: str) -> events.Proof:
    """Return what the carrier's word is worth: who is vouched for is proved, what failed the check is claimed."""
    if attested == STIR_PASSED:
        return "proved"
    return "claimed" if attested.startswith(STIR_FAILED) else "delivered"


def _caller(fields: Fields, region: str | None) -> str | None:
    """The caller's number; `None` when it is withheld or no number (an app, a SIP name)."""
    written = numbers.with_plus(fields.get("From")).strip().removeprefix(WHATSAPP)
    if written.lower() in WITHHELD:
        return None
    if written.startswith("sip:"):
        written = written.removeprefix("sip:").partition("@")[0]
    return handles.phone(written, fields.get("FromCountry") or region)


def _time(text: str | None) -> datetime | None:
    """The provider's RFC 2822 time, which stands in the signed body; `None` when there is none."""
    try:
        time = parsedate_to_datetime(text or "")
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
