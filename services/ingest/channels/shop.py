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
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.ingest.channels.shapes import prestashop_orders
from services.ingest.domain import charsets, delivery, outcome, texts, webhook_signature
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

IGNORED = "ignored"
ORDER = "order.changed"
KINDS: Mapping[str, str] = {
    "order": ORDER,
    "fulfillment": ORDER,
    **dict.fromkeys(
        (
            *(
                "draft_order",
                "fulfillment_order",
                "fulfillment_event",
                "checkout",
                "cart",
                "refund",
            ),
            *("customer", "product", "product_listing", "coupon", "transaction", "risk", "webhook"),
            *("line_item", "shipping_line", "inventory", "collection", "shop", "app", "action"),
        ),
        IGNORED,
    ),
}
"""What a resource is -> what becomes of it. The topic of a webhook begins with its name, in the plural at Shopify."""

TOPIC_RESOURCES: Mapping[str, str] = {
    "orders": "order",
    "fulfillments": "fulfillment",
    "draft_orders": "draft_order",
    "fulfillment_orders": "fulfillment_order",
    "fulfillment_events": "fulfillment_event",
    "checkouts": "checkout",
    "carts": "cart",
    "refunds": "refund",
    "customers": "customer",
    "products": "product",
    "order_transactions": "transaction",
}
MARKS: Sequence[tuple[str, frozenset[str]]] = (
    ("fulfillment_order", frozenset({"request_status"})),
    ("fulfillment_order", frozenset({"assigned_location_id"})),
    ("fulfillment_event", frozenset({"fulfillment_id", "happened_at"})),
    ("fulfillment", frozenset({"order_id", "tracking_number"})),
    ("draft_order", frozenset({"invoice_sent_at"})),
    ("checkout", frozenset({"abandoned_checkout_url"})),
    ("refund", frozenset({"refund_line_items"})),
    ("order", frozenset({"id", "financial_status"})),
    ("order", frozenset({"id", "order_number", "line_items"})),
    ("order", frozenset({"id", "order_key", "status"})),
    ("risk", frozenset({"recommendation", "score"})),
    ("risk", frozenset({"risks"})),
    ("product_listing", frozenset({"product_id", "variants"})),
    ("product", frozenset({"product_type", "variants"})),
    ("product", frozenset({"regular_price", "permalink"})),
    ("product", frozenset({"inventory_quantity", "product_id"})),
    ("webhook", frozenset({"topic", "delivery_url"})),
    ("webhook", frozenset({"topic", "address"})),
    ("customer", frozenset({"email", "role", "username"})),
    ("customer", frozenset({"email", "orders_count"})),
    ("customer", frozenset({"email", "addresses"})),
    ("transaction", frozenset({"amount", "kind"})),
    ("transaction", frozenset({"amount", "source_type"})),
    ("shipping_line", frozenset({"carrier_identifier", "price"})),
    ("line_item", frozenset({"variant_id", "quantity"})),
    ("action", frozenset({"action", "arg"})),
)
"""Fields by which a resource is known; the first that fits."""

PING = re.compile(rb"webhook_id=[0-9]{1,12}\Z")
PING_KIND = "ping"
NUMBER_MAX_BYTES = 128
DESCRIPTION_MAX_BYTES = 512
ITEMS_SHOWN = 3
OPEN = "open"

Resource = Mapping[str, Any]
_resource = msgspec.json.Decoder(dict[str, Any])
_STATUS = re.compile(r"[^a-z0-9]+")


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
    resource: Resource = prestashop_orders.as_order(read) or read
    topic = next((value for name in TOPICS if (value := raw.header(name))), "")
    kind = _kind(topic, resource)
    if kind is None:
        return outcome.unknown(topic) if topic else outcome.not_an_event()
    if KINDS[kind] == IGNORED:
        return Ignored(kind)
    number = _number(resource, kind)
    if number is None:
        return outcome.unreadable(kind)
    return Reported([_reported(raw, resource, kind, number)])


def _kind(topic: str, resource: Resource) -> str | None:
    """Return what a resource is: by the topic, else by its fields; `None` for what is none of a shop's."""
    word = re.split(r"[/.]", topic.lower())[0]
    named = TOPIC_RESOURCES.get(word, word)
    if named in KINDS:
        return named
    return next((name for name, marks in MARKS if marks <= resource.keys()), None)


def _reported(
    raw: delivery.RawDelivery, resource: Resource, kind: str, number: str
) -> tuple[str, events.ContactEvent]:
    given, time = texts.fit(str(resource["id"]), NUMBER_MAX_BYTES), _time(resource)
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
    """Return the number that the customer knows; of a parcel that of its order. `None` for what names no order."""
    name = resource.get("name") or resource.get("number") or resource.get("order_number")
    if not isinstance(resource.get("id"), int | str) or not isinstance(name, int | str):
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
    word = next(each for each in words if isinstance(each, str) and each)
    return _STATUS.sub("_", word.lower()).strip("_")[:32] or OPEN


def _word_of_parcel(resource: Resource) -> str:
    return "shipped" if resource.get("status") == "success" else f"parcel_{resource.get('status')}"


def _is_returned(resource: Resource) -> bool:
    return _text(resource.get("financial_status")) in {"refunded", "partially_refunded", "voided"}


def _time(resource: Resource) -> datetime | None:
    """Return when a resource changed last, as the shop counts; a time in GMT is written without its zone."""
    for name in ("updated_at", "date_modified_gmt", "created_at", "date_created_gmt"):
        written = resource.get(name)
        if isinstance(written, str) and written:
            try:
                time = datetime.fromisoformat(written)
                return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
            except (ValueError, OverflowError):
                continue
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
    return (
        texts.line(str(given), NUMBER_MAX_BYTES) if given and isinstance(given, int | str) else None
    )


def _description(resource: Resource, kind: str) -> str | None:
    """Return what was ordered, or how it travels, in a line."""
    if kind == "fulfillment":
        written = [resource.get("tracking_company"), resource.get("tracking_number")]
        return texts.line(
            " ".join(each for each in written if isinstance(each, str)), DESCRIPTION_MAX_BYTES
        )
    lines = resource.get("line_items")
    items = [each for each in lines if isinstance(each, dict)] if isinstance(lines, list) else []
    shown = [
        f"{each.get('quantity', 1)} × {each.get('name') or each.get('title')}" for each in items
    ]
    more = f" +{len(shown) - ITEMS_SHOWN}" if len(shown) > ITEMS_SHOWN else ""
    total = resource.get("total_price") or resource.get("total")
    price = f"{total} {resource.get('currency')}" if isinstance(total, str) else ""
    return texts.line(f"{', '.join(shown[:ITEMS_SHOWN])}{more} {price}", DESCRIPTION_MAX_BYTES)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
