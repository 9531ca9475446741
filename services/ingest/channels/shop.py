"""Orders of a shop, by the webhooks of Shopify and WooCommerce, and of PrestaShop's modules.

The last word is the newest by the shop's time. The two sign the raw body with HMAC-SHA256 in base64; PrestaShop has no
webhooks of its own, and a module of it may sign by Standard Webhooks as well. A header names the kind; where it is
lacking the fields tell it. Whatever else a shop may be told to send (products, customers, carts) is ignored by name.

Sources, read 2026-11: shopify.dev, "Deliver webhooks through HTTPS", "Webhook topics", REST Order and Fulfillment;
woocommerce.github.io/woocommerce-rest-api-docs, "Webhooks" (X-WC-Webhook-Signature), "Orders"; its plugin sends
`webhook_id=<number>`, unsigned, to try an address.
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.ingest.channels.shapes import prestashop_orders, shop_resources
from services.ingest.domain import charsets, delivery, loose, outcome, texts, webhook_signature
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, events, handles, strict

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "shop"
MEDIUM: events.Medium = "shop"
SECRETS = ("signing",)
SIGNATURES = ("x-shopify-hmac-sha256", "x-wc-webhook-signature")
TOPICS = ("x-shopify-topic", "x-wc-webhook-topic")

KINDS: Mapping[str, str] = shop_resources.KINDS

PING = re.compile(rb"webhook_id=[0-9]{1,12}\Z")
PING_KIND = "ping"
NUMBER_MAX_BYTES = 128
DESCRIPTION_MAX_BYTES = 512
ITEMS_SHOWN = 3
OPEN = "open"
STATUS_MAX_CHARACTERS = 32
AHEAD_MAX = timedelta(days=1)
"""A time further ahead is a clock's mistake, and no change after it would be the newest; zones are within it."""

Resource = Mapping[str, Any]
_resource = msgspec.json.Decoder(dict[str, Any])
_NO_WORD = re.compile(r"[\W_]+")


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check a shop's HMAC over the raw body, or a module's signature; a trial of the address says nothing, unsigned.

    Raises: SignatureInvalid.
    """
    if PING.match(request.body):
        return
    expected = signature(secrets["signing"], request.body).encode()
    given = [(request.header(name) or "").encode(errors="replace") for name in SIGNATURES]
    fitting = [hmac.compare_digest(each, expected) for each in given]
    if True not in fitting:
        webhook_signature.verify(request, secrets["signing"])


def signature(secret: str, body: bytes) -> str:
    """Return base64 of HMAC-SHA256 over a body."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return an order as it stands. The shop's id of it and what it says name the fact."""
    if PING.match(raw.body):
        return Ignored(PING_KIND)
    try:
        read = strict.read_json(texts.whole_json(charsets.decode(raw.body)), _resource)
    except codec.UNREADABLE:
        return outcome.unreadable()
    resource: Resource = prestashop_orders.as_order(read) or _bare(read)
    topic = next((value for name in TOPICS if (value := raw.header(name))), "")
    kind = shop_resources.kind_of(topic, resource)
    if kind is None:
        return outcome.unknown(topic) if topic else outcome.not_an_event()
    if KINDS[kind] == shop_resources.IGNORED:
        return Ignored(kind)
    number = _number(resource, kind)
    if number is None:
        return outcome.unreadable(kind)
    return Reported([_reported(raw, resource, kind, number)])


def _bare(read: Resource) -> Resource:
    """Return an order that stands alone under its name, as webhooks of WooCommerce's older API have it."""
    order = loose.table(read.get("order"))
    return order if order and len(read) == 1 else read


def _reported(
    raw: delivery.RawDelivery, resource: Resource, kind: str, number: str
) -> tuple[str, events.ContactEvent]:
    given, time = loose.identity(resource["id"]) or "", _time(resource, raw.received)
    status = _status(resource, kind)
    opened = events.OrderChangedOpen(
        **{**outcome.about(raw, MEDIUM, f"{kind}/{given}", given), "provider_time": time},
        status=status,
    )
    personal = events.OrderChangedPersonal(
        handles=_handles(resource, raw.rules.region),
        name=_name(resource),
        number=number,
        description=_description(resource, kind),
        external_id=_customer(resource),
    )
    said = [f"{kind}/{status}/{time.isoformat() if time else raw.sha256}".encode()]
    event = outcome.contact_event(raw, events.OrderChanged, opened, personal, said)
    return number, event


def _number(resource: Resource, kind: str) -> str | None:
    """Return the number that the customer knows; of a parcel that of its order. `None` for what names no order.

    An order that has none is known by its id: some programs send the rest of it only.
    """
    name = resource.get("name") or resource.get("number") or resource.get("order_number")
    if not name and kind == "order":
        name = resource.get("id")
    if loose.identity(resource.get("id")) is None or loose.identity(name) is None:
        return None
    written = str(name).removeprefix("#")
    if kind == "fulfillment":
        written = re.sub(r"\.[0-9]+\Z", "", written)
    return texts.line(written, NUMBER_MAX_BYTES)


