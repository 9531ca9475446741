"""Orders of PrestaShop, as its webservice writes them in JSON, put into the words that the shop channel reads.

PrestaShop sends no webhooks of its own. Its modules for them each have a form of their own; what they share is the
order as the webservice has it, alone or under `order`, some with the customer, her addresses, the rows and the name of
the state beside it.

Sources, read 2026-11: devdocs.prestashop-project.org, "Webservice, Resources: orders", by its stored text: `reference`,
`id_customer`, `current_state`, `date_upd`, `total_paid`, `associations.order_rows`; a vendor's list of the ids that the
states of a new shop have. Customer and address fields (`firstname`, `phone_mobile`) from memory.
"""

from collections.abc import Mapping
from typing import Any

Resource = Mapping[str, Any]

STATES: Mapping[str, str] = {
    "1": "awaiting_check_payment",
    "2": "paid",
    "3": "in_preparation",
    "4": "shipped",
    "5": "delivered",
    "6": "cancelled",
    "7": "refunded",
    "8": "payment_error",
}
"""The states that a new shop has; a shop may add others, and those are told by their number."""

MARKS = frozenset({"id", "reference", "current_state", "id_customer"})
PEOPLE = ("customer", "address_invoice", "address_delivery", "invoice_address", "delivery_address")


def as_order(resource: Resource) -> Resource | None:
    """Return an order in the words of the others; `None` for what is no order of PrestaShop."""
    inner = resource.get("order")
    order = inner if isinstance(inner, dict) else resource
    if not order.keys() >= MARKS:
        return None
    around = {**resource, **order}
    return {
        "id": order["id"],
        "order_key": "prestashop",
        "number": order["reference"] or order["id"],
        "status": _state(around),
        "date_modified_gmt": order.get("date_upd"),
        "date_created_gmt": order.get("date_add"),
        "customer_id": _number(order["id_customer"]),
        **_whose(around),
        "line_items": _rows(order),
        "total": order.get("total_paid"),
        "currency": _word(around.get("currency")) or "",
    }


def _number(value: Any) -> Any:
    """Return an id, which a shop writes as a number or in quotes; 0 of nobody."""
    return 0 if value == "0" else value


def _state(around: Resource) -> str:
    """Return the state's name where it is told, else that of its number."""
    named = around.get("order_state") or around.get("order_state_name")
    name = named.get("name") if isinstance(named, dict) else named
    number = str(around["current_state"])
    return _word(name) or STATES.get(number, f"state {number}")


def _whose(around: Resource) -> Resource:
    """Return the customer and her addresses, each under a name that is read."""
    found = [around[name] for name in PEOPLE if isinstance(around.get(name), dict)]
    places = ("billing", "billing_address", "destination")
    return {place: _person(each) for place, each in zip(places, found, strict=False)}


def _person(given: Resource) -> Resource:
    country = given.get("country_iso") or given.get("country_code")
    return {
        "email": given.get("email"),
        "first_name": given.get("firstname"),
        "last_name": given.get("lastname"),
        "phone": _word(given.get("phone_mobile")) or given.get("phone"),
        "country_code": country,
    }


def _rows(order: Resource) -> list[Resource]:
    associations = order.get("associations")
    rows = associations.get("order_rows") if isinstance(associations, dict) else None
    return [
        {"name": each.get("product_name"), "quantity": each.get("product_quantity", 1)}
        for each in (rows if isinstance(rows, list) else [])
        if isinstance(each, dict)
    ]


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
