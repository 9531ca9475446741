"""Orders of PrestaShop, as its webservice writes them in JSON, put into the words that the shop channel reads.

PrestaShop sends no webhooks of its own. Its modules for them each have a form of their own; what they share is the
order as the webservice has it, alone or under `order`, some with the customer, her addresses, the rows and the name of
the state beside it.

Sources, read 2026-11: devdocs.prestashop-project.org, "Webservice, Resources: orders", by its stored text: `reference`,
`id_customer`, `current_state`, `date_upd`, `total_paid`, `associations.order_rows`; a vendor's list of the ids that the
states of a new shop have. From memory: customer and address fields (`firstname`, `phone_mobile`), that PHP writes a
list with a gap as an object, and that a text in several languages is a list of `id` and `value`.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from services.ingest.domain import loose

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

MARKS = frozenset({"id", "current_state", "id_customer"})
PEOPLE = ("customer", "address_invoice", "invoice_address")
DELIVERED_TO = ("address_delivery", "delivery_address")
"""Whose these are is hers only where nothing else is told: a present goes to somebody else."""
CENT = Decimal("0.01")
MONEY_MAX_CHARACTERS = 24
"""What is longer is no amount: 28 digits are counted."""


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
        "number": loose.identity(order.get("reference")) or order["id"],
        "status": _state(around),
        "date_modified_gmt": order.get("date_upd"),
        "date_created_gmt": order.get("date_add"),
        "customer_id": _customer(order["id_customer"]),
        **_whose(around),
        "line_items": _rows(order),
        "total": _money(order.get("total_paid")),
        "currency": _word(around.get("currency")) or "",
    }


def _customer(value: Any) -> str | int:
    """Return the id of the customer, which a shop writes as a number or in quotes; 0 of nobody."""
    found = loose.identity(value)
    return 0 if found in (None, "0") else found or 0


def _state(around: Resource) -> str | None:
    """Return the state's name where it is told, else that of its number."""
    named = around.get("order_state") or around.get("order_state_name")
    told = _word(named.get("name") if isinstance(named, dict) else named, around.get("id_lang"))
    number = loose.identity(around["current_state"])
    return told or (None if number is None else STATES.get(number, f"state {number}"))


def _whose(around: Resource) -> Resource:
    """Return the customer and her address, each under a name that is read."""
    found = [around[name] for name in PEOPLE if isinstance(around.get(name), dict)]
    if len(found) < len(PEOPLE) - 1:
        found += [around[name] for name in DELIVERED_TO if isinstance(around.get(name), dict)]
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
    """Return what was ordered: rows in a list, by their numbers, or as XML has them, one or several under one name."""
    rows = loose.table(order.get("associations")).get("order_rows")
    if isinstance(rows, dict):
        inner = rows.get("order_row", rows)
        rows = [inner] if "product_quantity" in loose.table(inner) else inner
    if isinstance(rows, dict):
        rows = list(rows.values())
    return [
        {
            "name": _word(each.get("product_name")) or _word(each.get("product_reference")),
            "quantity": each.get("product_quantity", 1),
        }
        for each in loose.tables(rows)
    ]


def _money(value: Any) -> str | None:
    """Return an amount in two places, which the webservice writes in six, and a module as a number or with a comma."""
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    written = str(value).replace(",", ".") if is_plain else ""
    try:
        amount = Decimal(written[: MONEY_MAX_CHARACTERS + 1])
        shown = amount.is_finite() and len(written) <= MONEY_MAX_CHARACTERS
        return str(amount.quantize(CENT)) if shown else None
    except InvalidOperation:
        return None


def _word(value: Any, language: Any = None) -> str | None:
    """Return a text that says something; of one in several languages that of the order, else the first."""
    if isinstance(value, list):
        wanted = loose.identity(language)
        told = sorted(
            loose.tables(value), key=lambda each: loose.identity(each.get("id")) != wanted
        )
        value = told[0].get("value") if told else None
    return value if isinstance(value, str) and value.strip() else None
