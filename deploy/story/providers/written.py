"""Payloads as they lie in files, as the deliveries that their provider would send.

A file may hold a delivery as it was sent; several, in a list, one a line, or each under a name; or the inner item of a
list that the provider documents, without the envelope around it. What is none of these stays one delivery as it is.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from deploy.story.providers import written_mails

JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
TEXT = "text/plain"
DEPTH_MAX = 16
"""How deep payloads are looked for below names and lists."""

Wrap = Callable[[Mapping[str, Any]], Any]
"""Returns an object in its envelope; `None` for one that is no payload."""


@dataclass(frozen=True, slots=True)
class Written:
    """One delivery. `content_type`: as its provider would say; `dated`: when it says itself that it was sent."""

    body: bytes
    content_type: str
    dated: datetime | None = None


def deliveries(channel: str, content: bytes) -> list[Written]:
    """Return what a file holds, in its order; at least one."""
    if channel == "email":
        mails = written_mails.mails(content)
        return [Written(each, "message/rfc822", written_mails.date(each)) for each in mails]
    found = _deliveries(channel, content)
    return [replace(each, dated=_sent(each.body)) for each in found] if channel == "site" else found


def _sent(body: bytes) -> datetime | None:
    """Return when a browser says that it sent a body (`sentAt`); `None` if it says nothing.

    Of several times it is the last, what was done in it included: nothing was received before it was done.
    """
    whole = next(iter(_values(body) or ()), None)
    batch = whole.get("batch") if isinstance(whole, dict) else None
    objects = [whole, *(batch if isinstance(batch, list) else ())]
    told = [each for each in objects if isinstance(each, dict)]
    if not any(_times(told, "sentAt")):
        return None
    return max(_times(told, "sentAt", "timestamp", "originalTimestamp"))


def _times(objects: list[dict[str, Any]], *names: str) -> Iterator[datetime]:
    """Yield the instants under some names; one without a zone is UTC's."""
    for written in (each.get(name) for each in objects for name in names):
        try:
            time = datetime.fromisoformat(written) if isinstance(written, str) else None
            if time is not None:
                yield time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        except (ValueError, OverflowError):
            continue


def _deliveries(channel: str, content: bytes) -> list[Written]:
    if channel in SESSIONS:
        return [Written(content, _content_type(content))]
    values = _values(content)
    if values is None:
        return [Written(content, _content_type(content))]
    wrap = ENVELOPES.get(channel, dict)
    payloads = [found for value in values for found in _payloads(value, wrap, 0)]
    if not payloads or (len(values) == 1 and payloads == values):
        return [Written(content, JSON)]
    return [_encoded(each) for each in payloads]


def _values(content: bytes) -> list[Any] | None:
    """Return the JSON values of a file: one, or one a line; `None` when it is no JSON."""
    try:
        return [json.loads(content)]
    except (ValueError, RecursionError):
        lines = [line for line in content.splitlines() if line.strip()]
    try:
        return [json.loads(line) for line in lines] if len(lines) > 1 else None
    except (ValueError, RecursionError):
        return None


def _payloads(value: Any, wrap: Wrap, depth: int) -> Iterator[Any]:
    """Yield the outermost payloads in a value."""
    if isinstance(value, dict):
        wrapped = wrap(value)
        if wrapped is not None:
            yield wrapped
            return
        value = list(value.values())
    if isinstance(value, list) and depth < DEPTH_MAX:
        for each in value:
            yield from _payloads(each, wrap, depth + 1)


def _encoded(payload: Any) -> Written:
    if isinstance(payload, bytes):
        return Written(payload, URLENCODED)
    return Written(json.dumps(payload).encode(), JSON)


def _content_type(content: bytes) -> str:
    """Return what a body that is no mail looks like."""
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    first, _, _ = start.partition(b"\n")
    if start.startswith((b"{", b"[")):
        return JSON
    if first.startswith(b"--") and b"form-data" in content:
        return f"multipart/form-data; boundary={first.strip()[2:].decode('latin-1')}"
    return URLENCODED if b"=" in first and b": " not in first else TEXT


# -- the envelopes ---------------------------------------------------------------------------------

GRAPH_LISTS = ("messaging", "standby", "changes")
MESSAGING_PARTS = ("message", "message_edit", "postback", "reaction", "read", "delivery", "optin")
VALUE_LISTS = ("messages", "statuses", "calls", "message_echoes", "errors")
UPDATE_PARTS = ("message", "business_message", "channel_post", "callback_query", "my_chat_member")
EDITED_PARTS = ("edited_message", "edited_business_message", "edited_channel_post")
TWILIO_SIDS = frozenset(
    f"{each}Sid"
    for each in ("Account", "Message", "Sms", "SmsMessage", "Call", "Conference", "Conversation")
)
RESOURCE_FIELDS = frozenset(
    {
        *("id", "topic", "product_id", "inventory_item_id", "order_edit", "fulfillment_order"),
        *("shop_domain", "admin_graphql_api_id"),
    }
)
CALL_FIELDS = frozenset({"type", "action", "batch"})
PAYLOAD_FIELDS = (
    ("incoming_chat", "chat"),
    ("incoming_event", "event"),
    ("incoming_rich_message_postback", "postback"),
    ("events_marked_as_seen", "seen_up_to"),
)
THREAD_EVENTS = frozenset(
    {
        *("message", "file", "filled_form", "form", "rich_message", "system_message"),
        *("annotation", "custom"),
    }
)


