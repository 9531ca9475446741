"""Text messages: SMS, MMS, WhatsApp and RCS over Twilio, SMS over SMSAPI, and Bandwidth's as far as they arrive.

Whose a delivery is, its own parameters tell; what they mean stands in the file of each provider.
Twilio signs. The others do not: their secret is the parameter `token` of the address that they were given.
"""

from collections.abc import Mapping, Sequence

import msgspec

from services.ingest.channels.shapes import (
    bandwidth_messages,
    door_token,
    smsapi_messages,
    twilio_conversations,
    twilio_messages,
    twilio_signature,
)
from services.ingest.domain import charsets, delivery, form_body, outcome, text_message, texts
from services.ingest.domain.outcome import Parsed
from shared import codec, events, message_reference, strict
from shared.policy import Account

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "sms"
MEDIUM: events.Medium = text_message.MEDIUM
SECRETS = ("signing",)
CONSENT = {"STOP": "consent.withdrawn", "START": "consent.given"}
KINDS: Mapping[str, str] = {
    **twilio_messages.KINDS,
    **twilio_conversations.KINDS,
    **smsapi_messages.KINDS,
    **bandwidth_messages.KINDS,
    **CONSENT,
}

REFERENCE = "m"
"""The parameter of our address that names a message of ours; the provider's signature covers it."""
FIELDS_MAX = twilio_signature.FIELDS_MAX
EMPTY_TWIML = b"<Response/>"

_items_of = msgspec.json.Decoder(list[dict[str, object]] | dict[str, object])

Fields = Mapping[str, str]


def handshake(request: delivery.WebRequest, secrets: delivery.Secrets) -> delivery.Answer | None:  # noqa: ARG001  the shared shape
    """Return that what comes by GET is a delivery: SMSAPI reports so."""
    return delivery.BY_GET


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:
    """Check X-Twilio-Signature; without one, the secret in the address. Raises: SignatureInvalid."""
    if request.header(twilio_signature.HEADER) is not None:
        twilio_signature.verify(request, secrets["signing"], public_url)
        return
    door_token.verify(request, secrets["signing"])


def answer(request: delivery.WebRequest, rules: Account) -> delivery.Answer:  # noqa: ARG001  the shared shape
    """Return no instructions for Twilio, and the `OK` without which SMSAPI asks again."""
    if request.header(twilio_signature.HEADER) is not None:
        return delivery.Answer(EMPTY_TWIML, "text/xml")
    return delivery.Answer(b"OK", "text/plain")


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what a delivery says, of one message or of several."""
    return outcome.together(raw, (_read(raw, each) for each in _items(raw)))


def _items(raw: delivery.RawDelivery) -> Sequence[Mapping[str, object]]:
    """Return what stands side by side in a delivery: the events of a list, or one webhook's parameters."""
    if raw.body.lstrip().startswith((b"[", b"{")):
        try:
            found = strict.read_json(texts.whole_json(charsets.decode(raw.body)), _items_of)
        except codec.UNREADABLE:
            return []
        return [found] if isinstance(found, dict) else found
    pairs = form_body.pairs(raw.body, raw.header("content-type") or "") or []
    return [dict(reversed(pairs))] if 0 < len(pairs) <= FIELDS_MAX else []


def _read(raw: delivery.RawDelivery, item: Mapping[str, object]) -> Parsed:
    if bandwidth_messages.is_one(item):
        return bandwidth_messages.parse(raw, item)
    data = item.get("data")
    fields = twilio_messages.of_event(data) if isinstance(data, dict) else _texts(item)
    if smsapi_messages.is_message(fields):
        return smsapi_messages.received(raw, fields)
    if smsapi_messages.is_report(fields):
        return smsapi_messages.reported(raw, fields)
    if twilio_conversations.is_one(fields):
        return twilio_conversations.parse(raw, fields, str(item.get("type", "")))
    if twilio_messages.is_one(fields):
        reference = message_reference.read(door_token.parameters(raw.path).get(REFERENCE))
        return twilio_messages.parse(raw, fields, reference)
    return outcome.not_an_event()


def _texts(item: Mapping[str, object]) -> Fields:
    return {name: value for name, value in item.items() if isinstance(value, str)} | {
        name: str(value) for name, value in item.items() if isinstance(value, int)
    }
