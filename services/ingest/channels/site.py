"""What visitors do on a shop's pages, by the Segment specification: `page`, `screen`, `track`, `identify`, `alias`.

A page's program sends it from the browser, where everybody can read the key: what it says of a visitor, it claims.
Several may come as a `batch`. Each item of it is a fact of its own, named by its `messageId`.

Sources, read 2026-11 (segment.com/docs): Spec (Common, Identify, Track, Page, Semantic events: ecommerce v2),
HTTP Tracking API (Basic authentication with the write key as the name, `writeKey` in the body from browsers).
"""

import base64
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.ingest.domain import charsets, delivery, outcome, texts
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, errors, events, handles, ids, strict

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "site"
MEDIUM: events.Medium = "site"
SECRETS = ("signing",)
VISIT = "visit.summarised"
KINDS: Mapping[str, str] = {
    "page": VISIT,
    "screen": VISIT,
    "track": VISIT,
    "identify": VISIT,
    "alias": VISIT,
    "group": "ignored",
}
"""Its `type`, or `action` in many of the documents' own examples. A group is a company, not a customer."""

CART_EVENTS: Mapping[str, events.CartChange] = {
    "product added": "added",
    "added product": "added",
    "wishlist product added to cart": "added",
    "product removed": "removed",
    "removed product": "removed",
    "cart viewed": "whole",
    "checkout started": "whole",
    "order completed": "ordered",
    "completed order": "ordered",
}
"""What becomes of the cart, by the names of both versions of the specification; other events name products that were
looked at, or are about an order."""
WRITTEN = ("review_body", "message", "comment")
"""Properties in which a visitor writes to the shop."""
CHATTED = frozenset({"live chat conversation started", "live chat message sent"})
"""Events in whose `message_body` she does; in those of other names an agent may."""
SIGNED_UP = "signed up"
"""An event whose properties are about the visitor herself."""

CART_MAX = 16
ID_MAX_BYTES = 256
WORD_MAX_BYTES = 512
URL_MAX_BYTES = 2_048

Item = Mapping[str, Any]
_body = msgspec.json.Decoder(dict[str, Any])
_HUMP = re.compile("([A-Z])")


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check the write key, as the name of Basic authentication or in the body. Raises: SignatureInvalid."""
    key = secrets["signing"].encode()
    basic = b"Basic " + base64.b64encode(key + b":")
    given = (request.header("authorization") or "").encode(errors="replace")
    body = _read(request.body) or {}
    named = (_text(body.get("writeKey")) or "").encode(errors="replace")
    if True not in [hmac.compare_digest(given, basic), hmac.compare_digest(named, key)]:
        raise errors.SignatureInvalid


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what was done, one event an item; items of a kind that is not known cost no other one."""
    body = _read(raw.body)
    if body is None:
        return outcome.unreadable()
    batch = body.get("batch")
    items = batch if isinstance(batch, list) else [body]
    kinds = [_kind(each) if isinstance(each, dict) else None for each in items]
    reports = [
        _visit(raw, item, body)
        for kind, item in zip(kinds, items, strict=True)
        if kind is not None and KINDS.get(kind) == VISIT
    ]
    if reports:
        return Reported(reports)
    unknown = next((kind for kind in kinds if kind is not None and kind not in KINDS), None)
    if unknown is not None:
        return outcome.unknown(unknown)
    known = next((kind for kind in kinds if kind is not None), None)
    return outcome.not_an_event() if known is None else Ignored(known)


def _kind(item: Item) -> str | None:
    return _text(item.get("type")) or _text(item.get("action"))


def _given(found: Item, name: str) -> Any:
    """Return a field of the specification, which may also be written in snake case."""
    value = found.get(name)
    return found.get(_HUMP.sub(r"_\1", name).lower()) if value is None else value


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        return strict.read_json(texts.whole_json(charsets.decode(body)), _body)
    except codec.UNREADABLE:
        return None


def _visit(raw: delivery.RawDelivery, item: Item, body: Item) -> tuple[str, events.ContactEvent]:
    """Return what one item says; what all of a batch have in common may stand beside them."""
    context = {**_map(body.get("context")), **_map(item.get("context"))}
    properties = _map(item.get("properties"))
    made = ids.body_sha256(msgspec.json.encode(item, order="deterministic"))
    given = _id(_given(item, "messageId")) or made
    visitor = _visitor(item) or _id(_given(item, "userId")) or given
    opened = events.ContactOpen(
        **{
            **outcome.about(raw, MEDIUM, visitor, given),
            "provider_time": _time(item, body, raw.received),
        }
    )
    event = (_text(item.get("event")) or "").strip().lower()
    own = properties if event == SIGNED_UP else {}
    traits = {**own, **_map(context.get("traits")), **_map(item.get("traits"))}
    products = _products(properties)
    change = CART_EVENTS.get(event)
    emptied = change == "ordered" or properties.get("products") == []
    in_cart = change is not None and (emptied or products != [])
    personal = events.VisitSummarisedPersonal(
        handles=_handles(item, traits, raw.rules.region),
        name=_name(traits),
        did=_did(item, [] if in_cart else products),
        pages=_pages(item, properties, context),
        cart=products if in_cart else [],
        cart_is=change if in_cart else None,
        campaign=_campaign(_map(context.get("campaign")) or _map(properties.get("campaign"))),
        text=_written(event, properties),
    )
    named = [msgspec.json.encode([visitor, personal.text])]
    return visitor, outcome.contact_event(raw, events.VisitSummarised, opened, personal, named)


