"""Telegram: an agent's message as `sendMessage` of the Bot API, and what its answer means.

Sources, read 2026-11 (core.telegram.org/bots/api): "Making requests", `sendMessage`, `ReplyParameters`,
`ResponseParameters`; core.telegram.org/bots/faq, "My bot is hitting limits"; the descriptions of refusals are not
documented, they stand here as the servers write them (github.com/TelegramBotAPI/errors). The seconds to wait stand in
`Retry-After` too (github.com/tdlib/telegram-bot-api, `HttpConnection.cpp`).

There are no receipts: nobody tells whether a message has reached the customer or was read, so `message.sent` is the
last that is known of it, but for a block of the bot. A bot writes only to who has written to it, or started it.

One chat takes one message a second, and a little more at once (MESSAGES_PER_CHAT_AND_SECOND). An agent's messages of
one conversation leave one after the other; what comes too fast is answered with 429 and the seconds to wait, after
which it is asked again. Nothing of ours counts: the provider's own count is the one that decides.

A longer text than Telegram takes is refused with `text_too_long` and not split: a message leaves at most once and has
one outcome and one id; of several parts some could be under way and others not, and nobody could say which.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

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

NAME = "telegram"
MEDIUM: events.Medium = "message"
CARRIER = "http"
TEMPLATES = False
SECRETS: Sequence[str] = ("token",)
"""`token`: the bot's, as @BotFather gave it."""

API = "https://api.telegram.org"
TEXT_MAX_UNITS = 4_096
"""In UTF-16 code units, in which Telegram counts everything."""
MESSAGES_PER_CHAT_AND_SECOND = 1
BUSINESS = "business/"
"""Stands before the id of a connection in the address of an account that writes in a business account's name."""

REASONS: Mapping[str, str] = {
    "bot was blocked by the user": "blocked",
    "user is deactivated": "deactivated",
    "bot can't initiate conversation": "not_started",
    "bot can't send messages to bots": "is_a_bot",
    "bot was kicked": "kicked",
    "bot is not a member": "kicked",
    "chat not found": "chat_unknown",
    "user not found": "chat_unknown",
    "peer_id_invalid": "chat_unknown",
    "business_connection": "connection_invalid",
    "business connection": "connection_invalid",
    "business_peer": "window_closed",
    "message is too long": "text_too_long",
    "message text is empty": "text_empty",
    "upgraded to a supergroup": "chat_moved",
    "not enough rights": "rights_missing",
    "have no rights": "rights_missing",
}
"""What stands in the description of a refusal -> why; the first that fits."""
STATUSES: Mapping[int, str] = {
    400: "request_refused",
    401: "token_invalid",
    403: "forbidden",
    404: "token_invalid",
    429: "too_many_requests",
}
"""What a refusal means whose description says nothing known. Anything else is a doubt: it may have been sent."""
TRY_AGAIN = 429

_ADDRESS = re.compile(rf"(?:-?\d{{1,18}}|{BUSINESS}[\w-]{{1,128}})\Z", re.ASCII)


def address(to: str) -> str | None:
    """Return the number of a chat or bot, or a business connection behind BUSINESS; `None` for anything else."""
    value = to.removeprefix(f"{NAME}:")
    return value if _ADDRESS.match(value) else None


def render(message: messages.CustomerMessage, now: datetime) -> HttpRequest:  # noqa: ARG001  the shared shape
    """Return the request that sends a message.

    Raises: Unsendable with `text_too_long`, `address_invalid` or `secret_missing`.
    """
    if len(message.text.encode("utf-16-le", "surrogatepass")) // 2 > TEXT_MAX_UNITS:
        raise messages.Unsendable("text_too_long")
    if message.to.startswith(BUSINESS):
        raise messages.Unsendable("address_invalid")
    told: dict[str, Any] = {"chat_id": int(message.to), "text": message.text}
    if message.sender.startswith(BUSINESS):
        told["business_connection_id"] = message.sender.removeprefix(BUSINESS)
    answered = _answered(message)
    if answered is not None:
        told["reply_parameters"] = {"message_id": answered, "allow_sending_without_reply": True}
    token = quote(message.secret("token"), safe=":")
    return json_request(f"{(message.api or API).rstrip('/')}/bot{token}/sendMessage", told)


def _answered(message: messages.CustomerMessage) -> int | None:
    """Return the number of the answered message, if it stands in the chat that is written to."""
    chat, _, number = (message.in_reply_to or "").rpartition("/")
    here = chat.rpartition("/")[2] == message.to
    return int(number) if here and number.isascii() and number.isdigit() else None


def outcome(answer: HttpAnswer) -> outcomes.Outcome:
    """Return what an answer means; the provider's id is `<chat>/<message>`, as what she answers to it will say."""
    told = answer.json
    if told.get("ok") is True:
        return outcomes.Outcome(kind="sent", provider_id=_sent(told.get("result")))
    if told.get("ok") is not False or answer.status not in STATUSES:
        return outcomes.Outcome(kind="uncertain", reason=f"http_{answer.status}")
    description = str(told.get("description")).lower()
    reason = next((why for words, why in REASONS.items() if words in description), None)
    return outcomes.Outcome(
        kind="failed",
        reason=reason or STATUSES[answer.status],
        temporary=answer.status == TRY_AGAIN,
    )


def _sent(result: Any) -> str | None:
    """Return the id of a sent message; of one in a business chat, with the connection before it."""
    match result:
        case {"message_id": int(number), "chat": {"id": int(chat)}}:
            connection = result.get("business_connection_id")
            before = f"{connection}/" if isinstance(connection, str) and connection else ""
            return f"{before}{chat}/{number}"
        case _:
            return None
