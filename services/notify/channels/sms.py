"""Text messages to the customer, by whichever provider the account has the secrets of: Twilio, or SMSAPI.

Sources, read 2026-11: www.twilio.com/docs/messaging/api/message-resource (From, or MessagingServiceSid; 1,600
characters) and docs/api/errors; www.smsapi.pl/docs, "Pojedynczy SMS" (`sms.do`, at most 10 pieces) and "Kody błędów".
Neither has a key that keeps a message from leaving twice: an answer that is neither yes nor no leaves a doubt.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from services.notify.domain import messages, outcomes, web
from services.notify.domain.text_segments import segments
from shared import events, handles

NAME = "sms"
MEDIUM: events.Medium = "message"
CARRIER = "http"
SECRETS: Sequence[str] = ("signing",)
"""And `account_sid` for Twilio, whose auth token `signing` is; `api_token` for SMSAPI, whose door's token it is."""

API = "https://api.twilio.com"
SMSAPI = "https://api.smsapi.pl"
TEXT_MAX_CHARACTERS = 1_600
SEGMENTS_MAX = 10
TOO_MANY_REQUESTS = 429

REFUSALS: Mapping[str, str] = {
    "twilio_21211": "address_invalid",
    "twilio_21214": "address_invalid",
    "twilio_21217": "address_invalid",
    "twilio_21614": "address_invalid",
    "twilio_63003": "address_invalid",
    "twilio_63024": "address_invalid",
    "twilio_21610": "consent_withdrawn",
    "twilio_21617": "text_too_long",
    "twilio_63016": "window_closed",
    "twilio_20429": "too_many_requests",
    "http_429": "too_many_requests",
    "smsapi_12": "text_too_long",
    "smsapi_13": "address_invalid",
}
"""Refusals by what they mean to the agent; others keep the provider's number."""

DOUBTS = frozenset({"smsapi_201", "smsapi_999"})
"""Errors inside the provider: nobody knows how far it came."""

_SERVICE = re.compile(r"MG[0-9a-f]{32}\Z")
_SENDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._&-]{0,10}\Z")
"""A name of up to 11 characters, or a short code."""
_NETWORK = re.compile(r"(whatsapp|rcs):(.+)\Z")


def address(to: str) -> str | None:
    """Return a number, behind its network if it has one; a sender's name, code or Messaging Service as it stands."""
    written = to.strip().removeprefix(f"{NAME}:")
    network = _NETWORK.match(written)
    bare = network[2] if network else written
    number = handles.phone(bare)
    if number is not None:
        plain = ";ext=" not in number
        return (f"{network[1]}:{number}" if network else number) if plain else None
    known = bool(network) or _SERVICE.match(written) or _SENDER.match(written)
    return written if known else None


def render(message: messages.CustomerMessage, now: datetime) -> web.HttpRequest:  # noqa: ARG001  the shared shape
    """Return the request. Raises: Unsendable with `address_invalid`, `text_too_long` or `secret_missing`."""
    number = message.to.rpartition(":")[2]
    if not number.startswith("+"):
        raise messages.Unsendable("address_invalid")
    if message.secrets.get("api_token"):
        return _by_smsapi(message, number)
    return _by_twilio(message, number)


def _by_twilio(message: messages.CustomerMessage, number: str) -> web.HttpRequest:
    if len(message.text) > TEXT_MAX_CHARACTERS:
        raise messages.Unsendable("text_too_long")
    network = _NETWORK.match(message.sender)
    fields = {
        "To": f"{network[1]}:{number}" if network else number,
        "MessagingServiceSid" if _SERVICE.match(message.sender) else "From": message.sender,
        "Body": message.text,
    }
    if message.door:
        fields["StatusCallback"] = f"{message.door}?m={message.own_reference}"
    if network is None and segments(message.text).alphabet == "ucs2":
        fields["SmartEncoded"] = "true"
    sid = message.secret("account_sid")
    credentials = base64.b64encode(f"{sid}:{message.secret('signing')}".encode()).decode()
    base = (message.api or API).rstrip("/")
    url = f"{base}/2010-04-01/Accounts/{quote(sid, safe='')}/Messages.json"
    return web.form_request(url, fields, {"authorization": f"Basic {credentials}"})


def _by_smsapi(message: messages.CustomerMessage, number: str) -> web.HttpRequest:
    if segments(message.text).count > SEGMENTS_MAX:
        raise messages.Unsendable("text_too_long")
    fields = {
        "to": number.removeprefix("+"),
        "from": message.sender.removeprefix("+"),
        "message": message.text,
        "encoding": "utf-8",
        "format": "json",
        "max_parts": str(SEGMENTS_MAX),
        "idx": message.own_reference.replace(".", "__", 1),
    }
    if message.door:
        fields["notify_url"] = f"{message.door}?token={quote(message.secret('signing'), safe='')}"
    base = (message.api or SMSAPI).rstrip("/")
    token = message.secret("api_token")
    return web.form_request(f"{base}/sms.do", fields, {"authorization": f"Bearer {token}"})


def outcome(answer: web.HttpAnswer) -> outcomes.Outcome:
    """Return what an answer means: taken with an id, refused with a number, or a doubt."""
    content = answer.json
    taken = _taken(content)
    if 200 <= answer.status < 300 and taken is not None:
        return outcomes.Outcome(kind="sent", provider_id=taken)
    reason = _reason(content) or f"http_{answer.status}"
    refused = 400 <= answer.status < 500 and answer.status != 408
    if reason in DOUBTS or not (refused or reason.startswith("smsapi_")):
        return outcomes.Outcome(kind="uncertain", reason=reason)
    later = answer.status == TOO_MANY_REQUESTS
    return outcomes.Outcome(kind="failed", reason=REFUSALS.get(reason, reason), temporary=later)


def _taken(content: Mapping[str, object]) -> str | None:
    """Return the provider's id of the message that it took."""
    sent = content.get("list")
    first = sent[0] if isinstance(sent, list) and sent and isinstance(sent[0], dict) else {}
    found = first.get("id") if not first.get("error") else None
    taken = content.get("sid") or found
    return taken if isinstance(taken, str) else None


def _reason(content: Mapping[str, object]) -> str | None:
    """Return the provider's number of an error, behind its name."""
    for name, provider in (("code", "twilio"), ("error", "smsapi")):
        number = content.get(name)
        if isinstance(number, int) and not isinstance(number, bool):
            return f"{provider}_{number}"
    return None