def _written(event: str, properties: Item) -> str:
    """Return what she wrote to the shop."""
    names = (*WRITTEN, "message_body") if event in CHATTED else WRITTEN
    return texts.fit(next((said for name in names if (said := _text(properties.get(name)))), ""))


def _visitor(item: Item) -> str | None:
    """Return what the page calls its visitor; an alias says who was called so before."""
    known = _id(_given(item, "anonymousId"))
    return _id(_given(item, "previousId")) if known is None and _kind(item) == "alias" else known


def _handles(item: Item, traits: Item, region: str | None) -> list[events.Handle]:
    """Return who the page says that she is, the surest first; a browser proves nothing.

    Many shops call a user by her address.
    """
    user, visitor = _id(_given(item, "userId")), _visitor(item)
    called = [_text(traits.get("email")), user, visitor if _kind(item) == "alias" else None]
    address = next((known for each in called if (known := handles.email(each))), None)
    number = handles.phone(_text(traits.get("phone")), region)
    return handles.of_visitor(NAME, address=address, number=number, user=user, visitor=visitor)


def _name(traits: Item) -> str | None:
    parts = [_given(traits, "firstName"), _given(traits, "lastName")]
    joined = " ".join(each for each in parts if isinstance(each, str))
    return texts.line(_text(traits.get("name")) or joined, WORD_MAX_BYTES)


def _did(item: Item, products: list[str]) -> list[str]:
    event = texts.line(_text(item.get("event")), WORD_MAX_BYTES)
    if event is None:
        return []
    return [f"{event}: {', '.join(products)}" if products else event]


def _pages(item: Item, properties: Item, context: Item) -> list[events.SeenPage]:
    """Return the page that was looked at, or on which it was done."""
    viewed = properties if _kind(item) in ("page", "screen") else {}
    about = {**_map(context.get("page")), **viewed}
    url = texts.line(
        (_text(about.get("url")) or "")[:URL_MAX_BYTES].partition("#")[0], URL_MAX_BYTES
    )
    title = texts.line(_text(about.get("title")) or _text(item.get("name")), WORD_MAX_BYTES)
    return [events.SeenPage(url=url, title=title)] if url or title else []


def _products(properties: Item) -> list[str]:
    """Return the names of the products that an event is about."""
    listed = properties.get("products")
    products = (
        listed if isinstance(listed, list) else [properties] if "product_id" in properties else []
    )
    named = (_text(each.get("name")) for each in products[:CART_MAX] if isinstance(each, dict))
    lines = (texts.line(name, WORD_MAX_BYTES) for name in named)
    return [line for line in lines if line is not None]


def _campaign(told: Item) -> list[tuple[str, str]]:
    """Return what brought her; an app tells of a notification's as of a property."""
    return [
        (texts.fit(name, WORD_MAX_BYTES), texts.fit(value, WORD_MAX_BYTES))
        for name, value in sorted(told.items())[:CART_MAX]
        if isinstance(value, str)
    ]


def _time(item: Item, body: Item, received: datetime) -> datetime | None:
    """Return when it was done, by our clock: as long before it came as the browser says that it was before the sending.

    That is the specification's formula for a browser whose clock is wrong. Without `sentAt` it is the browser's time.
    Who received it before us, and says so, has set it right already.
    """
    stamped, original = _instant(item.get("timestamp")), _instant(_given(item, "originalTimestamp"))
    if stamped is not None and (original or _instant(_given(item, "receivedAt"))):
        return stamped
    happened = original or stamped
    sent = _instant(_given(item, "sentAt")) or _instant(_given(body, "sentAt"))
    if happened is None or sent is None:
        return happened
    try:
        return received - max(sent - happened, timedelta(0))
    except OverflowError:
        return happened


def _instant(value: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(_text(value) or "")
        return time.astimezone(UTC) if time.tzinfo is not None else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _id(value: Any) -> str | None:
    return texts.line(str(value), ID_MAX_BYTES) if isinstance(value, str | int) else None


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
