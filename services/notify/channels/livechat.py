"""LiveChat: an agent's message as `send_event` of the Agent Chat API, and what its answer means.

Sources, read 2026-11: platform.text.com/docs/agent-chat-api/data-structures ("Message" in a request: `custom_id`,
`visibility`), its page of the Web API (tokens and regions), programs that call it (`send_event` answers `event_id`,
errors come as `error.type`). The list of those types and the size of a text are from memory: another type is a doubt.

An event is taken only in a chat that is active, and only of who is in it: the token's agent has to be. What becomes of
it is told by the account's webhooks: `custom_id` names our message, so a doubt ends when LiveChat tells of it. It is
asked for, too: `list_threads` (its answers are in the tests of github.com/livechat/lc-sdk-go) gives the chat's events.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from services.notify.domain import asking, messages, outcomes
from services.notify.domain.messages import uncounted as parts
from services.notify.domain.web import HttpAnswer, HttpRequest, json_request
from shared import events

__all__ = [
    "CARRIER",
    "MEDIUM",
    "NAME",
    "SECRETS",
    "TEMPLATES",
    "address",
    "ask",
    "found",
    "outcome",
    "parts",
    "render",
]

NAME = "livechat"
MEDIUM: events.Medium = "chat"
CARRIER = "http"
TEMPLATES = False
SECRETS: Sequence[str] = ("token",)
"""`token`: an access token, or `<account id>:<region>:<token>` for a personal one."""

API = "https://api.livechatinc.com"
SEND, LIST = "v3.6/agent/action/send_event", "v3.6/agent/action/list_threads"
TEXT_MAX_BYTES = 16_384
PERSONAL_PARTS = 3
REGION_ELSEWHERE = "fra"
"""The region that has to be named; the other one is asked by default."""

REFUSALS: Mapping[str, str] = {
    "authentication": "token_invalid",
    "authorization": "not_in_the_chat",
    "chat_inactive": "chat_over",
    "customer_banned": "recipient_banned",
    "entity_too_large": "text_too_long",
    "misdirected_request": "region_wrong",
    "not_found": "chat_unknown",
    "unsupported_version": "version_unsupported",
    "validation": "request_refused",
}
"""LiveChat's type of an error -> why."""
TRY_AGAIN: Mapping[str, str] = dict.fromkeys(
    ("limit_reached", "pending_requests_limit_reached", "too_many_requests"), "too_many_requests"
)
SERVER_FAULT = 500

_ADDRESS = re.compile(r"[\w-]{1,128}\Z", re.ASCII)


def address(to: str) -> str | None:
    """Return the id of a chat; `None` for what is none."""
    value = to.removeprefix(f"{NAME}:")
    return value if _ADDRESS.match(value) else None


def render(message: messages.CustomerMessage, now: datetime) -> HttpRequest:  # noqa: ARG001  the shared shape
    """Return the request that sends a message. Raises: Unsendable with `text_too_long` or `secret_missing`."""
    if len(message.text.encode()) > TEXT_MAX_BYTES:
        raise messages.Unsendable("text_too_long")
    event = {
        "type": "message",
        "text": message.text,
        "custom_id": message.own_reference,
        "visibility": "all",
    }
    return _call(SEND, message, {"chat_id": message.to, "event": event})


def ask(message: messages.CustomerMessage, doubt: asking.Doubt) -> HttpRequest:  # noqa: ARG001  the shared shape
    """Return what lists the newest threads of her chat. Raises: Unsendable with `secret_missing`."""
    return _call(LIST, message, {"chat_id": message.to, "sort_order": "desc"})


def found(
    answer: HttpAnswer,
    message: messages.CustomerMessage,
    doubt: asking.Doubt,  # noqa: ARG001  the shared shape
) -> outcomes.Outcome:
    """Return that our reference stands in the chat; that it is nowhere else the list does not say."""
    threads = answer.json.get("threads")
    if answer.status != 200 or not isinstance(threads, list):
        return asking.NO_WORD
    listed = [each.get("events") for each in threads if isinstance(each, dict)]
    said = [event for each in listed if isinstance(each, list) for event in each]
    for each in said:
        if isinstance(each, dict) and each.get("custom_id") == message.own_reference:
            named = each.get("id")
            return outcomes.Outcome(
                kind="sent", provider_id=named if isinstance(named, str) else None
            )
    return asking.UNCLEAR


def _call(path: str, message: messages.CustomerMessage, told: Mapping[str, object]) -> HttpRequest:
    url = f"{(message.api or API).rstrip('/')}/{path}"
    return json_request(url, told, _authorization(message.secret("token")))


def _authorization(token: str) -> dict[str, str]:
    parts = token.split(":")
    personal = len(parts) == PERSONAL_PARTS
    known = "Basic " + base64.b64encode(token.encode()).decode() if personal else f"Bearer {token}"
    elsewhere = REGION_ELSEWHERE in parts[-2:-1]
    return {"authorization": known, **({"x-region": REGION_ELSEWHERE} if elsewhere else {})}


def outcome(answer: HttpAnswer) -> outcomes.Outcome:
    """Return what an answer means; the provider's id is the event's."""
    named, error = answer.json.get("event_id"), answer.json.get("error")
    if 200 <= answer.status < 300 and isinstance(named, str) and named:
        return outcomes.Outcome(kind="sent", provider_id=named)
    kind = str(error.get("type")) if isinstance(error, dict) else ""
    refused = 400 <= answer.status < SERVER_FAULT
    if refused and kind in TRY_AGAIN:
        return outcomes.Outcome(kind="failed", reason=TRY_AGAIN[kind], temporary=True)
    if refused and kind in REFUSALS:
        return outcomes.Outcome(kind="failed", reason=REFUSALS[kind])
    return outcomes.Outcome(kind="uncertain", reason=f"http_{answer.status}")
