"""Text messages over Bandwidth, as far as they arrive: a list of events, each around its message.

Source, read 2026-11: dev.bandwidth.com/docs/messaging/webhooks. It signs nothing; see `sms.py`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from services.ingest.domain import outcome, text_message, texts
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import events, message_reference

IGNORED = "ignored"
RECEIVED = "message-received"
KINDS: Mapping[str, str] = {
    RECEIVED: "message.received",
    "message-sending": "message.sent",
    "message-delivered": "message.delivered",
    "message-failed": "message.failed",
    "message-read": "message.read",
    "queued": IGNORED,
}
"""`type` of an event; `queued` as chatwoot/chatwoot knows it."""

_ERROR = re.compile(r"[1-9][0-9]{2,5}\Z")

Item = Mapping[str, object]


def is_one(item: Item) -> bool:
    """Tell whether this is an event, or the message of one by itself."""
    return isinstance(item.get("message"), dict) or {"applicationId", "direction"} <= item.keys()


def parse(raw: RawDelivery, item: Item) -> Parsed:
    """Return what one event says."""
    inner = item.get("message")
    message = inner if isinstance(inner, dict) else item
    word = _text(item, "type") or RECEIVED
    kind, message_id = KINDS.get(word), _text(message, "id")
    if kind is None:
        return outcome.unknown(word)
    if not message_id:
        return outcome.unreadable(word)
    if kind == IGNORED or (word == RECEIVED and _text(message, "direction") == "out"):
        return Ignored(word)
    at = text_message.instant(_text(item, "time") or _text(message, "time"))
    if word == RECEIVED:
        return Reported(text_message.received(raw, _received(raw, message, message_id, at)))
    code = str(item.get("errorCode", ""))
    report = text_message.Report(
        kind=kind,
        provider_id=message_id,
        to=text_message.party(raw, _text(item, "to")),
        reference=message_reference.read(message.get("tag")),
        reason=f"bandwidth_{code if _ERROR.match(code) else 'failed'}"
        if kind == "message.failed"
        else None,
        at=at,
    )
    return Reported(text_message.reported(raw, report))


def _received(
    raw: RawDelivery, message: Item, message_id: str, at: datetime | None
) -> text_message.TextMessage:
    return text_message.TextMessage(
        provider_id=message_id,
        sender=text_message.party(raw, _text(message, "from")),
        text=_text(message, "text"),
        files=_files(message.get("media")),
        at=at,
    )


def _files(media: object) -> Sequence[events.AttachedFile]:
    """What a file is, the provider does not say."""
    given = media if isinstance(media, list) else []
    sources = (texts.line(each) for each in given if isinstance(each, str))
    return [
        events.AttachedFile(
            media_type="application/octet-stream",
            name=each.partition("?")[0].rpartition("/")[2] or None,
            source=each,
        )
        for each in sources
        if each
    ]


def _text(item: Item, name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
