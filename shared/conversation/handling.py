"""How the desk goes about a conversation: its labels, until when it is put aside, when it was resolved."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import events
from shared.conversation.ownership import Ownership

NOT_SHOWN = (
    events.ConversationLabelled,
    events.ConversationSnoozed,
    events.ConversationWoken,
    events.AttentionRequested,
)
"""They change nothing that a packet shows."""


class Snooze(msgspec.Struct, frozen=True, kw_only=True):
    """The owner has put the conversation aside. `until`: when it comes back, unless the customer comes first."""

    snooze_id: events.SnoozeId
    until: datetime


class Handling(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """`labels`: in the order in which they were given; `snooze`: `None` while it is awake.

    `resolved`, `resolved_by`: when the matter was closed last, and by whom; `reopened`: how often it was opened again.
    """

    labels: tuple[str, ...] = ()
    snooze: Snooze | None = None
    resolved: datetime | None = None
    resolved_by: events.AgentId | None = None
    reopened: int = 0


def evolve(
    handling: Handling, event: events.AnyEvent, before: Ownership, after: Ownership
) -> Handling:
    """Return the handling after one event; `before`, `after`: the holder around it. Who gets a matter has it awake."""
    if before.owner != after.owner and handling.snooze is not None:
        handling = replace(handling, snooze=None)
    match event:
        case events.ConversationLabelled(open=opened):
            kept = [each for each in handling.labels if each not in opened.removed]
            return replace(handling, labels=tuple(dict.fromkeys((*kept, *opened.added))))
        case events.ConversationSnoozed(open=opened):
            snooze = Snooze(snooze_id=opened.snooze_id, until=opened.until)
            return replace(handling, snooze=snooze)
        case events.ConversationWoken():
            return replace(handling, snooze=None)
        case events.ConversationResolved():
            return replace(handling, resolved=_when(event), resolved_by=event.open.agent)
        case events.ConversationReopened():
            return replace(handling, reopened=handling.reopened + 1)
        case _:
            return handling


def _when(event: events.ConversationResolved) -> datetime:
    return event.happened if event.imported else event.recorded
