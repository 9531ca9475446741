"""Twilio Conversations, by its webhooks and its events: what a person writes into a conversation by telephone.

Sources, read 2026-11 (www.twilio.com/docs): conversations/conversations-webhooks, events/event-types/conversations.
What the API or an app writes there is ours, or an agent's elsewhere: to whom, they do not say.
"""

from collections.abc import Mapping, Sequence

from services.ingest.channels.shapes import twilio_messages
from services.ingest.domain import loose, numbers, outcome, text_message, texts
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, events

IGNORED = "ignored"
ADDED = "onMessageAdded"
DELIVERY = "onDeliveryUpdated"
_CHANGED = ("Add", "Added", "Remove", "Removed", "Update", "Updated")
KINDS: Mapping[str, str] = {
    **{f"on{what}{done}": IGNORED for what in ("Conversation", "Participant") for done in _CHANGED},
    **{f"onMessage{done}": IGNORED for done in _CHANGED},
    "onConversationStateUpdated": IGNORED,
    "onUserAdded": IGNORED,
    "onUserUpdate": IGNORED,
    "onUserUpdated": IGNORED,
    ADDED: "message.received",
    DELIVERY: "message.delivered",
}
"""`EventType`. The form in the present asks before something is done. A delivery says its own `Status`."""
OURS = frozenset({"API", "SDK"})
"""`Source` of what no telephone sent."""
EVENT_PREFIX = "com.twilio.conversations."
FILE_NAME_MAX_BYTES = 512

Fields = Mapping[str, str]


def is_one(fields: Fields) -> bool:
    """Tell whether parameters are those of a conversation: it has a message's, too."""
    return bool(fields.get("ConversationSid"))


def parse(raw: RawDelivery, fields: Fields, event: str) -> Parsed:
    """Return what happened in a conversation. `event`: how an event calls it that is no webhook."""
    words = event.removeprefix(EVENT_PREFIX).split(".") if event.startswith(EVENT_PREFIX) else []
    kind = fields.get("EventType") or f"on{''.join(each.title() for each in words)}"
    if kind not in KINDS:
        return outcome.unknown(kind)
    if kind == DELIVERY:
        return _became(raw, fields)
    return _added(raw, fields) if kind == ADDED else Ignored(kind)


def _added(raw: RawDelivery, fields: Fields) -> Parsed:
    """Return a message from an address; who has none, writes on our side."""
    author = numbers.with_plus(fields.get("Author"))
    sender = text_message.party(raw, author)
    by_telephone = ":" in author or any(each.kind == "phone" for each in sender.handles)
    if fields.get("Source", "").upper() in OURS or not by_telephone:
        return Ignored(ADDED)
    message = text_message.TextMessage(
        provider_id=fields.get("MessageSid", ""),
        sender=sender,
        text=fields.get("Body") or fields.get("MessageBody") or "",
        files=_files(fields.get("Media", "")),
        at=text_message.instant(fields.get("DateCreated", "")),
    )
    return Reported(text_message.received(raw, message))


def _became(raw: RawDelivery, fields: Fields) -> Parsed:
    """Return what became of a message: by the id that it has on its way, for by that one it was sent."""
    sid = fields.get("ChannelMessageSid") or fields.get("MessageSid")
    status = fields.get("Status", "").strip().lower()
    if not sid or not status:
        return outcome.unreadable(DELIVERY)
    report = {**fields, "MessageSid": sid, "MessageStatus": status}
    report["Timestamp"] = fields.get("DateUpdated") or fields.get("DateCreated", "")
    return twilio_messages.parse(raw, report, None)


def _files(media: str) -> Sequence[events.AttachedFile]:
    """Return what came with a message: a list in JSON. Its service alone knows where the bytes are."""
    try:
        found = loose.tables(loose.read(media.encode()))
    except codec.UNREADABLE:
        return []
    return [
        events.AttachedFile(
            name=texts.line(loose.text(each.get("Filename")), FILE_NAME_MAX_BYTES),
            media_type=texts.line(loose.text(each.get("ContentType")), FILE_NAME_MAX_BYTES)
            or "application/octet-stream",
            size_bytes=loose.whole(each.get("Size")),
            source=None,
        )
        for each in found
    ]
