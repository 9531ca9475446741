"""Calls of Ringostat: its Webhooks 2.0, and the entries of its list of calls, which ingest asks for.

A shop chooses there which parameters a webhook carries and what each is called: the account's `mapping` says so, where
it is none of the names below. At what moment of the call a webhook is sent stands in no parameter: it is put into the
address, `?moment=before`, `answer` or `after`. Nothing is signed and nothing is sent again, so the address has a
secret, and the list is asked for besides: both name a call alike, so that it is one.

Sources, read 2026-11: help.ringostat.com, "How to realise the Ringostat integration using Webhooks", "Webhooks.
Incoming call event" (moments, callbacks, static parameters in the address), "Call log. Description of call statuses";
the documentation of the list's method with its example answers. That parameters may stand in `additional_call_data`,
what a caller's name looks like, and `NO FORWARD` and `IN PROGRESS`: receivers that others have published.
"""

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from services.ingest.channels.shapes import door_token, told_calls
from services.ingest.channels.shapes.told_calls import Call, Report
from services.ingest.domain import delivery, form_body, list_marks, loose, outcome, texts
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, events
from shared.policy import CallField

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "ringostat"
MEDIUM: events.Medium = told_calls.MEDIUM
SECRETS = ("signing",)
KEY_HEADER = "auth-key"

FIELDS: Mapping[CallField, tuple[str, ...]] = {
    "call": ("uniqueid", "call_id", "cdr_id"),
    "caller": ("caller_number", "number_e164", "caller", "userfield"),
    "dialled": ("dst", "destination", "callee"),
    "direction": ("call_type", "type"),
    "outcome": ("disposition", "status"),
    "duration": ("billsec", "duration_conversation", "dialog"),
    "began": ("calldate", "call_date", "date"),
    "recording": ("recording_wav", "recording", "record_link"),
    "has_recording": ("has_recording", "recording_presence"),
}
"""What we call a parameter -> what it is called there unless the account's mapping says so; the first that is told."""

IGNORED = "ignored"
MOMENT = "moment"
BEFORE, ANSWER, AFTER = "before", "answer", "after"
MOMENTS: Mapping[str, str] = {
    BEFORE: "call.started",
    ANSWER: "call.answered",
    AFTER: "call.ended",
    "forward": IGNORED,
    "rating": IGNORED,
}
"""At which moment a webhook was sent: the parameter of its address."""

OUTCOMES: Mapping[str, tuple[str, str]] = {
    "ANSWERED": ("call.ended", told_calls.COMPLETED),
    "PROPER": ("call.ended", told_calls.COMPLETED),
    "REPEATED": ("call.ended", told_calls.COMPLETED),
    "NO ANSWER": ("call.missed", "no-answer"),
    "NOANSWER": ("call.missed", "no-answer"),
    "CLIENT NO ANSWER": ("call.missed", "no-answer"),
    "BUSY": ("call.missed", "busy"),
    "DECLINE": ("call.missed", "busy"),
    "FAILED": ("call.missed", "failed"),
    "NO FORWARD": ("call.missed", "failed"),
    "WRONG EXTENSION": ("call.missed", "failed"),
    "NO EXTENSION": ("call.missed", "failed"),
    "VOICEMAIL": ("call.voicemail_left", told_calls.VOICEMAIL),
    "FORBIDDEN DESTINATION": (IGNORED, ""),
    "FAILED FORBIDDEN DESTINATION": (IGNORED, ""),
    "IN PROGRESS": (IGNORED, ""),
}
"""The status of a call that is over -> the kind of its end, and how it ended."""

KINDS: Mapping[str, str] = {
    **MOMENTS,
    **{word: kind for word, (kind, _) in OUTCOMES.items()},
    "recording": "call.recorded",
    "utm_source": "visit.summarised",
    "out": IGNORED,
    "transitout": IGNORED,
}
INCOMING = frozenset({"", "in", "incoming", "callback", "transitin"})
"""`call_type` of a customer's call. Who asked to be called back is one, as the provider has it too."""

NESTED = "additional_call_data"
RECORDING = "recording"
CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
LANDING = "landing"
FIELDS_MAX = 200
NOT_RECORDED = frozenset({"0", "false", "no"})
MEDIA_TYPES: Mapping[str, str] = {".mp3": "audio/mpeg", ".ogg": "audio/ogg"}
OTHER_MEDIA_TYPE = "audio/wav"

_NAMED = re.compile(r"\"?(?P<name>[^\"<]*)\"?\s*<(?P<number>[^<>]*)>\s*\Z")
_NOTHING = re.compile(r"\(.*\)\Z")
"""`(direct)`, `(none)`, `(not set)`: a campaign that is none."""
_SPACES = re.compile(r"[\s+_-]+")

Fields = Mapping[str, str]


