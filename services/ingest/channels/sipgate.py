"""Calls of sipgate, by its push API (sipgate.io): a form for each event, answered with XML.

It tells that a call is answered and over only where the answer to its first event names an address for that. So that
answer names the door itself, as it was called. It signs nothing: the address of the door has a secret.
A call that somebody passes on is another call there, with `origCallId`: here it is the same contact.

Sources, read 2026-11: github.com/sipgate/sipgate.io, README (The POST request, Hangup causes, The XML response, What
happens when a call is transferred); that the machine answers as a user, receivers that others have published (zammad).
"""

import hashlib
import re
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from services.ingest.channels.shapes import door_token, told_calls
from services.ingest.channels.shapes.told_calls import Call
from services.ingest.domain import delivery, form_body, outcome, texts
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import events
from shared.policy import Account

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "sipgate"
MEDIUM: events.Medium = told_calls.MEDIUM
SECRETS = ("signing",)

IGNORED = "ignored"
CAUSES: Mapping[str, tuple[str, str]] = {
    "normalClearing": ("call.ended", told_calls.COMPLETED),
    "busy": ("call.missed", "busy"),
    "cancel": ("call.missed", "canceled"),
    "noAnswer": ("call.missed", "no-answer"),
    "congestion": ("call.missed", "failed"),
    "notFound": ("call.missed", "failed"),
    "forwarded": (IGNORED, ""),
}
"""The cause of a hangup -> the kind of the call's end, and how it ended. One that is forwarded goes on elsewhere."""

KINDS: Mapping[str, str] = {
    "newCall": "call.started",
    "answer": "call.answered",
    "hangup": "call.ended",
    "dtmf": "call.menu_selected",
    "transfer": "call.transferred",
    "voicemail": "call.voicemail_left",
    **{cause: kind for cause, (kind, _) in CAUSES.items()},
    "out": IGNORED,
}
MACHINE = "voicemail"
"""The `user` who answers where nobody does."""
INCOMING = frozenset({"", "in"})
XML = "application/xml"
DOOR = "{door}"
"""What stands in the account's `reply` for the address of the door, as `onData` of Gather needs it."""
FIELDS_MAX = 200

_GATHER = re.compile(r"<Gather\b[^>]*/>|<Gather\b.*?</Gather\s*>", re.DOTALL)
_RESPONSE = re.compile(r"<Response\b")

Fields = Mapping[str, str]


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check the secret in the address. Raises: SignatureInvalid."""
    door_token.verify(request, secrets["signing"])


def answer(request: delivery.WebRequest, rules: Account) -> delivery.Answer:
    """Return the account's instructions for the call, and where to tell what becomes of it: at this door.

    Who has pressed digits is not asked again: the menu is left out, what follows it is done.
    """
    reply, door = rules.reply or "<Response/>", door_token.called(request)
    if b"event=dtmf" in request.body:
        reply = _GATHER.sub("", reply)
    if door is not None:
        told = quoteattr(door)
        reply = _RESPONSE.sub(
            lambda _: f"<Response onAnswer={told} onHangup={told}", reply, count=1
        )
        reply = reply.replace(f'"{DOOR}"', told)
    return delivery.Answer(reply.encode(), XML)


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what an event tells of a customer's call."""
    pairs = form_body.pairs(raw.body, raw.header("content-type") or "")
    if not pairs or len(pairs) > FIELDS_MAX:
        return outcome.unreadable()
    fields = dict(reversed(pairs))
    event, leg = fields.get("event", ""), fields.get("callId", "")
    if not event:
        return outcome.not_an_event()
    direction = fields.get("direction", "")
    if direction not in INCOMING:
        return Ignored(direction) if direction in KINDS else outcome.unknown(direction)
    first = fields.get("origCallId") or leg
    if not told_calls.is_id(leg) or not told_calls.is_id(first):
        return outcome.unreadable(event)
    call = Call(raw, first, fields.get("from", ""))
    match event:
        case "newCall" if first != leg:
            to = texts.line(fields.get("user[]") or fields.get("to"))
            return Reported([call.transferred(to, leg)])
        case "newCall":
            return Reported([call.started(fields.get("to", ""))])
        case "answer":
            by_machine = fields.get("user") == MACHINE
            return Reported([call.voicemail([], None) if by_machine else call.answered()])
        case "hangup":
            return _over(call, fields, passed_on=first != leg)
        case "dtmf":
            return _menu(raw, call, fields.get("dtmf", ""))
        case _:
            return outcome.unknown(event)


def _over(call: Call, fields: Fields, *, passed_on: bool) -> Parsed:
    """A call that was passed on was answered before: it is over when it ends there, not when nobody takes it there."""
    cause = fields.get("cause", "")
    kind, how = CAUSES.get(cause, ("", ""))
    if not kind:
        return outcome.unknown(cause or "hangup")
    if kind == IGNORED or (passed_on and kind == "call.missed"):
        return Ignored(cause)
    return Reported([call.ended() if kind == "call.ended" else call.missed(how)])


def _menu(raw: delivery.RawDelivery, call: Call, digits: str) -> Parsed:
    """The same digit may be pressed in two menus: only where it was told, and how, can tell them apart."""
    if not digits:
        return Ignored("dtmf")
    if not told_calls.is_digits(digits):
        return outcome.unreadable("dtmf")
    told = hashlib.sha256(raw.path.encode() + b"\n" + raw.body).hexdigest()[:32]
    return Reported([call.menu(digits, told)])
