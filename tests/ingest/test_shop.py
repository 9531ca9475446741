"""Orders of a shop, by the webhooks of Shopify and WooCommerce, and of PrestaShop's modules."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import shop
from services.ingest.channels.shapes import prestashop_orders, shop_resources
from services.ingest.domain.delivery import WebRequest
from services.ingest.domain.outcome import Ignored, Quarantined
from shared import ids
from shared.errors import SignatureInvalid
from tests.ingest.running_ingest import (
    GOLDEN,
    PUBLIC,
    RECEIVED,
    SECRET,
    Sample,
    by_webhook,
    parsed,
    raw,
    wire,
)

SHOPIFY = (GOLDEN / "shop_order_updated.json").read_bytes()
WOOCOMMERCE = (GOLDEN / "shop_order_completed.json").read_bytes()
PRESTASHOP = (GOLDEN / "shop_order_prestashop.json").read_bytes()
JSON = ("content-type", "application/json")


def by_shopify(secret: str, body: bytes) -> dict[str, str]:
    """The header fields of Shopify."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"x-shopify-hmac-sha256": base64.b64encode(digest).decode()}


SAMPLE = Sample(SHOPIFY, by_shopify, [JSON, ("x-shopify-topic", "orders/updated")])


def changed(body: bytes, **fields: Any) -> bytes:
    """An order with other fields."""
    return msgspec.json.encode({**msgspec.json.decode(body), **fields})


def order(body: bytes) -> Any:
    """The one event of an order."""
    (event,) = parsed(raw("shop", body))
    return event


def test_every_field_of_an_order() -> None:
    """Number, status, whose it is and when it changed, by the shop; what the shop has verified is proved."""
    event = order(SHOPIFY)
    contact = ids.scoped_id("contact", "demo", "shop/main", "order/4508123456789")
    assert wire(event)["data"] == {
        "open": {
            "contact_id": contact,
            "medium": "shop",
            "channel": "shop",
            "account": "main",
            "provider_id": "4508123456789",
            "provider_time": "2026-11-22T09:15:30Z",
            "automatic": False,
            "numbered": None,
            "status": "partial",
        },
        "personal": {
            "handles": [
                {
                    "kind": "email",
                    "value": "anna@mail.example",
                    "verified": True,
                    "proof": "proved",
                },
                {
                    "kind": "phone",
                    "value": "+48600100200",
                    "verified": False,
                    "proof": "delivered",
                },
            ],
            "name": "Anna Nowak",
            "number": "1001",
            "description": "1 × Floor lamp - black, 2 × Bulb E27 149.90 PLN",
            "external_id": "207119551",
        },
    }
    assert (event.type, event.aggregate) == ("order.changed", f"contact-{contact}")


def test_an_order_of_a_guest() -> None:
    """WooCommerce: a time in GMT without a zone, and no customer; a national number is one of her country."""
    event = order(WOOCOMMERCE)
    assert str(event.open.provider_time) == "2026-11-22 09:30:35+00:00"
    assert (event.personal.number, event.open.status) == ("727", "completed")
    assert (event.personal.name, event.personal.external_id) == ("Eva Horváthová", None)
    known = [each.value for each in event.personal.handles]
    assert known == ["eva@mail.example", "+421905123456"]


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("SK", "+421905123456"),
        ("sk", "+421905123456"),
        ("HU", "+36905123456"),
        ("", "+48905123456"),
    ],
)
def test_a_national_number_is_one_of_the_country_that_it_was_given_with(
    country: str, number: str
) -> None:
    """WooCommerce writes a code into `country`; read in the shop's own country her number is somebody else's."""
    billing = {"first_name": "Eva", "phone": "905 123 456", "country": country}
    delivered = raw("shop", changed(WOOCOMMERCE, billing=billing))
    rules = msgspec.structs.replace(delivered.rules, region="PL")
    (event,) = parsed(replace(delivered, rules=rules))
    assert [each.value for each in event.personal.handles if each.kind == "phone"] == [number]


