"""What parsing makes of a delivery: contact events, or the reason why there are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.domain.delivery import RawDelivery
from shared import aggregates, events, ids
from shared.errors import PayloadKindUnknown, PayloadUnreadable

SOURCE = "tellonce/ingest"
_KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Contacts:
    """Contact events in the order they happened, and the contact's identity, which chooses their partition."""

    routing_key: str
    events: Sequence[events.ContactEvent]


@dataclass(frozen=True, slots=True)
class Ignored:
    """A kind that the channel knows and nobody needs. `kind`: the provider's word."""

    kind: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """It cannot be read. `code`: `payload.…`; `kind`: the provider's word, when it is no more than a word."""

    code: str
    kind: str | None = None


Parsed = Contacts | Ignored | Quarantined


def unreadable(kind: str | None = None) -> Quarantined:
    """Return the outcome for a body that is not what the channel sends."""
    return Quarantined(PayloadUnreadable.code, _word(kind))


def unknown(kind: str | None) -> Quarantined:
    """Return the outcome for a kind that the channel's table does not hold."""
    return Quarantined(PayloadKindUnknown.code, _word(kind))


def _word(kind: str | None) -> str | None:
    return kind if kind is not None and _KIND.match(kind) else None


def contact_id(raw: RawDelivery, provider_contact: str) -> events.ContactId:
    """Return the id of a contact from the provider's own (a call, a session, a mail)."""
    scope = f"{raw.channel}/{raw.account}"
    return events.ContactId(ids.scoped_id("contact", raw.tenant, scope, provider_contact))


def envelope(
    raw: RawDelivery,
    kind: str,
    *,
    provider_id: str,
    aggregate: str,
    occurred: datetime | None = None,
) -> dict[str, Any]:
    """Return the envelope's fields of one contact event; `data` is the channel's.

    All of it derives from the stored delivery, so a delivery parsed again gives the same bytes.
    """
    return {
        "specversion": "1.0",
        "id": events.EventId(
            ids.contact_event_id(raw.tenant, raw.channel, raw.account, provider_id, kind)
        ),
        "source": SOURCE,
        "occurred": occurred or raw.received,
        "aggregate": aggregate,
        "dataschema": events.DATA_SCHEMA,
        "datacontenttype": "application/json",
        "tenant": raw.tenant,
        "recorded": raw.received,
        "actor": f"channel:{raw.channel}/{raw.account}",
        "raw": raw.ref,
    }


def quarantine_event(raw: RawDelivery, outcome: Quarantined) -> events.PayloadQuarantined:
    """Return the event that records an unreadable delivery: same account and body, same id."""
    fields = envelope(
        raw,
        str(events.PayloadQuarantined.__struct_config__.tag),
        provider_id=raw.sha256,
        aggregate=aggregates.account(raw.channel, raw.account),
    )
    opened = events.PayloadQuarantinedOpen(
        channel=raw.channel, account=raw.account, code=outcome.code, kind=outcome.kind
    )
    return events.PayloadQuarantined(
        **fields, data=events.Data(open=opened, personal=events.Nothing())
    )


def events_of(raw: RawDelivery, outcome: Parsed) -> tuple[str, Sequence[events.ContactEvent]]:
    """Return the routing key and the events to publish for an outcome; no events when it is ignored."""
    match outcome:
        case Contacts():
            return outcome.routing_key, outcome.events
        case Quarantined():
            return raw.account, [quarantine_event(raw, outcome)]
        case Ignored():
            return raw.account, []
