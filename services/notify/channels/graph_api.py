"""What messages by the Graph API have in common: where it is, how a token is shown, and what its errors mean.

Sources, read 2026-11 (developers.facebook.com/docs): graph-api/guides/error-handling (`code`, `error_subcode`),
graph-api/guides/versioning (a version lives for two years).
"""

from collections.abc import Mapping
from typing import Any

from services.notify.domain.messages import CustomerMessage, Unsendable
from services.notify.domain.outcomes import Kind, Outcome
from services.notify.domain.web import HttpAnswer, HttpRequest, json_request

BASE = "https://graph.facebook.com"
VERSION = "v24.0"
SECRETS = ("token",)
"""`token`: what the app writes with, for the page or the number."""

Meaning = tuple[Kind, bool]
"""What an error says of the message: its kind, and whether a later try may not meet it."""
REFUSED: Meaning = ("failed", False)
LATER: Meaning = ("failed", True)
DOUBT: Meaning = ("uncertain", False)
TOO_MANY_REQUESTS = 429
"""With this status nothing was taken, whatever else is said."""


def request(message: CustomerMessage, sender: str, content: Mapping[str, Any]) -> HttpRequest:
    """Return a message that `sender` writes. Raises: Unsendable with `secret_missing`."""
    url = f"{(message.api or BASE).rstrip('/')}/{VERSION}/{sender}/messages"
    return json_request(url, content, {"authorization": f"Bearer {message.secret('token')}"})


def check_length(length: int, longest: int) -> None:
    """Raises: Unsendable with `text_too_long`: part of what an agent wrote would be another message."""
    if length > longest:
        raise Unsendable("text_too_long")


def sent(provider_id: object) -> Outcome:
    """Return that the provider took a message; without the id that it gave there is nothing to show for it."""
    if not isinstance(provider_id, str) or not provider_id:
        return Outcome(kind="uncertain", reason="answer_unreadable")
    return Outcome(kind="sent", provider_id=provider_id)


def error(
    answer: HttpAnswer, channel: str, meanings: Mapping[int, Meaning], reasons: Mapping[int, str]
) -> Outcome:
    """Return what an error means; `reasons`: by code or subcode; else it is `<channel>_<code>`."""
    told = answer.json.get("error")
    told = told if isinstance(told, dict) else {}
    code, subcode = (told.get(name) for name in ("code", "error_subcode"))
    otherwise = LATER if answer.status == TOO_MANY_REQUESTS else DOUBT
    if not isinstance(code, int):
        return Outcome(kind=otherwise[0], reason=f"http_{answer.status}", temporary=otherwise[1])
    kind, temporary = meanings.get(code, otherwise)
    by_subcode = reasons.get(subcode) if isinstance(subcode, int) else None
    reason = by_subcode or reasons.get(code) or f"{channel}_{code}"
    return Outcome(kind=kind, reason=reason, temporary=temporary)
