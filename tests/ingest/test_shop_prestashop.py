"""Orders of PrestaShop in all the odd ways that its modules write them, and as somebody who means no good would."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import shop
from services.ingest.domain.delivery import WebRequest
from shared import codec
from shared.errors import SignatureInvalid
from tests.ingest.running_ingest import (
    GOLDEN,
    PUBLIC,
    RECEIVED,
    SECRET,
    by_webhook,
    parsed,
    raw,
)

WHOLE = json.loads((GOLDEN / "shop_order_prestashop.json").read_bytes())
ODD = json.loads((GOLDEN / "shop_order_prestashop_odd.json").read_bytes())


def order(around: Any = None, /, **fields: Any) -> Any:
    """The one event of an order with other fields; `around`: what stands beside it."""
    body = {**WHOLE, **(around or {}), "order": {**WHOLE["order"], **fields}}
    (event,) = parsed(raw("shop", json.dumps(body).encode()))
    return event


def test_an_order_as_a_module_of_php_writes_it() -> None:
    """No reference, numbers as numbers, a list with a gap as an object, the state in two languages."""
    (event,) = parsed(raw("shop", json.dumps(ODD).encode()))
    personal = event.personal
    assert (event.open.provider_id, personal.number, event.open.status) == ("7", "7", "wysłane")
    assert personal.description == "3 × Żarówka E27, 1 × LMP-1 37.50"
    assert (personal.name, personal.external_id) == ("Anna Nowak", "3")
    assert [each.value for each in personal.handles] == ["anna@mail.example", "+48600100200"]
    assert event.open.provider_time.isoformat() == "2026-11-22T08:55:02+00:00"


@pytest.mark.parametrize(
    ("paid", "shown"),
    [
        ("149.900000", " 149.90 PLN"),
        (149.9, " 149.90 PLN"),
        (150, " 150.00 PLN"),
        ("-5.000000", " -5.00 PLN"),
        ("149,90", " 149.90 PLN"),
        ("1.234,90", ""),
        ("NaN", ""),
        ("Infinity", ""),
        ("1e999999", ""),
        ("9" * 9_000, ""),
        (True, ""),
        ({"amount": 1}, ""),
        (None, ""),
    ],
)
def test_money_is_shown_in_two_places(paid: Any, shown: str) -> None:
    """The webservice writes six, a module a number; what is no amount is none."""
    said = order(total_paid=paid).personal.description
    assert said == f"1 × Lampa stojąca, 2 × Żarówka E27{shown}"


ROW = {"product_name": "A", "product_quantity": "2"}


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([ROW], "2 × A"),
        ({"0": ROW, "2": {"product_name": "B"}}, "2 × A, 1 × B"),
        ({"order_row": ROW}, "2 × A"),
        ({"order_row": [ROW, ROW]}, "2 × A, 2 × A"),
        ([{"product_quantity": "2", "product_reference": "R-1"}], "2 × R-1"),
        ([{"product_id": "1"}, ROW], "2 × A"),
        ([{**ROW, "product_quantity": {"a": 1}}], "1 × A"),
        ([{**ROW, "product_name": ["A"]}], ""),
        ([], ""),
        ("none", ""),
        ([ROW] * 5_000, "2 × A, 2 × A, 2 × A +4997"),
    ],
)
def test_rows_come_in_several_forms(rows: Any, shown: str) -> None:
    """As a list, by their numbers, as XML has them; of a huge cart the first are shown, and nothing says `None`."""
    said = order(associations={"order_rows": rows}).personal.description
    assert said == f"{shown} 149.90 PLN".strip()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"current_state": None}, "open"),
        ({"current_state": {"id": 2}}, "open"),
        ({"current_state": True}, "open"),
        ({"current_state": "15", "order_state_name": "Доставлено"}, "доставлено"),
        ({"order_state": {"name": [{"id": "1", "value": "Shipped"}]}}, "shipped"),
        ({"order_state": {"name": []}, "current_state": "5"}, "delivered"),
    ],
)
def test_what_is_no_state_is_not_shown_as_one(fields: dict[str, Any], status: str) -> None:
    """A state is a name or a number; of a name in several languages that of the order."""
    assert order(**fields).open.status == status


@pytest.mark.parametrize("nobody", ["0", 0, None, True, {"a": 1}, ""])
def test_an_order_of_nobody_is_of_no_customer(nobody: Any) -> None:
    """0 is a guest; what is no id is none."""
    assert order(id_customer=nobody).personal.external_id is None


def test_a_present_goes_to_somebody_else() -> None:
    """Where her own address is told, that of whom it is sent to says nothing of her."""
    hers = {"firstname": "Anna", "lastname": "Nowak", "phone": "600 100 200", "country_iso": "PL"}
    theirs = {"firstname": "Ewa", "phone_mobile": "700 200 300", "country_iso": "PL"}
    event = order({"address_invoice": hers, "address_delivery": theirs})
    phones = [each.value for each in event.personal.handles if each.kind == "phone"]
    assert phones == ["+48600100200"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("0000-00-00 00:00:00", "2026-11-22T08:55:02+00:00"),
        ("", "2026-11-22T08:55:02+00:00"),
        (1_795_339_740, "2026-11-22T08:55:02+00:00"),
        ("2026-11-22T10:20:30+01:00", "2026-11-22T09:20:30+00:00"),
        ("2099-01-01 00:00:00", None),
    ],
)
def test_a_date_that_is_none_is_not_the_newest(changed: Any, told: str | None) -> None:
    """MySQL's zero is no time, and the next century is a clock's mistake."""
    time = order(date_upd=changed).open.provider_time
    assert (time.isoformat() if time else None) == told


def test_two_shops_may_count_alike() -> None:
    """The same id, reference and moment in another account is another order."""
    delivered = raw("shop", json.dumps(WHOLE).encode())
    (one,), (other,) = parsed(delivered), parsed(replace(delivered, account="second"))
    assert one.open.provider_id == other.open.provider_id
    assert one.id != other.id
    assert one.open.contact_id != other.open.contact_id


@pytest.mark.parametrize(
    "forged",
    [
        {},
        {"webhook-id": "msg_1"},
        {"x-wc-webhook-signature": ""},
        {"x-wc-webhook-signature": "é"},
        by_webhook("another", json.dumps(WHOLE).encode()),
        by_webhook(SECRET, json.dumps(ODD).encode()),
    ],
)
def test_a_forged_order_opens_no_door(forged: dict[str, str]) -> None:
    """No signature, another secret, the signature of another order, one that is too old."""
    body = json.dumps(WHOLE).encode()
    request = WebRequest("POST", "/in/demo/shop/main", list(forged.items()), body, RECEIVED)
    with pytest.raises(SignatureInvalid):
        shop.verify(request, {"signing": SECRET}, PUBLIC)
    good = replace(request, headers=list(by_webhook(SECRET, body).items()))
    shop.verify(good, {"signing": SECRET}, PUBLIC)
    with pytest.raises(SignatureInvalid):
        shop.verify(
            replace(good, received=RECEIVED + timedelta(hours=1)), {"signing": SECRET}, PUBLIC
        )


def test_a_cut_order_is_quarantined() -> None:
    """At whatever byte the connection broke."""
    body = json.dumps(WHOLE).encode()
    for length in range(1, len(body), 97):
        outcome = shop.parse(raw("shop", body[:length]))
        assert getattr(outcome, "code", None) == "payload.unreadable"


STATES = st.sampled_from(["1", "2", "3", "4", "5"])
SECONDS = st.integers(0, 59).map(lambda second: f"2026-11-22 10:20:{second:02}")


@given(history=st.lists(st.tuples(STATES, SECONDS), min_size=1, max_size=8), data=st.data())
def test_deliveries_in_any_order_and_twice_are_the_same_facts(
    history: list[tuple[str, str]], data: st.DataObject
) -> None:
    """Each word and moment is one fact, and each of all is about one order, however it comes."""
    sent = [*history, *data.draw(st.lists(st.sampled_from(history), max_size=4))]
    came = data.draw(st.permutations(sent))
    first, again = (
        {codec.encode(order(current_state=state, date_upd=at)) for state, at in each}
        for each in (history, came)
    )
    assert first == again
    assert len(first) == len(set(history))
