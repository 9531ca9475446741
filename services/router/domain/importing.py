"""What was over before it came here: an exported history stands on her timeline, and nobody waits because of it."""

from collections.abc import Sequence

from services.router.domain.decision import Decision, Place
from shared import events
from shared.conversation import NEW_CONVERSATION, Conversation

RULE = "join.imported"
"""Each exported talk is a conversation of its own."""


def find_imported_place(referenced: Conversation | None) -> Place:
    """Say where an imported event belongs: where its talk stands already, else in a conversation that is over."""
    if referenced is not None:
        return Place(referenced.id, "join.reference")
    return Place(None, RULE)


def begins_history(event: events.InboundEvent) -> bool:
    """Tell whether an imported talk may begin with this: what anybody wrote in it."""
    wrote = events.MessageReceived | events.MessageEchoed | events.FormSubmitted
    return event.imported and isinstance(event, wrote)


def close_imported(decision: Decision) -> None:
    """The conversation that an import opened is over in the same batch: it is offered to nobody."""
    decision.on_conversation(events.ConversationResolved, events.ConversationResolvedOpen())


def remembered(known: Sequence[Conversation]) -> Conversation:
    """Return what a customer comes back to who was here in an imported history alone: the newest talk of it.

    `known`: her conversations, the newest first.
    """
    return known[0] if known and known[0].imported else NEW_CONVERSATION
