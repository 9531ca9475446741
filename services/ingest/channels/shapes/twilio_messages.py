"""Messages over Twilio Programmable Messaging: SMS, MMS, and WhatsApp or RCS by the same webhooks.

Sources, read 2026-11 (www.twilio.com/docs):
- messaging/guides/webhook-request: what a message carries; From is `whatsapp:+…` or `rcs:+…` on these networks
- ExternalUserId as nyaruka/courier and chatwoot/chatwoot expect it: it stands in From, too, without a number
- messaging/guides/track-outbound-message-status and messaging/api/message-resource, "Message status values"
- messaging/tutorials/advanced-opt-out: OptOutType
- events/event-types/messaging: the same as events (CloudEvents), whose names begin with a small letter
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from services.ingest.domain import numbers, outcome, text_message, texts
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import events
from shared.message_reference import MessageReference

IGNORED = "ignored"
KINDS: Mapping[str, str] = {
    "received": "message.received",
    "receiving": IGNORED,
    "accepted": IGNORED,
    "scheduled": IGNORED,
    "queued": IGNORED,
    "sending": IGNORED,
    "partially_delivered": IGNORED,
    "sent": "message.sent",
    "delivered": "message.delivered",
    "read": "message.read",
    "undelivered": "message.failed",
    "failed": "message.failed",
    "canceled": "message.failed",
}
"""`MessageStatus`, `SmsStatus`: what became of a message of ours, or that one of hers came."""

RECEIVED = "received"
SIDS = ("MessageSid", "SmsMessageSid", "SmsSid")
MEDIA_TYPE_MAX_BYTES = 128
ADVERTISED = ("ReferralHeadline", "ReferralBody", "ReferralSourceUrl")
"""The advertisement on which she came."""
WHATSAPP = "whatsapp:"
PLACE = ("Label", "Address", "Latitude", "Longitude")

_ERROR = re.compile(r"[1-9][0-9]{3,5}\Z")

Fields = Mapping[str, str]


def is_one(fields: Fields) -> bool:
    """Tell whether parameters are those of a message."""
    return any(fields.get(name) for name in SIDS)


def parse(raw: RawDelivery, fields: Fields, reference: MessageReference | None) -> Parsed:
    """Return what one webhook says: a message of a customer, or what became of one of ours, by its `reference`."""
    status = _word(fields, "MessageStatus") or _word(fields, "SmsStatus") or RECEIVED
    kind, sid = KINDS.get(status), next(fields[name] for name in SIDS if fields.get(name))
    if kind is None:
        return outcome.unknown(status)
    if kind == IGNORED:
        return Ignored(status)
    if status == RECEIVED:
        return _received(raw, fields, sid)
    to = text_message.party(raw, numbers.with_plus(fields.get("To")), fields.get("ToCountry"))
    report = text_message.Report(
        kind=kind,
        provider_id=sid,
        to=to,
        reference=reference,
        reason=_reason(fields, status) if kind == "message.failed" else None,
        at=text_message.instant(fields.get("Timestamp", "")),
    )
    return Reported(text_message.reported(raw, report))


def of_event(data: Mapping[str, object]) -> Fields:
    """Return the data of an event as the parameters that a webhook would have carried."""
    return {
        name[:1].upper() + name[1:]: value if isinstance(value, str) else _json(value)
        for name, value in data.items()
        if value is not None
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _received(raw: RawDelivery, fields: Fields, sid: str) -> Parsed:
    sender = _sender(raw, fields)
    files, text = _files(fields), _text(fields)
    if sender.key is None and not text and not files:
        return outcome.unreadable(RECEIVED)
    message = text_message.TextMessage(
        provider_id=sid,
        sender=sender,
        text=text,
        name=fields.get("ProfileName"),
        files=files,
        refers_to=fields.get("OriginalRepliedMessageSid"),
        at=text_message.instant(fields.get("Timestamp", "")),
        said=fields.get("OptOutType"),
        quoted=texts.quoted(fields.get(name, "") for name in ADVERTISED),
    )
    return Reported(text_message.received(raw, message))


def _sender(raw: RawDelivery, fields: Fields) -> text_message.Party:
    """Return who wrote: by her address, and by the id that WhatsApp gives her with this business."""
    sender = text_message.party(
        raw, numbers.with_plus(fields.get("From")), fields.get("FromCountry")
    )
    named = fields.get("ExternalUserId", "").removeprefix(WHATSAPP)
    if sender.key is None or not named:
        return sender
    return text_message.also(sender, text_message.party(raw, WHATSAPP + named))


def _text(fields: Fields) -> str:
    """Return her words; else what she pressed, or where she says she is, a line each."""
    place = [fields[name] for name in PLACE if fields.get(name)]
    return fields.get("Body") or fields.get("ButtonText") or "\n".join(place)


def _files(fields: Fields) -> Sequence[events.AttachedFile]:
    told = (
        (fields.get(f"MediaUrl{number}"), fields.get(f"MediaContentType{number}"))
        for number in range(len(fields))
    )
    return [
        events.AttachedFile(
            media_type=texts.line(media_type, MEDIA_TYPE_MAX_BYTES) or "application/octet-stream",
            source=texts.line(source),
        )
        for source, media_type in told
        if source
    ]


def _reason(fields: Fields, status: str) -> str:
    code = fields.get("ErrorCode", "")
    return f"twilio_{code if _ERROR.match(code) else status}"


def _word(fields: Fields, name: str) -> str:
    return fields.get(name, "").strip().lower()
