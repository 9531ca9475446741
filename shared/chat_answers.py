"""How an agent's answer stands in ANSWERS, and what names it to a chat page. Notify writes it, ingest reads it.

A page is known by the hash of its session, which is the page's secret: who knows a session reads its answers.
A page names an answer by the stream's sequence and our own reference (`shared.message_reference`), so it can say how
far it has come, and ingest can look whether that answer is its own.
"""

import re
from dataclasses import dataclass

import msgspec

from shared import ids, message_reference
from shared.events import Instant
from shared.message_reference import MessageReference

SECRET_MIN_CHARACTERS = 22
"""128 bits of chance in base64. A shorter session is no secret: no answer is sent to it."""
_ANSWER_ID = re.compile(r"(?P<sequence>[1-9][0-9]{0,18})\.(?P<reference>\S{1,200})\Z")


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer. `reference`: see `shared.message_reference`; `by`: the name of the agent who wrote it."""

    reference: str
    text: str
    at: Instant
    by: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerReference:
    """An answer as a page names it."""

    sequence: int
    reference: MessageReference

    def __str__(self) -> str:
        written = message_reference.write(self.reference.message, self.reference.conversation)
        return f"{self.sequence}.{written}"


def page_of(tenant: str, account: str, session: str) -> str | None:
    """Return what stands for a session in subjects and handles; `None` when anybody could guess the session."""
    if len(session) < SECRET_MIN_CHARACTERS:
        return None
    return ids.scoped_id("chat page", tenant, account, session)


def answer_id(text: object) -> AnswerReference | None:
    """Return the answer that a page names; `None` when it names none."""
    found = _ANSWER_ID.match(text) if isinstance(text, str) else None
    reference = message_reference.read(found["reference"]) if found else None
    return AnswerReference(int(found["sequence"]), reference) if found and reference else None