def test_an_order_of_prestashop() -> None:
    """As its webservice writes it: the reference is the number that she knows; numbers stand in quotes."""
    event = order(PRESTASHOP)
    assert str(event.open.provider_time) == "2026-11-22 10:20:30+00:00"
    assert (event.open.provider_id, event.open.status) == ("4711", "shipped")
    personal = event.personal
    assert (personal.number, personal.name, personal.external_id) == (
        "XKBKNABJK",
        "Anna Nowak",
        "318",
    )
    assert [(each.kind, each.value, each.proof) for each in personal.handles] == [
        ("email", "anna@mail.example", "delivered"),
        ("phone", "+48600100200", "delivered"),
    ]
    assert personal.description == "1 × Lampa stojąca, 2 × Żarówka E27 149.90 PLN"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"current_state": 2}, "paid"),
        ({"current_state": "6"}, "cancelled"),
        ({"current_state": "15"}, "state_15"),
        ({"current_state": "15", "order_state": {"name": "Czeka na odbiór"}}, "czeka_na_odbiór"),
        ({"current_state": "5", "order_state_name": "Delivered"}, "delivered"),
    ],
)
def test_a_state_of_prestashop(fields: dict[str, Any], status: str) -> None:
    """By its name where the module tells it; a number that the shop added is told as it is."""
    bare = {**msgspec.json.decode(PRESTASHOP)["order"], **fields}
    assert order(msgspec.json.encode(bare)).open.status == status


def test_an_order_of_prestashop_without_a_customer_beside_it() -> None:
    """Her id alone says whose it is; that of nobody does not."""
    bare = msgspec.json.decode(PRESTASHOP)["order"]
    event = order(msgspec.json.encode(bare))
    assert (event.personal.handles, event.personal.external_id) == ([], "318")
    guest = order(msgspec.json.encode({**bare, "id_customer": "0"}))
    assert guest.personal.external_id is None


def test_each_change_of_an_order_is_a_fact_and_its_repetition_is_not() -> None:
    """The same order at another time, or with another status, is another fact under the same id of the shop."""
    first, again = order(SHOPIFY), order(SHOPIFY)
    later = order(changed(SHOPIFY, updated_at="2026-11-22T11:00:00+01:00"))
    paid = order(changed(SHOPIFY, fulfillment_status=None))
    assert first.id == again.id
    assert len({first.id, later.id, paid.id}) == 3
    assert len({first.open.provider_id, later.open.provider_id, paid.open.provider_id}) == 1


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"fulfillment_status": None}, "paid"),
        ({"fulfillment_status": "fulfilled"}, "fulfilled"),
        ({"financial_status": "partially_refunded"}, "partially_refunded"),
        ({"cancelled_at": "2026-11-22T10:00:00Z"}, "cancelled"),
        ({"fulfillment_status": None, "financial_status": None}, "open"),
        ({"fulfillment_status": "On Hold"}, "on_hold"),
    ],
)
def test_the_status_is_the_word_that_says_most(fields: dict[str, Any], status: str) -> None:
    """Cancelled before sent back, before sent, before paid."""
    assert order(changed(SHOPIFY, **fields)).open.status == status


def test_a_parcel_tells_of_its_order() -> None:
    """The number without the parcel's own, and how it travels."""
    parcel = {
        "id": 255858046,
        "order_id": 4508123456789,
        "name": "#1001.1",
        "status": "success",
        "shipment_status": None,
        "tracking_company": "DPD",
        "tracking_number": "1Z2345",
        "updated_at": "2026-11-22T12:00:00+01:00",
        "destination": {"first_name": "Anna", "email": "anna@mail.example"},
    }
    event = order(msgspec.json.encode(parcel))
    assert (event.personal.number, event.open.status) == ("1001", "shipped")
    assert (event.personal.description, event.personal.name) == ("DPD 1Z2345", "Anna")
    parcel["shipment_status"] = "in_transit"
    assert order(msgspec.json.encode(parcel)).open.status == "in_transit"


