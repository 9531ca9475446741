"""Text messages to the customer, by whichever provider the account has the secrets of: Twilio, or SMSAPI.

Sources, read 2026-11: www.twilio.com/docs/messaging/api/message-resource (From, or MessagingServiceSid; 1,600
characters; reading a list of messages) and docs/api/errors (20429: what is answered with 429 was not processed; 20500:
what is answered with 500 may have been); www.smsapi.pl/docs, "Pojedynczy SMS" (`sms.do`, at most 10
pieces) and "Kody błędów".

An answer that is neither yes nor no leaves a doubt. Twilio documents no key that keeps a message from leaving twice; it
lists what it took for a number, with nothing of ours but the words, and newest first (by the documents of SignalWire,
which has the same API). SMSAPI takes an `idx` once where
`check_idx` is set (both named by github.com/smsapi/smsapi-python-client, `sms/api.py`, read 2026-11): that it remembers
one for a day, and refuses it again with 53, is from memory.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

from services.notify.domain import asking, messages, outcomes, web
from services.notify.domain.text_segments import segments
from shared import events, handles

NAME = "sms"
MEDIUM: events.Medium = "message"
CARRIER = "http"
TEMPLATES = False
SECRETS: Sequence[str] = ("signing",)
"""And `account_sid` for Twilio, whose auth token `signing` is; `api_token` for SMSAPI, whose door's token it is."""

API = "https://api.twilio.com"
SMSAPI = "https://api.smsapi.pl"
TEXT_MAX_CHARACTERS = 1_600
SEGMENTS_MAX = 10
TOO_MANY_REQUESTS = 429
WINDOWS: Mapping[str, timedelta] = {"whatsapp": timedelta(hours=24)}
"""How long after she last wrote she may be written to, on networks that count."""

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
TAKEN_BEFORE = "smsapi_53"
KEY_HOLDS = timedelta(hours=20)
"""For less than the day for which SMSAPI remembers an `idx`."""
LISTED_MAX = 100
UNDELIVERED = frozenset({"failed", "undelivered", "canceled"})
"""What a listed message is that was taken and did not arrive."""

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


def render(message: messages.CustomerMessage, now: datetime) -> web.HttpRequest:
    """Return the request.

    Raises: Unsendable with `address_invalid`, `text_too_long`, `window_closed` or `secret_missing`.
    """
    network = _NETWORK.match(message.sender)
    window = WINDOWS.get(network[1]) if network else None
    if window is not None and not message.is_within(window, now):
        raise messages.Unsendable("window_closed")
    return _by_smsapi(message) if _is_smsapi(message) else _by_twilio(message)


def _is_smsapi(message: messages.CustomerMessage) -> bool:
    return bool(message.secrets.get("api_token"))


def _number(message: messages.CustomerMessage) -> str:
    number = message.to.rpartition(":")[2]
    if not number.startswith("+"):
        raise messages.Unsendable("address_invalid")
    return number


def _by_twilio(message: messages.CustomerMessage) -> web.HttpRequest:
    if len(message.text) > TEXT_MAX_CHARACTERS:
        raise messages.Unsendable("text_too_long")
    fields = {
        "To": _to(message),
        "MessagingServiceSid" if _SERVICE.match(message.sender) else "From": message.sender,
        "Body": message.text,
    }
    if message.door:
        fields["StatusCallback"] = f"{message.door}?m={message.own_reference}"
    plain = _NETWORK.match(message.sender) is None
    if plain and segments(message.text).alphabet == "ucs2":
        fields["SmartEncoded"] = "true"
    return web.form_request(_messages_of(message), fields, _basic(message))


def _to(message: messages.CustomerMessage) -> str:
    """Return her number on the network from which is written."""
    network = _NETWORK.match(message.sender)
    return f"{network[1]}:{_number(message)}" if network else _number(message)


def _messages_of(message: messages.CustomerMessage) -> str:
    base, sid = (message.api or API).rstrip("/"), quote(message.secret("account_sid"), safe="")
    return f"{base}/2010-04-01/Accounts/{sid}/Messages.json"


