"""What parsing makes of a delivery: contact events, or the reason why there are none."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from msgspec.structs import replace

from services.ingest.domain import persons_words
from services.ingest.domain.delivery import RawDelivery
from shared import aggregates, errors, events, ids, instants

_KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,63}\Z")


E = TypeVar("E", bound=events.ContactEvent)

Reports = Sequence[tuple[str, events.ContactEvent]]
"""Contact events in the order they happened, each behind its contact's identity, which chooses the partition."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What a delivery reports: of one customer or of several, each with a routing key of its own."""

    reports: Reports


@dataclass(frozen=True, slots=True)
class Ignored:
    """A kind that the channel knows and nobody needs. `kind`: the provider's word."""

    kind: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """It cannot be read. `code`: `payload.…`; `kind`: the provider's word, when it is no more than a word."""

    code: str
    kind: str | None = None


Parsed = Reported | Ignored | Quarantined


def unreadable(kind: str | None = None) -> Quarantined:
    """Return the outcome for a body that is not what the channel sends."""
    return Quarantined(errors.PayloadUnreadable.code, _word(kind))


def unknown(kind: str | None) -> Quarantined:
    """Return the outcome for a kind that the channel's table does not hold."""
    return Quarantined(errors.PayloadKindUnknown.code, _word(kind))


def not_an_event(kind: str | None = None) -> Quarantined:
    """Return the outcome for what can be read and is nothing that the provider sends."""
    return Quarantined(errors.NotAnEvent.code, _word(kind))


def partly_read(kind: str | None = None) -> Quarantined:
    """Return the outcome for what lies beyond a bound: it stands beside what was read, so that somebody sees it."""
    return Quarantined(errors.PartlyRead.code, _word(kind))


def together(raw: RawDelivery, found: Iterable[Parsed]) -> Parsed:
    """Return the outcome of a delivery that holds several things: all that is reported of them, in their order.

    What cannot be read keeps nothing else from being a fact; the first of it is recorded beside them.
    """
    reports: list[tuple[str, events.ContactEvent]] = []
    ignored: Ignored | None = None
    quarantined: Quarantined | None = None
    for each in found:
        match each:
            case Reported():
                reports += each.reports
            case Ignored():
                ignored = ignored or each
            case Quarantined():
                quarantined = quarantined or each
    if reports and quarantined is not None:
        reports += reports_of(raw, quarantined)
    return Reported(reports) if reports else quarantined or ignored or unreadable()


def _word(kind: str | None) -> str | None:
    return kind if kind is not None and _KIND.match(kind) else None


def contact_id(raw: RawDelivery, provider_contact: str) -> events.ContactId:
    """Return the id of a contact from the provider's own (a call, a session, a mail)."""
    scope = f"{raw.channel}/{raw.account}"
    return events.ContactId(ids.scoped_id("contact", raw.tenant, scope, provider_contact))


def about(
    raw: RawDelivery, medium: events.Medium, provider_contact: str, provider_id: str
) -> dict[str, Any]:
    """Return the fields that every contact event has in its open part: the contact, its source and the fact.

    `provider_contact`: the provider's id of the call, session or mail; `provider_id`: its id of the fact.
    """
    return {
        "contact_id": contact_id(raw, provider_contact),
        "medium": medium,
        "channel": raw.channel,
        "account": raw.account,
        "provider_id": provider_id,
    }


def contact_event(
    raw: RawDelivery,
    kind: type[E],
    opened: events.ContactOpen,
    personal: events.ContactPersonal | events.Nothing,
    said: Iterable[bytes] = (),
    *,
    conversation: events.ConversationId | None = None,
) -> E:
    """Return one contact event. A delivery that is reported twice gives the same event twice.

    `conversation`: where the delivery itself proves which one it is about.

    `said`: the customer's own words as they lie in the delivery, in pieces, where her program chooses the id: some give
    two messages one id, and the second is a fact of its own.
    All of it derives from the stored delivery, so a delivery parsed again gives the same bytes. A provider's time that
    no store keeps is none.
    """
    if opened.provider_time is not None and not instants.is_kept_by_all(opened.provider_time):
        opened = replace(opened, provider_time=None)
    origin = replace(_origin(raw, opened.provider_time), conversation=conversation)
    words = ids.pieces_sha256(said)
    named = opened.provider_id if words is None else f"{opened.provider_id}/{words}"
    event_id = _event_id(raw, kind, named)
    return events.make(kind, origin, event_id, f"contact-{opened.contact_id}", opened, personal)


def quarantine_event(raw: RawDelivery, outcome: Quarantined) -> events.PayloadQuarantined:
    """Return the event that records an unreadable delivery: same account and body, same id.

    Of a body that is lost nobody knows what stood in it: it may have been a person's words.
    """
    kind, aggregate = events.PayloadQuarantined, aggregates.account(raw.channel, raw.account)
    opened = events.PayloadQuarantinedOpen(
        channel=raw.channel,
        account=raw.account,
        code=outcome.code,
        kind=outcome.kind,
        words=raw.lost is not None or persons_words.seem_to_stand_in(raw.body),
    )
    return events.make(kind, _origin(raw), _event_id(raw, kind, raw.sha256), aggregate, opened)


def gap_event(raw: RawDelivery, since: datetime, until: datetime) -> events.ChannelInterrupted:
    """Return the event that records that nobody listened to a provider: same account and times, same id."""
    kind, aggregate = events.ChannelInterrupted, aggregates.account(raw.channel, raw.account)
    opened = events.ChannelInterruptedOpen(
        channel=raw.channel, account=raw.account, since=since, until=until
    )
    named = f"{since.isoformat()}/{until.isoformat()}"
    return events.make(kind, _origin(raw, until), _event_id(raw, kind, named), aggregate, opened)


def reports_of(raw: RawDelivery, outcome: Parsed) -> Reports:
    """Return the routing keys and the events to publish for an outcome; none when it is ignored."""
    match outcome:
        case Reported():
            return outcome.reports
        case Quarantined():
            return [(raw.account, quarantine_event(raw, outcome))]
        case Ignored():
            return []


def _origin(raw: RawDelivery, occurred: datetime | None = None) -> events.Origin:
    return events.Origin(
        tenant=raw.tenant,
        service="ingest",
        actor=f"{'import' if raw.imported else 'channel'}:{raw.channel}/{raw.account}",
        occurred=occurred or raw.received,
        recorded=raw.received,
        traceparent=raw.traceparent,
        raw=raw.ref,
    )


def _event_id(raw: RawDelivery, kind: type[events.Event[Any, Any]], provider_id: str) -> str:
    tag = str(kind.__struct_config__.tag)
    return ids.contact_event_id(raw.tenant, raw.channel, raw.account, provider_id, tag)
