"""Messenger and Instagram: an agent's answer by the Send API, and what its answers mean.

Sources, read 2026-11 (developers.facebook.com/docs/messenger-platform): reference/send-api (`messaging_type`, texts of
2,000 characters, `metadata` that comes back with the echo), error-codes, policy (answers within 24 hours),
send-messages/message-tags (`HUMAN_AGENT`: a person answers within seven days; without the app's feature Human Agent
the provider refuses it; `ACCOUNT_UPDATE` and its like are no longer taken since 2026-02-10, as a user of them found:
github.com/emes30/facebook_messenger, issue 9), graph-api/reference/page/messages (`reply_to`; its `mid` as several
clients send it).
A page may send 300 texts a second (messenger-platform/overview/rate-limiting, read by a mirror of it).
A page writes to whoever wrote to it, by the id that she has with this page. Instagram of its own login has another
host, which is the account's `api`, takes shorter texts, and gives no metadata back.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from services.notify.channels import graph_api as graph
from services.notify.channels.graph_api import DOUBT, LATER, REFUSED, SECRETS
from services.notify.domain.asking import no_finding as found
from services.notify.domain.asking import no_question as ask
from services.notify.domain.messages import CustomerMessage, Unsendable
from services.notify.domain.messages import uncounted as parts
from services.notify.domain.outcomes import Outcome
from services.notify.domain.web import HttpAnswer, HttpRequest
from shared import events

__all__ = [
    "CARRIER",
    "KINDS",
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

NAME = "messenger"
MEDIUM: events.Medium = "message"
CARRIER = "http"
TEMPLATES = False

KINDS: Mapping[int, graph.Meaning] = {
    1: DOUBT,  # also told of messages that were sent
    2: DOUBT,
    3: REFUSED,
    4: LATER,
    10: REFUSED,  # no permission, or outside the 24 hours
    17: LATER,
    32: LATER,
    100: REFUSED,
    190: REFUSED,
    200: REFUSED,
    230: REFUSED,
    341: LATER,
    368: REFUSED,
    551: REFUSED,
    613: LATER,
    1200: LATER,
    1545041: REFUSED,
    2018001: REFUSED,
    80006: LATER,
}
"""By `code`; what is not here is a doubt."""
REASONS: Mapping[int, str] = {
    2018065: "window_closed",
    2018278: "window_closed",
    2534022: "window_closed",
    2018001: "address_unknown",
    1545041: "not_reached",
    551: "not_reached",
}
"""By `error_subcode`, else by `code`. The window: 24 hours since she last wrote; the third is Instagram's."""

WINDOWS: Sequence[tuple[timedelta, Mapping[str, str]]] = (
    (timedelta(hours=24), {"messaging_type": "RESPONSE"}),
    (timedelta(days=7), {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}),
)
"""How long after she last wrote, as what she may be written to: whoever writes here is a person."""
TEXT_MAX_CHARACTERS = 2_000
INSTAGRAM_HOST = "graph.instagram.com"
INSTAGRAM_TEXT_MAX_BYTES = 1_000

_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}\Z")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_.:=+/-]{1,512}\Z")


def address(to: str) -> str | None:
    """Return the id of a person with a page, or of a page; `None` for what is no id."""
    found = to.removeprefix(f"{NAME}:").strip()
    return found if _ID.match(found) else None


def render(message: CustomerMessage, now: datetime) -> HttpRequest:
    """Return a text message. Raises: Unsendable with `text_too_long`, `window_closed` or `secret_missing`."""
    said: dict[str, Any] = {"text": message.text}
    if urlsplit(message.api or graph.BASE).hostname == INSTAGRAM_HOST:
        graph.check_length(len(message.text.encode()), INSTAGRAM_TEXT_MAX_BYTES)
    else:
        graph.check_length(len(message.text), TEXT_MAX_CHARACTERS)
        said["metadata"] = message.own_reference
    content = {"recipient": {"id": message.to}, **_sent_as(message, now), "message": said}
    if message.in_reply_to is not None and _MESSAGE_ID.match(message.in_reply_to):
        content["reply_to"] = {"mid": message.in_reply_to}
    return graph.request(message, "me", content)


def _sent_as(message: CustomerMessage, now: datetime) -> Mapping[str, str]:
    for window, fields in WINDOWS:
        if message.is_within(window, now):
            return fields
    raise Unsendable("window_closed")


def outcome(answer: HttpAnswer) -> Outcome:
    """Return what an answer means; the reason is a word of REASONS, else `messenger_<code>`."""
    if answer.status == 200:
        return graph.sent(answer.json.get("message_id"))
    return graph.error(answer, NAME, KINDS, REASONS)
