"""Names a message of ours in what a provider gives back to us: in a report's address, or in a field kept for us.

It has the form `<message id>.<conversation id>`, both of the form of `shared.ids`. Notify writes it, ingest reads it;
nobody else knows its form. A report that carries it leads to its conversation without a look-up; the provider's
signature over it proves it. What others keep in such fields, a version or a file's name, is of another form.
"""

import re
from dataclasses import dataclass

from shared import ids
from shared.events import ConversationId, MessageId

FORM = rf"(?P<message>{ids.FORM})\.(?P<conversation>{ids.FORM})"
_REFERENCE = re.compile(rf"{FORM}\Z")


@dataclass(frozen=True, slots=True)
class MessageReference:
    """Which message of which conversation a report is about. `mark`: of a mail, shows that we wrote it."""

    message: MessageId
    conversation: ConversationId
    mark: str | None = None


def write(message: MessageId, conversation: ConversationId) -> str:
    """Return the reference of a message. What is no id of ours is not read again."""
    return f"{message}.{conversation}"


def read(text: object) -> MessageReference | None:
    """Return the reference that a provider gave back, or `None` when it is not ours."""
    found = _REFERENCE.match(text) if isinstance(text, str) else None
    if found is None:
        return None
    return MessageReference(MessageId(found["message"]), ConversationId(found["conversation"]))
