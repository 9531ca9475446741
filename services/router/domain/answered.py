"""When a person last answered the customer: by writing, by a call, or by a contact that was wrapped up."""

from collections.abc import Iterator
from datetime import datetime

from shared import events
from shared.conversation import Conversation

ANSWERS = frozenset({"wrap_up", "called_back"})
"""What of that which was done answers her."""


def last_answer(
    conversation: Conversation, without: events.AgentId | None = None
) -> datetime | None:
    """Return when that was, `None` for never; `without`: whose wrap-ups are none, for she could not answer it."""
    return max(_answers(conversation, without), default=None)


def _answers(conversation: Conversation, without: events.AgentId | None) -> Iterator[datetime]:
    yield from (each.at for each in conversation.talk.said if each.by.startswith("agent-"))
    for each in conversation.matter.done:
        if each.what in ANSWERS and each.by != without:
            yield each.at
