"""The reply reference: the Message-ID of a mail of ours, which an answer names in In-Reply-To or References.

It has the form `<msg-<message id>.<conversation id>@<domain>>`, see `shared.message_reference`.
Ingest reads it, notify writes it; nobody else knows its form.
Source of the grammar: RFC 5322, section 3.6.4 (`msg-id`), read 2026-11.
"""

import re

from shared import message_reference
from shared.events import ConversationId, MessageId
from shared.message_reference import MessageReference

MESSAGE_ID_MAX_CHARACTERS = 998
"""Longest line of a mail (RFC 5322, section 2.1.1), so no identifier is longer."""

_REFERENCE = re.compile(rf"<?msg-{message_reference.FORM}@[^\s<>@]+>?\Z")
_PLAIN_ID = re.compile(r"[a-z0-9_-]{1,64}\Z")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")


def write(reference: MessageReference, domain: str) -> str:
    """Return the Message-ID of a mail to a customer, with its angle brackets.

    Raises ValueError when an id or the domain holds a character that the form does not take.
    """
    for part in (reference.message, reference.conversation):
        if _PLAIN_ID.match(part) is None:
            raise ValueError("an id of a mail reference is not of [a-z0-9_-]{1,64}")
    if _DOMAIN.match(domain) is None:
        raise ValueError("the domain of a mail reference is not a host name")
    written = message_reference.write(reference.message, reference.conversation)
    return f"<msg-{written}@{domain}>"


def read(message_id: str) -> MessageReference | None:
    """Return the reference in a Message-ID, or `None` when the Message-ID is not ours."""
    found = _REFERENCE.match(message_id.strip()[:MESSAGE_ID_MAX_CHARACTERS])
    if found is None:
        return None
    return MessageReference(MessageId(found["message"]), ConversationId(found["conversation"]))
