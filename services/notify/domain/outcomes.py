"""What became of a message to the customer, as the contact event that notify reports on CONTACTS."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from services.notify.domain.decisions import SOURCE
from services.notify.domain.state import Notification
from shared import events
from shared.ids import contact_event_id

Kind = Literal["sent", "failed", "uncertain"]
OutcomeEvent = events.MessageSent | events.MessageFailed | events.MessageUncertain
_EVENTS: dict[Kind, type[OutcomeEvent]] = {
    "sent": events.MessageSent,
    "failed": events.MessageFailed,
    "uncertain": events.MessageUncertain,
}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the hand-over ended.

    `reason`: a stable word such as `smtp_550`; `temporary`: a refusal that a later try may not meet.
    """

    kind: Kind
    reason: str | None = None
    temporary: bool = False


SENT = Outcome(kind="sent")
UNREACHABLE = Outcome(kind="failed", reason="unreachable", temporary=True)
CONNECTION_LOST = Outcome(kind="uncertain", reason="connection_lost")
INTERRUPTED = Outcome(kind="uncertain", reason="interrupted")


def outcome_of(intent: Notification, remembered: Outcome | None) -> Outcome:
    """Return what is known of a message whose intent stands in the ledger.

    `remembered`: what this process saw itself and could not report yet. Without either nobody knows.
    """
    if intent.sent:
        return SENT
    return remembered or INTERRUPTED


def outcome_event(request: events.MessageRequested, outcome: Outcome, at: datetime) -> OutcomeEvent:
    """Return the report: the same for the same message, so that whichever is stored first stays alone.

    `at`: a time that stands in the ledger, so that a repeated report has the same bytes.
    """
    message_id, channel, account = (
        request.open.message_id,
        request.open.channel,
        request.open.account,
    )
    contact_id = events.ContactId(f"out-{message_id}")
    found = events.MessageOutcomeOpen(
        contact_id=contact_id,
        medium="mail",
        channel=channel,
        account=account,
        provider_id=message_id,
        provider_time=at,
        message_id=message_id,
        reason=outcome.reason,
    )
    event_id = contact_event_id(request.tenant, channel, account, message_id, "outcome")
    return _EVENTS[outcome.kind](
        specversion="1.0",
        id=events.EventId(event_id),
        source=SOURCE,
        occurred=at,
        aggregate=f"contact-{contact_id}",
        dataschema=events.DATA_SCHEMA,
        datacontenttype="application/json",
        tenant=request.tenant,
        recorded=at,
        actor="service:notify",
        conversation=request.conversation,
        customer=request.customer,
        causation=request.id,
        correlation=request.correlation,
        data=events.Data(open=found, personal=events.Nothing()),
    )