def _status(resource: Resource, kind: str) -> str:
    """Return the shop's word for how it stands with an order: the one that says most."""
    words: list[Any] = [resource.get("status"), OPEN]
    if kind == "fulfillment":
        words = [resource.get("shipment_status"), _word_of_parcel(resource)]
    elif "financial_status" in resource:
        cancelled = "cancelled" if resource.get("cancelled_at") else None
        returned = resource["financial_status"] if _is_returned(resource) else None
        shipped = resource.get("fulfillment_status")
        words = [cancelled, returned, shipped, resource["financial_status"], OPEN]
    written = [
        unicodedata.normalize("NFC", each.lower()) for each in words if isinstance(each, str)
    ]
    found = (_NO_WORD.sub("_", each).strip("_")[:STATUS_MAX_CHARACTERS] for each in written)
    return next((each for each in found if each), OPEN)


def _word_of_parcel(resource: Resource) -> str:
    return "shipped" if resource.get("status") == "success" else f"parcel_{resource.get('status')}"


def _is_returned(resource: Resource) -> bool:
    return _text(resource.get("financial_status")) in {"refunded", "partially_refunded", "voided"}


def _time(resource: Resource, received: datetime) -> datetime | None:
    """Return when a resource changed last, as the shop counts; a time in GMT is written without its zone."""
    for name in ("updated_at", "date_modified_gmt", "created_at", "date_created_gmt"):
        written = resource.get(name)
        if isinstance(written, str) and written:
            try:
                time = datetime.fromisoformat(written)
                time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
            except (ValueError, OverflowError):
                continue
            return time if time - received <= AHEAD_MAX else None
    return None


# -- whose it is ---------------------------------------------------------------------------------------


def _parts(resource: Resource) -> list[Resource]:
    """Return where a resource says whose it is: its own address first, that was given for it."""
    names = ("customer", "billing", "billing_address", "destination")
    inner = (resource.get(name) for name in names)
    return [resource, *(each for each in inner if isinstance(each, dict))]


def _handles(resource: Resource, region: str | None) -> list[events.Handle]:
    """Return the addresses that the order was placed with: whose they are the shop was told, not shown."""
    found: dict[tuple[str, str], events.Handle] = {}
    customer = resource.get("customer")
    known = (
        customer if isinstance(customer, dict) and customer.get("verified_email") is True else {}
    )
    verified = handles.email(_text(known.get("email")))
    for part in _parts(resource):
        address = handles.email(_text(part.get("email")) or _text(part.get("contact_email")))
        number = handles.phone(_text(part.get("phone")), _region(part) or region)
        if address is not None:
            proof: events.Proof = "proved" if address == verified else "delivered"
            found.setdefault(("email", address), handles.of("email", address, proof))
        if number is not None:
            found.setdefault(("phone", number), handles.of("phone", number, "delivered"))
    return sorted(found.values(), key=lambda each: each.kind)


def _region(part: Resource) -> str | None:
    """Return the country of an address, in which its number is written; Shopify's `country` is the name of one."""
    for name in ("country_code", "country"):
        code = (_text(part.get(name)) or "").strip().upper()
        if handles.is_region(code):
            return code
    return None


def _name(resource: Resource) -> str | None:
    for part in _parts(resource):
        name = f"{_text(part.get('first_name')) or ''} {_text(part.get('last_name')) or ''}"
        if name.strip():
            return texts.line(name, DESCRIPTION_MAX_BYTES)
    return None


def _customer(resource: Resource) -> str | None:
    """Return the shop's own id of the customer; `None` of a guest, which WooCommerce writes as 0."""
    customer = resource.get("customer")
    given = customer.get("id") if isinstance(customer, dict) else resource.get("customer_id")
    return loose.identity(given) if given else None


def _description(resource: Resource, kind: str) -> str | None:
    """Return what was ordered, or how it travels, in a line."""
    if kind == "fulfillment":
        written = [resource.get("tracking_company"), resource.get("tracking_number")]
        return texts.line(
            " ".join(each for each in written if isinstance(each, str)), DESCRIPTION_MAX_BYTES
        )
    items = [
        (each, each.get("name") or each.get("title"))
        for each in loose.tables(resource.get("line_items"))
    ]
    shown = [
        f"{loose.identity(each.get('quantity')) or 1} × {name}"
        for each, name in items
        if _text(name)
    ]
    more = f" +{len(shown) - ITEMS_SHOWN}" if len(shown) > ITEMS_SHOWN else ""
    total = resource.get("total_price") or resource.get("total")
    price = f"{total} {resource.get('currency')}" if isinstance(total, str) else ""
    return texts.line(f"{', '.join(shown[:ITEMS_SHOWN])}{more} {price}", DESCRIPTION_MAX_BYTES)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
