"""When the customer had her answer last: in writing, by an owed call, or by a contact that was wrapped up.

What a person of ours wrote counts as it does for her clock (`shared.conversation.answers`). Who takes her call ends the
clock as well, and yet has not answered: that is what goes round in circles, and what a line has its own time for.
"""

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
    if conversation.levels.written is not None:
        yield conversation.levels.written
    for each in conversation.matter.done:
        if each.what in ANSWERS and each.by != without:
            yield each.at
