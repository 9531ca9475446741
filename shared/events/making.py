"""How an event is made: the one place that fills an envelope."""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from shared.events.envelope import (
    DATA_SCHEMA,
    ConversationId,
    CustomerId,
    Data,
    Event,
    EventId,
    Nothing,
    Part,
)

E = TypeVar("E", bound=Event[Any, Any])


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where events come from: what those of one cause have in common. The words are those of `Event`.

    `service` writes them; `cause` is the id of the command, event or timer behind them.
    """

    tenant: str
    service: str
    actor: str
    occurred: datetime
    recorded: datetime
    cause: str | None = None
    cause_sha256: str | None = None
    conversation: ConversationId | None = None
    customer: CustomerId | None = None
    correlation: str | None = None
    traceparent: str | None = None
    raw: str | None = None


def make(
    kind: type[E],
    origin: Origin,
    event_id: str,
    aggregate: str,
    open_part: Part,
    personal: Part | None = None,
) -> E:
    """Return an event of a kind; without a personal part it holds no personal data."""
    fields: dict[str, Any] = {
        "specversion": "1.0",
        "id": EventId(event_id),
        "source": f"tellonce/{origin.service}",
        "occurred": origin.occurred,
        "aggregate": aggregate,
        "dataschema": DATA_SCHEMA,
        "datacontenttype": "application/json",
        "tenant": origin.tenant,
        "recorded": origin.recorded,
        "actor": origin.actor,
        "conversation": origin.conversation,
        "customer": origin.customer,
        "causation": origin.cause,
        "causation_sha256": origin.cause_sha256,
        "correlation": origin.correlation,
        "traceparent": origin.traceparent,
        "raw": origin.raw,
        "data": Data(open=open_part, personal=personal or Nothing()),
    }
    return kind(**fields)
