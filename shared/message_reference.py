"""Names a message of ours in what a provider gives back to us: in a report's address, or in a field kept for us.

It has the form `<message id>.<conversation id>`. Notify writes it, ingest reads it; nobody else knows its form.
A report that carries it leads to its conversation without a look-up; the provider's signature over it proves it.
"""

import re
from dataclasses import dataclass

from shared.events import ConversationId, MessageId

ID = r"[a-z0-9_-]{1,64}"
_REFERENCE = re.compile(rf"(?P<message>{ID})\.(?P<conversation>{ID})\Z")


@dataclass(frozen=True, slots=True)
class MessageReference:
    """Which message of which conversation a report is about."""

    message: MessageId
    conversation: ConversationId


def write(message: MessageId, conversation: ConversationId) -> str:
    """Return the reference of a message."""
    return f"{message}.{conversation}"


def read(text: object) -> MessageReference | None:
    """Return the reference that a provider gave back, or `None` when it is not ours."""
    found = _REFERENCE.match(text) if isinstance(text, str) else None
    if found is None:
        return None
    return MessageReference(MessageId(found["message"]), ConversationId(found["conversation"]))
