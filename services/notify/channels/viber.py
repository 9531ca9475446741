"""Viber: an agent's message as `send_message` of the bot API, and what its answer means.

Sources, read 2026-11 (developers.viber.com/docs/api/rest-bot-api): "Send Message" (general parameters, text message),
"Error Codes"; creators.viber.com/docs/bots-api/resources/messaging/send-message (100 messages to one customer within an
hour without an answer of hers, then 12 until she writes). Viber answers 200 whatever it thinks of a request: its own
status says it.

A bot writes to who has subscribed, or has written to it. What becomes of a message is reported to the account's webhook
under its token, a number of 64 bits, which is a text here. `tracking_data` names our message and comes back with what
the customer writes next.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from services.notify.domain import messages, outcomes
from services.notify.domain.asking import no_finding as found
from services.notify.domain.asking import no_question as ask
from services.notify.domain.messages import uncounted as parts
from services.notify.domain.web import HttpAnswer, HttpRequest, json_request
from shared import events

__all__ = [
    "CARRIER",
    "MEDIUM",
    "NAME",
    "SECRETS",
    "address",
    "ask",
    "found",
    "outcome",
    "parts",
    "render",
]

NAME = "viber"
MEDIUM: events.Medium = "message"
CARRIER = "http"
TEMPLATES = False
SECRETS: Sequence[str] = ("signing",)
"""`signing`: the account's authentication token, with which Viber also signs what it delivers."""

API = "https://chatapi.viber.com"
TEXT_MAX_CHARACTERS = 7_000
SENDER_MAX_CHARACTERS = 28
API_VERSION = 1
"""The least that a customer's program must understand; a text is understood by all."""

SENT = 0
STATUSES: Mapping[int, str] = {
    1: "webhook_invalid",
    2: "token_invalid",
    3: "request_refused",
    4: "request_refused",
    5: "not_registered",
    6: "not_subscribed",
    7: "account_blocked",
    8: "account_unknown",
    9: "account_suspended",
    10: "webhook_missing",
    11: "no_suitable_device",
    12: "too_many_requests",
    13: "version_unsupported",
    14: "version_unsupported",
    15: "account_not_authorized",
    16: "replies_not_allowed",
    17: "account_not_inline",
    18: "no_public_chat",
    19: "broadcast_refused",
    20: "broadcast_refused",
    21: "country_unsupported",
    22: "payment_unsupported",
    23: "free_messages_exceeded",
    24: "no_balance",
}
"""Viber's number of an error -> why. One that is not here is a general error: a doubt."""
TOO_MANY = 12
"""Of one customer, for up to an hour: asking again soon is of no use. By the HTTP status it is of this moment."""
TOO_MANY_REQUESTS = 429

_ADDRESS = re.compile(r"(?:pa:)?[\w+/=.-]{1,128}\Z", re.ASCII)


def address(to: str) -> str | None:
    """Return an id of Viber's; `None` for what is none."""
    value = to.removeprefix(f"{NAME}:")
    return value if _ADDRESS.match(value) else None


def render(message: messages.CustomerMessage, now: datetime) -> HttpRequest:  # noqa: ARG001  the shared shape
    """Return the request that sends a message, under the title's name.

    Raises: Unsendable with `text_too_long`, `sender_unknown` (an account without a title has no name) or
    `secret_missing`.
    """
    if len(message.text) > TEXT_MAX_CHARACTERS:
        raise messages.Unsendable("text_too_long")
    if not message.title:
        raise messages.Unsendable("sender_unknown")
    told = {
        "receiver": message.to,
        "min_api_version": API_VERSION,
        "sender": {"name": message.title[:SENDER_MAX_CHARACTERS]},
        "tracking_data": message.own_reference,
        "type": "text",
        "text": message.text,
    }
    headers = {"x-viber-auth-token": message.secret("signing")}
    return json_request(f"{(message.api or API).rstrip('/')}/pa/send_message", told, headers)


def outcome(answer: HttpAnswer) -> outcomes.Outcome:
    """Return what an answer means; the provider's id is the message's token."""
    status, token = answer.json.get("status"), answer.json.get("message_token")
    if answer.status == TOO_MANY_REQUESTS:
        return outcomes.Outcome(kind="failed", reason=STATUSES[TOO_MANY], temporary=True)
    if type(status) is not int or not 200 <= answer.status < 300:
        return outcomes.Outcome(kind="uncertain", reason=f"http_{answer.status}")
    if status == SENT:
        named = str(token) if isinstance(token, int | str) and token else None
        return outcomes.Outcome(kind="sent", provider_id=named)
    if status not in STATUSES:
        return outcomes.Outcome(kind="uncertain", reason=f"status_{status}")
    return outcomes.Outcome(kind="failed", reason=STATUSES[status])
