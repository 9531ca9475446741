"""How a delivery stands in RAW: the body as sent, the rest in headers of the message, secrets removed from both.

Of a body that is too large for a message RAW holds the hash and the size: a header says where it stands.
"""

import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import unquote

import msgspec

from services.ingest.domain import body_secret
from services.ingest.domain.delivery import BodyReference, Headers, RawDelivery, WebRequest
from services.ingest.handlers.body_store import BodyStore
from shared import codec, errors, streams, subjects, tracing
from shared.bus import Bus
from shared.bus.acknowledged import AcknowledgedPosition
from shared.bus.deliveries import StoredAck
from shared.policy import Account

HEADERS_FIELD = "Tellonce-Headers"
RECEIVED_FIELD = "Tellonce-Received"
PATH_FIELD = "Tellonce-Path"
DELIVERY_FIELD = "Tellonce-Delivery"
BODY_FIELD = "Tellonce-Body"
DELIVERY_ID_BYTES = 16
BODY_IN_MESSAGE_MAX_BYTES = 225_280
"""What a message of RAW holds beside its headers."""

EXPECTED_FIELD = "Nats-Expected-Last-Subject-Sequence"
WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
"""Something else stands last on the subject, or is being stored there."""

NEEDED = frozenset({"content-type", "webhook-id", "webhook-timestamp", "imap-internaldate"})
"""What parsing reads; a sender cannot push it out with fields of its own."""

_compact = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
_decoder = msgspec.json.Decoder(list[tuple[str, str]])
_ref_decoder = msgspec.json.Decoder(BodyReference)
_SECRET = re.compile(
    r"auth|cookie|secret|signature|token|password|passwd|api-?key|credential|-key\Z"
)


def kept_headers(headers: Headers, max_bytes: int) -> str:
    """Return the fields worth keeping as compact JSON of at most `max_bytes`, those that parsing needs first."""
    harmless = [(name, value) for name, value in headers if not _SECRET.search(name)]
    kept: list[tuple[str, str]] = []
    free_bytes = max_bytes - 2
    for pair in sorted(harmless, key=lambda pair: pair[0] not in NEEDED):
        free_bytes -= len(_compact(pair)) + 1
        if free_bytes < 0:
            break
        kept.append(pair)
    return _compact(kept)


def kept_url(url: str) -> str:
    """Return path and query without those parameters of the query that are secrets."""
    path, mark, query = url.partition("?")
    kept = [
        each
        for each in query.split("&")
        if not _SECRET.search(unquote(each.partition("=")[0]).lower())
    ]
    return path + mark + "&".join(kept)


class RawStore:
    """Appends deliveries to RAW. `acknowledged`: notices when RAW goes back."""

    def __init__(self, bus: Bus, bodies: BodyStore, header_max_bytes: int) -> None:
        self._bus = bus
        self.acknowledged = AcknowledgedPosition(bus, streams.RAW)
        self._bodies = bodies
        self._header_max_bytes = header_max_bytes

    async def append(
        self,
        tenant: str,
        channel: str,
        account: str,
        request: WebRequest,
        *,
        behind: int | None = None,
    ) -> StoredAck:
        """Store a delivery and wait for the acknowledgement; a large body is stored before.

        Each call is a delivery of its own, also when the body is the same: the id only keeps one call from
        being stored twice when its acknowledgement is lost. What an older copy of RAW takes is not kept.
        `behind`: it is stored only where this is the position of the account's last delivery (0: it has none).
        Raises: DoorUnavailable; the delivery may have been stored, so the provider's repeat is a duplicate.
            DeliveryOvertaken: another is the account's last; nothing was stored.
        """
        with tracing.span("receive", tenant=tenant, channel=channel):
            return await self._append(tenant, channel, account, request, behind)

    async def _append(
        self, tenant: str, channel: str, account: str, request: WebRequest, behind: int | None
    ) -> StoredAck:
        delivery = secrets.token_hex(DELIVERY_ID_BYTES)
        fields = {
            HEADERS_FIELD: kept_headers(request.headers, self._header_max_bytes),
            RECEIVED_FIELD: request.received.isoformat(),
            PATH_FIELD: kept_url(request.url),
            DELIVERY_FIELD: delivery,
        }
        traceparent = tracing.current()
        if traceparent is not None:
            fields[tracing.TRACEPARENT] = traceparent
        if behind is not None:
            fields[EXPECTED_FIELD] = str(behind)
        subject, body = subjects.raw(tenant, channel, account), body_secret.without(request.body)
        try:
            if len(body) > BODY_IN_MESSAGE_MAX_BYTES:
                ref = await self._bodies.put(tenant, body)
                fields[BODY_FIELD], body = msgspec.json.encode(ref).decode(), b""
            ack = await self._bus.store(subject, body, msg_id=delivery, headers=fields)
            if not ack.duplicate:
                self.acknowledged.check(ack.sequence)
        except (errors.BusUnavailable, errors.JetStreamRefused, errors.StreamDrift) as error:
            if behind is not None and error.details.get("err_code") in WRONG_LAST_SEQUENCE:
                raise errors.DeliveryOvertaken from error
            raise errors.DoorUnavailable(cause=error.code) from error
        return ack


def raw_delivery(
    tenant: str,
    account_name: str,
    rules: Account,
    *,
    sequence: int,
    body: bytes,
    fields: Mapping[str, str],
    stored: datetime,
) -> RawDelivery:
    """Return a message of RAW as a delivery; `account_name` is `<channel>/<account>`.

    It never fails: what another hand wrote without our headers counts as received when it was stored.
    """
    channel, _, account = account_name.partition("/")
    return RawDelivery(
        tenant=tenant,
        channel=channel,
        account=account,
        rules=rules,
        sequence=sequence,
        body=body,
        headers=_pairs(fields.get(HEADERS_FIELD, "")),
        path=fields.get(PATH_FIELD, ""),
        received=_instant(fields.get(RECEIVED_FIELD, "")) or stored,
        elsewhere=_ref(fields),
        traceparent=fields.get(tracing.TRACEPARENT),
    )


def _ref(fields: Mapping[str, str]) -> BodyReference | None:
    try:
        return _ref_decoder.decode(fields[BODY_FIELD]) if BODY_FIELD in fields else None
    except codec.UNREADABLE:
        return None


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return _decoder.decode(text)
    except codec.UNREADABLE:
        return []


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None