def _page(value: Mapping[str, Any]) -> Any:
    """An object of the Graph API, one of its entries, or one item of their lists (Messenger Platform, webhooks)."""
    if "entry" in value:
        return value
    if any(name in value for name in GRAPH_LISTS):
        return {"object": "page", "entry": [value]}
    addressed = "recipient" in value and ("sender" in value or "timestamp" in value)
    if addressed or ("sender" in value and any(name in value for name in MESSAGING_PARTS)):
        return {"object": "page", "entry": [{"messaging": [value]}]}
    return None


def _business_account(value: Mapping[str, Any]) -> Any:
    """An object of the Graph API, an entry, a change, its value, or a message or status of it (WhatsApp, webhooks)."""
    if "entry" in value:
        return value
    if "changes" in value:
        return {"object": "whatsapp_business_account", "entry": [value]}
    if "field" in value and "value" in value:
        return _business_account({"changes": [value]})
    if any(isinstance(value.get(name), list) for name in VALUE_LISTS):
        field = "calls" if "calls" in value else "messages"
        return _business_account({"field": field, "value": value})
    if "status" in value and "recipient_id" in value:
        return _business_account({"statuses": [value]})
    if "from" in value and ("type" in value or "timestamp" in value):
        return _business_account({"messages": [value]})
    return None


def _update(value: Mapping[str, Any]) -> Any:
    """An Update, its content, or a Message or CallbackQuery (Telegram Bot API)."""
    if "update_id" in value:
        return value
    if "chat_instance" in value:
        return {"update_id": 0, "callback_query": value}
    if any(isinstance(value.get(name), dict) for name in (*UPDATE_PARTS, *EDITED_PARTS)):
        return {"update_id": 0, **value}
    if "message_id" in value and "chat" in value:
        edited = "edited_message" if "edit_date" in value else "message"
        return {"update_id": 0, edited: value}
    return None


def _callback(value: Mapping[str, Any]) -> Any:
    """A callback (Viber REST API)."""
    return value if "event" in value else None


def _parameters(value: Mapping[str, Any]) -> Any:
    """The parameters of a webhook (Twilio), which is sent as a form; an event around them (CloudEvents) as it is."""
    if "specversion" in value:
        return value
    if TWILIO_SIDS.isdisjoint(value):
        return None
    return urlencode({name: _parameter(each) for name, each in value.items()}, doseq=True).encode()


def _parameter(value: Any) -> Any:
    return "" if value is None else value


def _resource(value: Mapping[str, Any]) -> Any:
    """A resource of a shop, which its REST API puts under its name, alone or in lists, and a webhook does not."""
    return None if RESOURCE_FIELDS.isdisjoint(value) else value


def _call(value: Mapping[str, Any]) -> Any:
    """A call of a page's library, or a batch of them; other programs keep it beside what they do with it."""
    return None if CALL_FIELDS.isdisjoint(value) else value


def _chat_webhook(value: Mapping[str, Any]) -> Any:
    """A webhook or a push, its payload, a chat, a thread, or an event of one (LiveChat, data structures).

    An event says no chat: its author stands for it.
    """
    if "action" in value:
        return value
    action = next((name for name, field in PAYLOAD_FIELDS if field in value), None)
    if action is not None and ("chat" in value or "chat_id" in value):
        return {"action": action, "payload": value}
    if isinstance(value.get("thread"), dict) and "id" in value:
        return {"action": "incoming_chat", "payload": {"chat": value}}
    if isinstance(value.get("events"), list) and "id" in value:
        chat = {"id": value.get("chat_id", value["id"]), "users": value.get("users", [])}
        return {"action": "incoming_chat", "payload": {"chat": {**chat, "thread": value}}}
    if value.get("type") in THREAD_EVENTS and "id" in value:
        chat = {"chat_id": value.get("chat_id") or value.get("author_id") or value["id"]}
        return {"action": "incoming_event", "payload": {**chat, "event": value}}
    return None


def _conversation_event(value: Mapping[str, Any]) -> Any:
    """An event of a webhook, its data, or a message of a conversation (Smartsupp)."""
    if "event" in value:
        return value
    if isinstance(value.get("message"), dict) and "conversation" in value:
        return {"event": "conversation.contact_replied", "data": value}
    if "sub_type" in value and "content" in value:
        return {"event": "conversation.contact_replied", "data": {"message": value}}
    return None


ENVELOPES: Mapping[str, Wrap] = {
    "shop": _resource,
    "site": _call,
    "livechat": _chat_webhook,
    "smartsupp": _conversation_event,
    "messenger": _page,
    "whatsapp": _business_account,
    "telegram": _update,
    "viber": _callback,
    "sms": _parameters,
    "twilio_voice": _parameters,
}
SESSIONS = frozenset({"asterisk"})
"""Their recorded sessions are deliveries as they are."""