@pytest.mark.parametrize(
    ("topic", "body", "outcome"),
    [
        ("products/update", b'{"id": 1}', Ignored("product")),
        ("order.deleted", b'{"id": 727}', Ignored("order.deleted")),
        ("orders/delete", b'{"id": 820982911946154508}', Ignored("orders/delete")),
        ("orders/edited", b'{"order_edit": {"id": 1, "order_id": 2}}', Ignored("orders/edited")),
        ("themes/publish", b'{"id": 1}', Ignored("theme")),
        ("app/uninstalled", b'{"id": 1, "name": "Lamps"}', Ignored("app")),
        ("inventory_levels/update", b'{"inventory_item_id": 1}', Ignored("inventory")),
        ("orders/updated", b'{"hello": 1}', Quarantined("payload.unreadable", "order")),
        ("lamps/lit", b'{"id": 1}', Quarantined("payload.kind_unknown", "lamps/lit")),
        ("", b'{"id": 1, "product_type": "", "variants": []}', Ignored("product")),
        ("", b'{"action": "woocommerce_add_to_cart", "arg": "1"}', Ignored("action")),
        ("", b'{"hello": 1}', Quarantined("payload.not_an_event")),
        ("", b"webhook_id=12", Ignored("ping")),
        ("", b"[1]", Quarantined("payload.unreadable")),
        ("", b'{"id": {}, "financial_status": 1}', Quarantined("payload.unreadable", "order")),
    ],
)
def test_what_is_no_order(topic: str, body: bytes, outcome: Any) -> None:
    """Other kinds are ignored by name, by the topic or by their fields; what nobody documents is kept."""
    headers = [("x-wc-webhook-topic", topic)] if topic else []
    assert shop.parse(raw("shop", body, headers=headers)) == outcome


OTHERS = [
    json.loads(line)
    for name in ("shop_others.jsonl", "shop_others_rest.jsonl")
    for line in (GOLDEN / name).read_text("utf-8").splitlines()
]


def test_whatever_is_known_by_its_fields_is_in_the_table_of_kinds() -> None:
    """And so is whatever a topic leads to."""
    known = {name for name, _ in shop_resources.MARKS}
    assert known | set(shop_resources.TOPIC_RESOURCES.values()) <= set(shop.KINDS)


@pytest.mark.parametrize(("kind", "resource"), OTHERS, ids=[kind for kind, _ in OTHERS])
def test_what_else_a_shop_sends_is_known_by_its_fields(kind: str, resource: Any) -> None:
    """Where a header names no topic, as in what somebody kept of a delivery."""
    assert shop.parse(raw("shop", json.dumps(resource).encode())) == Ignored(kind)


def test_an_order_without_a_number_is_known_by_its_id() -> None:
    """Some programs send on no more of it than they need."""
    body = msgspec.json.decode(SHOPIFY)
    for name in ("name", "order_number", "number", "financial_status"):
        body.pop(name, None)
    body.setdefault("billing_address", {"first_name": "Anna"})
    assert order(msgspec.json.encode(body)).personal.number == "4508123456789"


@pytest.mark.parametrize("given", [True, 4.5, "", None, [], {}])
def test_what_is_no_id_names_no_order(given: Any) -> None:
    """A truth is no number, though it counts as one."""
    found = shop.parse(raw("shop", changed(SHOPIFY, id=given)))
    assert found == Quarantined("payload.unreadable", "order")


