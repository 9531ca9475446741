"""What became of a message to the customer, as the contact event that notify reports on CONTACTS."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from services.notify.domain import commands, state
from shared import events, ids

Kind = Literal["sent", "failed", "uncertain"]
ID_MAX_CHARACTERS = 512
REASON_MAX_CHARACTERS = 64
_EVENTS: dict[Kind, type[events.OutcomeEvent]] = {
    "sent": events.MessageSent,
    "failed": events.MessageFailed,
    "uncertain": events.MessageUncertain,
}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the hand-over ended.

    `reason`: a stable word such as `smtp_550`; `temporary`: a refusal that a later try may not meet; `provider_id`: the
    provider's id of the message that it took.
    """

    kind: Kind
    reason: str | None = None
    temporary: bool = False
    provider_id: str | None = None


def kept(outcome: Outcome) -> Outcome:
    """Return an outcome as the ledger keeps it: a provider may answer anything where its id or its number belongs."""
    named, reason = outcome.provider_id, outcome.reason
    fits = named is not None and len(named) <= ID_MAX_CHARACTERS and named.isprintable()
    return replace(
        outcome,
        provider_id=named if fits else None,
        reason=None if reason is None else reason[:REASON_MAX_CHARACTERS],
    )


UNREACHABLE = Outcome(kind="failed", reason="unreachable", temporary=True)
CONNECTION_LOST = Outcome(kind="uncertain", reason="connection_lost")
ADOPTED = Outcome(kind="uncertain", reason="ledger_adopted")
"""It was asked for before an operator adopted this ledger: the one that was lost may have held that it was sent."""
INTERRUPTED = Outcome(kind="uncertain", reason="interrupted")


def outcome_of(intent: state.Notification, remembered: Outcome | None) -> Outcome:
    """Return what is known of a message whose intent stands in the ledger.

    `remembered`: what this process saw itself and could not report yet. Without either nobody knows.
    """
    if intent.sent:
        return Outcome(kind="sent", provider_id=intent.provider_id)
    return remembered or INTERRUPTED


def outcome_event(
    request: events.MessageRequested,
    medium: events.Medium,
    outcome: Outcome,
    at: datetime,
    parts: int | None = None,
) -> events.OutcomeEvent:
    """Return the report: the same for the same message, so that whichever is stored first stays alone.

    `medium`: of the channel that it went by; `at`: a time that stands in the ledger, so that a repeated report has the
    same bytes; `parts`: see `MessageOutcomeOpen`.
    """
    wanted = request.open
    contact_id = events.ContactId(f"out-{wanted.message_id}")
    found = events.MessageOutcomeOpen(
        contact_id=contact_id,
        medium=medium,
        channel=wanted.channel,
        account=wanted.account,
        provider_id=wanted.message_id,
        provider_time=at,
        message_id=wanted.message_id,
        reason=outcome.reason,
        refers_to=outcome.provider_id,
        parts=parts,
    )
    origin = events.Origin(
        tenant=request.tenant,
        service="notify",
        actor=commands.SERVICE,
        occurred=at,
        recorded=at,
        cause=request.id,
        conversation=request.conversation,
        customer=request.customer,
        correlation=request.correlation,
        traceparent=request.traceparent,
    )
    event_id = ids.contact_event_id(
        request.tenant, wanted.channel, wanted.account, wanted.message_id, "outcome"
    )
    return events.make(_EVENTS[outcome.kind], origin, event_id, f"contact-{contact_id}", found)