def handshake(request: delivery.WebRequest, secrets: delivery.Secrets) -> delivery.Answer | None:  # noqa: ARG001  the shared shape
    """Return that what comes by GET is a delivery: the shop chooses the method."""
    return delivery.BY_GET


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check the secret in the address, or in the header `Auth-Key`. Raises: SignatureInvalid."""
    door_token.verify(request, secrets["signing"], KEY_HEADER)


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what is told of a customer's call at one moment of it."""
    fields = _fields(raw)
    if fields is None:
        return outcome.unreadable()
    told = {name: _told(raw, fields, name) for name in FIELDS}
    if not told["call"]:
        return outcome.not_an_event()
    if not told_calls.is_id(told["call"]):
        return outcome.unreadable()
    direction = told["direction"].lower()
    if direction not in INCOMING:
        return Ignored(direction) if direction in KINDS else outcome.unknown(direction)
    call = _call(raw, told["caller"], told["call"])
    match _moment(raw, fields, told["outcome"]):
        case "before":
            return Reported([call.started(told["dialled"]), *_campaign(call, fields)])
        case "answer":
            return Reported([call.answered()])
        case "after":
            return _over(raw, call, told, fields)
        case moment:
            return Ignored(moment) if moment in MOMENTS else outcome.unknown(moment)


def _moment(raw: delivery.RawDelivery, fields: Fields, status: str) -> str:
    """Return at which moment a webhook was sent; where nobody says so, a call that has a status is over."""
    said = door_token.parameters(raw.path).get(MOMENT) or fields.get(MOMENT, "")
    return said.strip().lower() or (AFTER if status else BEFORE)


# -- what a call that is over tells ---------------------------------------------------------------------


def _over(
    raw: delivery.RawDelivery, call: Call, told: Mapping[CallField, str], fields: Fields
) -> Parsed:
    status = _SPACES.sub(" ", told["outcome"]).strip().upper()
    kind, how = OUTCOMES.get(status, ("", ""))
    if not kind:
        return outcome.unknown(status.lower().replace(" ", "_"))
    if kind == IGNORED:
        return Ignored(status.lower().replace(" ", "_"))
    length, time = told_calls.seconds(told["duration"]), _ended(raw, told)
    files = _recording(told)
    if kind == "call.voicemail_left":
        return Reported([call.voicemail(files, length, time), *_campaign(call, fields)])
    reports: list[Report] = [
        call.ended(length, time) if kind == "call.ended" else call.missed(how, time)
    ]
    reports += [call.recorded(file, RECORDING, length) for file in files]
    return Reported([*reports, *_campaign(call, fields)])


def _campaign(call: Call, fields: Fields) -> list[Report]:
    """Return what brought the caller to the shop's pages, where the provider's script there has seen her."""
    told = [(name, texts.line(fields.get(name))) for name in (*CAMPAIGN, LANDING)]
    known = [(name, said) for name, said in told if said and not _NOTHING.match(said)]
    campaign = [(name.removeprefix("utm_"), said) for name, said in known if name != LANDING]
    pages = [said for name, said in known if name == LANDING]
    return [call.brought_by(campaign, pages)] if campaign else []


def _ended(raw: delivery.RawDelivery, told: Mapping[CallField, str]) -> datetime | None:
    """Return when a call ended, where the provider has said it on our own connection: anybody with the address may
    post another time."""
    if list_marks.mark(raw.path) is None:
        return None
    length = timedelta(seconds=told_calls.seconds(told["duration"]) or 0)
    try:
        began = datetime.fromisoformat(told["began"])
        return began.astimezone(UTC) + length if began.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _recording(told: Mapping[CallField, str]) -> list[events.AttachedFile]:
    """Return the recording; its address stands there too where there is none, and then another parameter says so."""
    source = texts.line(told["recording"])
    if source is None or told["has_recording"].lower() in NOT_RECORDED:
        return []
    form = source.partition("?")[0].rpartition("/")[2].rpartition(".")
    media_type = MEDIA_TYPES.get(f".{form[2].lower()}", OTHER_MEDIA_TYPE)
    return [events.AttachedFile(media_type=media_type, source=source)]


# -- reading parameters ---------------------------------------------------------------------------------


def _fields(raw: delivery.RawDelivery) -> Fields | None:
    """Return the parameters by name, as texts; `None` when it is none of the formats in which they come."""
    if raw.body.lstrip().startswith(b"{"):
        try:
            found = loose.table(loose.read(raw.body))
        except codec.UNREADABLE:
            return None
        return _flat({**loose.table(found.get(NESTED)), **found})
    pairs = form_body.pairs(raw.body, raw.header("content-type") or "")
    return dict(reversed(pairs)) if pairs and len(pairs) <= FIELDS_MAX else None


def _flat(found: Mapping[str, object]) -> Fields:
    return {
        name: value if isinstance(value, str) else str(value)
        for name, value in found.items()
        if isinstance(value, str | int | float)
    }


def _told(raw: delivery.RawDelivery, fields: Fields, name: CallField) -> str:
    """Return a parameter by our name; empty where it was not told. The list has the provider's own names."""
    listed = list_marks.mark(raw.path) is not None
    mapped = None if listed else raw.rules.mapping.get(name)
    names = FIELDS[name] if mapped is None else (mapped,)
    return next((said for each in names if (said := fields.get(each, "").strip())), "")


def _call(raw: delivery.RawDelivery, caller: str, call: str) -> Call:
    """Return a call; its caller may be written `"Name" <number>`, also as it stands in a page."""
    named = _NAMED.match(html.unescape(caller))
    if named is None:
        return Call(raw, call, caller)
    name = texts.line(named["name"], told_calls.NAME_MAX_BYTES)
    return Call(raw, call, named["number"], name)
