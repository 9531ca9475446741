"""The shop's web chat: an agent's answer as the customer's page shows it.

The protocol is our own (docs/how-to/connect-chat.md). A page is addressed as `chat:<page>`, see
`shared.chat_answers.page_of`; ingest gives that handle to whoever writes on a session that is a secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.notify.domain import messages, outcomes
from services.notify.domain.asking import no_finding as found
from services.notify.domain.asking import no_question as ask
from services.notify.domain.messages import uncounted as parts
from shared import events, subjects
from shared.chat_answers import Answer

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

NAME = "chat"
MEDIUM: events.Medium = "chat"
CARRIER = "page"
TEMPLATES = False
SECRETS: Sequence[str] = ()
PREFIX = f"{NAME}:"

TOO_LARGE = 10054
KINDS: Mapping[int | None, outcomes.Outcome] = {
    None: outcomes.Outcome(kind="sent"),
    TOO_LARGE: outcomes.Outcome(kind="failed", reason="too_large"),
}
"""What the stream's answer says, by its `err_code` (nats-server `errors.json`, read 2026-11)."""


@dataclass(frozen=True, slots=True)
class PageMessage:
    """What is stored, where, and under which id."""

    subject: str
    message_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """What the stream answers. `err_code`: of JetStream, for a message that it refuses."""

    err_code: int | None = None


def address(to: str) -> str | None:
    """Return the page of a handle, or the account's own name; `None` for what is neither."""
    own = to.removeprefix(PREFIX)
    return own if subjects.is_token(own) else None


def render(message: messages.CustomerMessage, now: datetime) -> PageMessage:
    """Return what is stored for the page."""
    answer = Answer(reference=message.own_reference, text=message.text, at=now, by=message.agent)
    return PageMessage(
        subject=subjects.answer(message.tenant, message.to),
        message_id=message.id,
        body=msgspec.json.encode(answer),
    )


def outcome(answer: Stored) -> outcomes.Outcome:
    """Return what the stream's answer means; behind another refusal an earlier try may have been stored."""
    return KINDS.get(answer.err_code, outcomes.Outcome(kind="uncertain", reason="stream_refused"))