def _basic(message: messages.CustomerMessage) -> dict[str, str]:
    pair = f"{message.secret('account_sid')}:{message.secret('signing')}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _by_smsapi(message: messages.CustomerMessage) -> web.HttpRequest:
    if segments(message.text).count > SEGMENTS_MAX:
        raise messages.Unsendable("text_too_long")
    fields = {
        "to": _number(message).removeprefix("+"),
        "from": message.sender.removeprefix("+"),
        "message": message.text,
        "encoding": "utf-8",
        "format": "json",
        "max_parts": str(SEGMENTS_MAX),
        "idx": message.own_reference.replace(".", "__", 1),
        "check_idx": "1",
    }
    if message.door:
        fields["notify_url"] = f"{message.door}?token={quote(message.secret('signing'), safe='')}"
    base = (message.api or SMSAPI).rstrip("/")
    token = message.secret("api_token")
    return web.form_request(f"{base}/sms.do", fields, {"authorization": f"Bearer {token}"})


def parts(message: messages.CustomerMessage) -> int | None:
    """Return in how many text messages it travels: one letter beyond the default alphabet more than doubles them.

    Networks of their own do not count. Twilio may write some signs anew (`SmartEncoded`), and then it can be fewer.
    """
    return None if _NETWORK.match(message.sender) else segments(message.text).count


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


def ask(message: messages.CustomerMessage, doubt: asking.Doubt) -> web.HttpRequest | None:
    """Return what lists her messages at Twilio; for SMSAPI the message again, as long as its `idx` is remembered.

    Raises: what `render` does.
    """
    if _is_smsapi(message):
        return _by_smsapi(message) if doubt.age < KEY_HOLDS else None
    query = urlencode({"To": _to(message), "PageSize": LISTED_MAX})
    url = f"{_messages_of(message)}?{query}"
    return web.HttpRequest(url=url, body=b"", headers=_basic(message), method="GET")


def found(
    answer: web.HttpAnswer, message: messages.CustomerMessage, doubt: asking.Doubt
) -> outcomes.Outcome:
    """Return what the provider has: one message with these words from this account, at that time, is the message.

    What it says of one message twice in the same way is said once; where it contradicts itself a person looks.
    """
    if _is_smsapi(message):
        known = _reason(answer.json) == TAKEN_BEFORE
        return outcomes.Outcome(kind="sent") if known else _again_unless_known(outcome(answer))
    listed = answer.json.get("messages")
    if answer.status != 200 or not isinstance(listed, list):
        return asking.NO_WORD
    times = [(each, _created(each)) for each in listed if isinstance(each, dict)]
    near = [each for each, at in times if _is_ours(each, message, doubt) and doubt.covers(at)]
    same = {_as_listed(each) for each in near if each.get("body") == message.text}
    if len(same) == 1 and (only := same.pop()).provider_id:
        return only
    complete = len(listed) < LISTED_MAX or any(doubt.precedes(at) for _, at in times)
    return asking.NOT_TAKEN if complete and not near else asking.UNCLEAR


def _again_unless_known(outcome: outcomes.Outcome) -> outcomes.Outcome:
    return asking.NO_WORD if outcome.kind == "uncertain" else outcome


def _created(listed: Mapping[str, Any]) -> datetime | None:
    try:
        return parsedate_to_datetime(str(listed.get("date_created"))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _word(listed: Mapping[str, Any], name: str) -> str | None:
    """Return a field that holds words or nothing; what else a provider puts there says nothing."""
    found = listed.get(name)
    return found if isinstance(found, str) else None


def _is_ours(
    listed: Mapping[str, Any], message: messages.CustomerMessage, doubt: asking.Doubt
) -> bool:
    """Tell whether a listed message left from the same sender, and is none of which we know."""
    sender = "messaging_service_sid" if _SERVICE.match(message.sender) else "from"
    ours = _word(listed, sender) in {message.sender, None}
    outbound = str(listed.get("direction")).startswith("outbound")
    return ours and outbound and _word(listed, "sid") not in doubt.others


def _as_listed(listed: Mapping[str, Any]) -> outcomes.Outcome:
    sid, status, code = _word(listed, "sid"), _word(listed, "status"), listed.get("error_code")
    if status in UNDELIVERED:
        reason = f"twilio_{code}" if isinstance(code, int) and code else status
        return outcomes.Outcome(kind="failed", reason=REFUSALS.get(reason, reason), provider_id=sid)
    return outcomes.Outcome(kind="sent", provider_id=sid)


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
