"""Ids as ours are made: what others give back with other ones is not about a message of ours."""

from shared.events import ConversationId, MessageId
from shared.message_reference import MessageReference, write

MESSAGE = MessageId("m" * 32)
CONVERSATION = ConversationId("c" * 32)
OURS = MessageReference(MESSAGE, CONVERSATION)
WRITTEN = write(MESSAGE, CONVERSATION)
"""As the payloads in tests/ingest/golden have it."""
