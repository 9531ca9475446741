"""Calls of Zadarma's exchange, by its notifications: a form for each, signed over some of its fields.

Each kind signs other fields, and none signs the call's id or how the call ended: whoever has seen one notification can
send it again with another id. The door's address belongs to nobody but the provider.

Sources, read 2026-11: zadarma.com/en/support/api, as far as a reseller publishes it for incoming calls (`zd_echo`, the
kinds, what NOTIFY_START signs); the fields of NOTIFY_END, NOTIFY_ANSWER and NOTIFY_RECORD and what each of them
signs: receivers that others have published, also that a signature is base64 of hexadecimal text. The dispositions and
what NOTIFY_INTERNAL and NOTIFY_IVR sign are from memory.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from services.ingest.channels.shapes import door_token, told_calls
from services.ingest.channels.shapes.told_calls import Call
from services.ingest.domain import delivery, form_body, loose, outcome
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, errors, events

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "zadarma"
MEDIUM: events.Medium = told_calls.MEDIUM
SECRETS = ("signing",)
SIGNATURE = "signature"
ECHO = "zd_echo"
ECHO_MAX_CHARACTERS = 128

IGNORED = "ignored"
INCOMING_SIGNED = ("caller_id", "called_did", "call_start")
OUTGOING_SIGNED = ("internal", "destination", "call_start")
SIGNED: Mapping[str, tuple[str, ...]] = {
    "NOTIFY_START": INCOMING_SIGNED,
    "NOTIFY_INTERNAL": INCOMING_SIGNED,
    "NOTIFY_IVR": INCOMING_SIGNED,
    "NOTIFY_END": INCOMING_SIGNED,
    "NOTIFY_ANSWER": ("caller_id", "destination", "call_start"),
    "NOTIFY_OUT_START": OUTGOING_SIGNED,
    "NOTIFY_OUT_END": OUTGOING_SIGNED,
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
}
"""Which fields each kind signs, one behind the other."""

DISPOSITIONS: Mapping[str, tuple[str, str]] = {
    "answered": ("call.ended", told_calls.COMPLETED),
    "busy": ("call.missed", "busy"),
    "cancel": ("call.missed", "canceled"),
    "no answer": ("call.missed", "no-answer"),
    "failed": ("call.missed", "failed"),
    "no money": ("call.missed", "failed"),
    "unallocated number": ("call.missed", "failed"),
    "no limit": ("call.missed", "failed"),
    "no day limit": ("call.missed", "failed"),
    "line limit": ("call.missed", "failed"),
    "no money, no limit": ("call.missed", "failed"),
}
"""How a call ended -> the kind of its end, and our word for it."""

KINDS: Mapping[str, str] = {
    "NOTIFY_START": "call.started",
    "NOTIFY_INTERNAL": IGNORED,
    "NOTIFY_IVR": "call.menu_selected",
    "NOTIFY_ANSWER": "call.answered",
    "NOTIFY_END": "call.ended",
    "NOTIFY_OUT_START": IGNORED,
    "NOTIFY_OUT_END": IGNORED,
    "NOTIFY_RECORD": "call.recorded",
    **{word: kind for word, (kind, _) in DISPOSITIONS.items()},
}
OUTGOING = "out_"
"""How the ids of the shop's own calls begin."""
MENU = "wait_dtmf"
FIELDS_MAX = 200

Fields = Mapping[str, str]


def handshake(request: delivery.WebRequest, secrets: delivery.Secrets) -> delivery.Answer | None:  # noqa: ARG001  the shared shape
    """Return the text with which the provider tries the address."""
    echo = door_token.parameters(request.url).get(ECHO, "")
    fits = 0 < len(echo) <= ECHO_MAX_CHARACTERS and echo.isprintable()
    return delivery.Answer(echo.encode(), "text/plain") if fits else None


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check the header `Signature` over the fields that the kind signs. Raises: SignatureInvalid."""
    fields = _fields(request.body, request.header("content-type") or "") or {}
    signed = SIGNED.get(fields.get("event", ""))
    given = (request.header(SIGNATURE) or "").encode(errors="replace")
    expected = signature(secrets["signing"], fields, signed or INCOMING_SIGNED).encode()
    if not hmac.compare_digest(given, expected) or signed is None:
        raise errors.SignatureInvalid


def signature(secret: str, fields: Fields, signed: tuple[str, ...]) -> str:
    """Return base64 of the hexadecimal HMAC-SHA1 over fields, one behind the other."""
    text = "".join(fields.get(name, "") for name in signed)
    digest = hmac.new(secret.encode(), text.encode(errors="replace"), hashlib.sha1).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what a notification tells of a customer's call."""
    fields = _fields(raw.body, raw.header("content-type") or "")
    if fields is None:
        return outcome.unreadable()
    event, call_id = fields.get("event", ""), fields.get("pbx_call_id", "")
    if not event:
        return outcome.not_an_event()
    if KINDS.get(event) == IGNORED or (event in SIGNED and call_id.startswith(OUTGOING)):
        return Ignored(event)
    if event in SIGNED and not told_calls.is_id(call_id):
        return outcome.unreadable(event)
    call = Call(raw, call_id, fields.get("caller_id", ""))
    match event:
        case "NOTIFY_START":
            return Reported([call.started(fields.get("called_did", ""))])
        case "NOTIFY_ANSWER":
            return Reported([call.answered()])
        case "NOTIFY_END":
            return _over(call, fields)
        case "NOTIFY_IVR":
            return _menu(raw, call, fields)
        case "NOTIFY_RECORD":
            return _recorded(call, fields.get("call_id_with_rec", ""))
        case _:
            return outcome.unknown(event)


def _fields(body: bytes, content_type: str) -> dict[str, str] | None:
    """Return the parameters, of a repeated one the first; `None` when it is no form."""
    pairs = form_body.pairs(body, content_type)
    return dict(reversed(pairs)) if pairs and len(pairs) <= FIELDS_MAX else None


def _over(call: Call, fields: Fields) -> Parsed:
    disposition = fields.get("disposition", "").strip().lower()
    kind, how = DISPOSITIONS.get(disposition, ("", ""))
    if not kind:
        return outcome.unknown(disposition.replace(" ", "_") or "NOTIFY_END")
    length = told_calls.seconds(fields.get("duration", ""))
    return Reported([call.ended(length) if kind == "call.ended" else call.missed(how)])


def _menu(raw: delivery.RawDelivery, call: Call, fields: Fields) -> Parsed:
    """Digits stand in a parameter within the parameter, or in JSON; whoever pressed none is told without."""
    digits = fields.get(f"{MENU}[digits]", "") or _digits(fields.get(MENU, ""))
    if not told_calls.is_digits(digits):
        return outcome.unreadable("NOTIFY_IVR") if digits else Ignored("NOTIFY_IVR")
    return Reported([call.menu(digits, raw.sha256[:32])])


def _digits(menu: str) -> str:
    try:
        return loose.text(loose.table(loose.read(menu.encode())).get("digits"))
    except codec.UNREADABLE:
        return ""


def _recorded(call: Call, recording: str) -> Parsed:
    if not told_calls.is_id(recording):
        return outcome.unreadable("NOTIFY_RECORD")
    file = events.AttachedFile(media_type="audio/mpeg", source=recording)
    return Reported([call.recorded(file, recording, None)])
