"""Calls of Placetel, by its notify API: a form for each event, signed as a whole.

Where the routing of a number asks for instructions as well, the account's `reply` is the answer.

Source: github.com/Placetel/call-control-notify-api, README (Our POST request, Hangup types, X-PLACETEL-SIGNATURE),
read 2026-11.
"""

import hashlib
import hmac
from collections.abc import Mapping

from services.ingest.channels.shapes import told_calls
from services.ingest.channels.shapes.told_calls import Call
from services.ingest.domain import delivery, form_body, outcome
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import errors, events
from shared.policy import Account

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "placetel"
MEDIUM: events.Medium = told_calls.MEDIUM
SECRETS = ("signing",)
SIGNATURE = "x-placetel-signature"
XML = "application/xml"

IGNORED = "ignored"
TYPES: Mapping[str, tuple[str, str]] = {
    "accepted": ("call.ended", told_calls.COMPLETED),
    "missed": ("call.missed", "no-answer"),
    "busy": ("call.missed", "busy"),
    "canceled": ("call.missed", "canceled"),
    "blocked": ("call.missed", "failed"),
    "unavailable": ("call.missed", "failed"),
    "congestion": ("call.missed", "failed"),
    "voicemail": ("call.voicemail_left", told_calls.VOICEMAIL),
}
"""The type of a hangup -> the kind of the call's end, and how it ended."""

KINDS: Mapping[str, str] = {
    "IncomingCall": "call.started",
    "CallAccepted": "call.answered",
    "HungUp": "call.ended",
    "OutgoingCall": IGNORED,
    **{word: kind for word, (kind, _) in TYPES.items()},
    "out": IGNORED,
}
INCOMING = frozenset({"", "in"})
"""Older events of incoming calls name no direction."""
FIELDS_MAX = 200


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check the hexadecimal HMAC-SHA256 over the body. Raises: SignatureInvalid."""
    expected = hmac.new(secrets["signing"].encode(), request.body, hashlib.sha256).hexdigest()
    given = (request.header(SIGNATURE) or "").encode(errors="replace")
    if not hmac.compare_digest(given, expected.encode()):
        raise errors.SignatureInvalid


def answer(request: delivery.WebRequest, rules: Account) -> delivery.Answer:  # noqa: ARG001  the shared shape
    """Return the account's instructions; nothing where it has none, and the provider goes on by itself."""
    return delivery.Answer() if rules.reply is None else delivery.Answer(rules.reply.encode(), XML)


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what an event tells of a customer's call."""
    pairs = form_body.pairs(raw.body, raw.header("content-type") or "")
    if not pairs or len(pairs) > FIELDS_MAX:
        return outcome.unreadable()
    fields = dict(reversed(pairs))
    event, call_id = fields.get("event", ""), fields.get("call_id", "")
    if not event:
        return outcome.not_an_event()
    direction = fields.get("direction", "")
    if KINDS.get(event) == IGNORED:
        return Ignored(event)
    if direction not in INCOMING:
        return Ignored(direction) if direction in KINDS else outcome.unknown(direction)
    if not told_calls.is_id(call_id):
        return outcome.unreadable(event)
    call = Call(raw, call_id, fields.get("from", ""))
    match event:
        case "IncomingCall":
            return Reported([call.started(fields.get("to", ""))])
        case "CallAccepted":
            return Reported([call.answered()])
        case "HungUp":
            return _over(call, fields)
        case _:
            return outcome.unknown(event)


def _over(call: Call, fields: Mapping[str, str]) -> Parsed:
    said = fields.get("type", "")
    kind, how = TYPES.get(said, ("", ""))
    length = told_calls.seconds(fields.get("duration", ""))
    match kind:
        case "call.ended":
            return Reported([call.ended(length)])
        case "call.missed":
            return Reported([call.missed(how)])
        case "call.voicemail_left":
            return Reported([call.voicemail([], None)])
        case _:
            return outcome.unknown(said or "HungUp")
