"""The labels of a conversation: words of the policy, by which it is found."""

from collections.abc import Sequence

from services.router.domain.decision import Decision, goes_on
from shared import commands, errors, events

LABELS_MAX = 16
"""So many a conversation has: nobody reads more of them in a list."""


def label(decision: Decision, command: commands.LabelConversation) -> None:
    """An agent changes the labels; what is so already is left out. Raises: LabelUnknown, LabelTooMany."""
    conversation, listed = decision.conversation, decision.policy.labels
    if conversation.into is not None:
        raise errors.ConversationResolved(**goes_on(conversation))
    for each in command.add:
        if listed and each not in listed:
            raise errors.LabelUnknown(label=each)
    has = conversation.handling.labels
    removed = [each for each in dict.fromkeys(command.remove) if each in has]
    kept = [each for each in has if each not in removed]
    added = [each for each in dict.fromkeys(command.add) if each not in kept]
    if len(kept) + len(added) > LABELS_MAX:
        raise errors.LabelTooMany(limit=LABELS_MAX)
    # What is taken away and given at once stays as it is.
    both = set(added) & set(removed)
    _labelled(
        decision,
        [each for each in added if each not in both],
        [each for each in removed if each not in both],
        decision.by,
    )


def add_labels(decision: Decision, wanted: Sequence[str]) -> None:
    """Give it these as far as there is room: a rule wants them, or a conversation that goes on in this one had them."""
    has = decision.conversation.handling.labels
    added = [each for each in dict.fromkeys(wanted) if each not in has]
    _labelled(decision, added[: LABELS_MAX - len(has)], [], None)


def _labelled(
    decision: Decision, added: list[str], removed: list[str], agent: events.AgentId | None
) -> None:
    if added or removed:
        labelled = events.ConversationLabelledOpen(added=added, removed=removed, agent=agent)
        decision.on_conversation(events.ConversationLabelled, labelled)