def test_an_order_by_the_older_api_of_woocommerce() -> None:
    """A shop may still choose it for its webhooks: the order stands under its name, with other fields."""
    body = (GOLDEN / "shop_order_legacy.json").read_bytes()
    (event,) = parsed(raw("shop", body, headers=[("x-wc-webhook-topic", "order.updated")]))
    personal = event.personal
    assert (event.open.provider_id, event.open.status) == ("645", "completed")
    assert str(event.open.provider_time) == "2026-11-22 09:00:22+00:00"
    assert (personal.number, personal.external_id, personal.name) == ("645", "2", "Eva Horváthová")
    known = [each.value for each in personal.handles]
    assert known == ["eva@mail.example", "+421905123456"]
    assert personal.description == "2 × Lamp 79.87 EUR"


def test_two_endless_ids_stay_two_orders() -> None:
    """Neither is cut to what both begin with."""
    one, other = (order(changed(SHOPIFY, id="9" * 200 + last)) for last in "12")
    assert one.open.provider_id != other.open.provider_id
    assert one.id != other.id


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Доставлено", "доставлено"),
        ("配達済み", "配達済み"),
        ("Odebra\u0301na — dzie\u0144", "odebrána_dzień"),
        ("—", "open"),
        ("x" * 99, "x" * 32),
        ("a\0b", "a_b"),
    ],
)
def test_a_status_is_a_word_in_whatever_script(word: str, status: str) -> None:
    """A shop that writes Cyrillic has not all its orders open; only what is no word becomes `open`."""
    assert order(changed(WOOCOMMERCE, status=word)).open.status == status


def test_a_time_ahead_of_all_clocks_is_none() -> None:
    """Else nothing that comes after it would be the newest. That of another zone is within a day."""
    far = changed(WOOCOMMERCE, date_modified_gmt="2099-01-01T00:00:00")
    assert order(far).open.provider_time is None
    zone = changed(WOOCOMMERCE, date_modified_gmt="2026-11-22T21:30:00")
    assert order(zone).open.provider_time is not None


def verified(body: bytes, headers: dict[str, str]) -> bool:
    request = WebRequest("POST", "/in/demo/shop/main", list(headers.items()), body, RECEIVED)
    try:
        shop.verify(request, {"signing": SECRET}, PUBLIC)
    except SignatureInvalid:
        return False
    return True


def test_either_shops_signature_opens_the_door() -> None:
    """The same HMAC under two names; a trial of the address has none, and nothing else goes without."""
    (value,) = by_shopify(SECRET, WOOCOMMERCE).values()
    assert verified(WOOCOMMERCE, {"x-wc-webhook-signature": value})
    assert not verified(WOOCOMMERCE, {"x-wc-webhook-signature": value.lower()})
    assert verified(b"webhook_id=12", {})
    assert not verified(b"webhook_id=12&id=3", {})
    assert verified(PRESTASHOP, by_webhook(SECRET, PRESTASHOP))
    assert not verified(PRESTASHOP, by_webhook("another", PRESTASHOP))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from([*sorted(msgspec.json.decode(SHOPIFY)), *sorted(msgspec.json.decode(WOOCOMMERCE))])  # fmt: skip


BARE = msgspec.json.decode(PRESTASHOP)["order"]
INNER = st.sampled_from([*sorted(BARE), *prestashop_orders.PEOPLE, "order_rows"])


@given(fields=st.dictionaries(INNER, LEAVES | st.lists(LEAVES) | st.dictionaries(INNER, LEAVES)))
def test_no_field_of_prestashop_makes_it_fail(fields: dict[str, Any]) -> None:
    """Bare or under `order`, whatever stands in a field."""
    bare = {**BARE, **fields}
    for body in (bare, {"order": bare, **fields}):
        shop.parse(raw("shop", msgspec.json.encode(body)))


@given(fields=st.dictionaries(NAMES, LEAVES | st.lists(LEAVES) | st.dictionaries(NAMES, LEAVES)))
def test_no_field_makes_it_fail(fields: dict[str, Any]) -> None:
    """Whatever stands in a field, the order is read, or it is quarantined."""
    body = {**msgspec.json.decode(SHOPIFY), **fields}
    shop.parse(raw("shop", msgspec.json.encode(body)))
