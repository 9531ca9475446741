"""The line that a matter went up to last, and by when it is to answer there."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import events

NOT_SHOWN = (events.ContactEscalated, events.EscalationOverdue)
"""They change nothing that a packet shows: it shows the hop, and what the customer was told."""


class LastEscalation(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """`id`: `None` while there was none, or its transfer came back to its sender; `line`: the queue that is to answer.

    `sender`: who could not; `made`: when it went up; `told`: its time passed without an answer, and that was told.
    """

    id: events.EscalationId | None = None
    transfer_id: events.TransferId | None = None
    sender: events.AgentId | None = None
    line: str | None = None
    made: datetime | None = None
    due: datetime | None = None
    told: bool = False


def evolve(escalation: LastEscalation, event: events.AnyEvent) -> LastEscalation:
    """Return the last escalation after an event."""
    match event:
        case events.ContactEscalated(open=opened):
            return LastEscalation(
                id=opened.escalation_id,
                transfer_id=opened.transfer_id,
                sender=opened.sender,
                line=opened.line,
                made=event.recorded,
                due=opened.due,
            )
        case events.EscalationOverdue() if event.open.escalation_id == escalation.id:
            return replace(escalation, told=True)
        case events.TransferCancelled() | events.TransferExpired() | events.TransferRejected() if (
            event.open.transfer_id == escalation.transfer_id
            and (event.open.returned_to or "").startswith("agent-")
        ):
            return LastEscalation()
        case _:
            return escalation
