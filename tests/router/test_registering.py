"""A shop tells its customers, and tells them again: who is the same person, and who is another one."""

from typing import Any

import pytest

from services.router.domain import folds
from shared.customer import Customer
from shared.events import (
    CommandNoted,
    CustomerCreated,
    IdentityClaimed,
    IdentityShared,
    OrderChanged,
)
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import ANNA, ANNA_MAIL, call, mail, message, phone

SECOND = "+48600000009"


async def tells(router: InMemoryRouter, name: str, *values: str, **fields: Any) -> Customer:
    """The shop registers a customer by verified handles, with whatever is in `fields`; return her as she is known."""
    handles = [
        {"kind": "email" if "@" in each else "phone", "value": each, "verified": True}
        for each in values
    ]
    await router.does("service:shop", "register_customer", name=name, handles=handles, **fields)
    customer: Customer = await router.load(
        folds.CUSTOMER, router.done.events[0].aggregate.removeprefix("cust-")
    )
    return customer


async def leads_to(router: InMemoryRouter, name: str, **fields: Any) -> Any:
    """Return whose conversation a call opens or joins."""
    await router.happens(call("started", name, **fields))
    return (await router.conversations())[-1].customer


async def test_a_sync_that_knows_one_more_address_tells_of_the_same_customer(
    router: InMemoryRouter,
) -> None:
    """She has both handles, and each still leads to her."""
    first = await tells(router, "Anna", ANNA)
    second = await tells(router, "Anna", ANNA, ANNA_MAIL)
    assert (second.id, [each.value for each in second.handles]) == (first.id, [ANNA, ANNA_MAIL])
    assert await router.all(IdentityShared) == []
    assert await leads_to(router, "CA1", handles=[phone()]) == first.id
    await router.happens(message("hello", "m1", channel="email", handles=[mail()]))
    assert (await router.conversation()).customer == first.id


async def test_what_the_shop_says_again_changes_nothing(router: InMemoryRouter) -> None:
    """The daily sync of all customers: no second event of who she is, and no refusal."""
    orders = [{"number": "ORD-1234", "status": "open"}]
    first = await tells(router, "Anna", ANNA, orders=orders)
    second = await tells(router, "anna ", ANNA, orders=orders, external_id="7")
    third = await tells(router, "anna ", ANNA, orders=orders)
    assert first.id == second.id == third.id
    assert (third.name, third.external_id) == ("anna ", "7")
    kinds = [type(each.event) for each in await router.recorded()]
    assert (kinds.count(CustomerCreated), kinds.count(OrderChanged)) == (2, 1)
    noted = [each.aggregate == f"cust-{first.id}" for each in await router.all(CommandNoted)]
    assert (kinds.count(IdentityClaimed), noted) == (2, [False, True, False])


async def test_the_status_of_an_order_is_told_again(router: InMemoryRouter) -> None:
    """Whoever is called sees it as it stands; what else is known of her is left as it was."""
    await tells(router, "Anna", ANNA, language="pl", orders=[{"number": "1", "status": "open"}])
    again = await tells(router, "Anna", ANNA, orders=[{"number": "1", "status": "sent"}])
    assert (again.orders["1"].status, again.language) == ("sent", "pl")


@pytest.mark.parametrize(
    ("before", "after", "handles"),
    [
        ("Anna Nowak", "Anna Nowak-Kowalska", [ANNA]),
        ("Nowak", "Anna Nowak", [ANNA_MAIL]),
        ("Anna Nowak", "Anna Kowalska", [ANNA, ANNA_MAIL]),
    ],
)
async def test_a_name_that_was_mended_is_the_same_customers(
    router: InMemoryRouter, before: str, after: str, handles: list[str]
) -> None:
    """All her handles come with it, and are nobody else's."""
    first = await tells(router, before, *handles)
    second = await tells(router, after, *handles)
    assert (second.id, second.name) == (first.id, after)
    assert await router.all(IdentityShared) == []


@pytest.mark.parametrize(
    ("one", "other", "hers", "his"),
    [
        ("Anna Nowak", "Jan Nowak", [ANNA, ANNA_MAIL], [ANNA]),
        ("Anna Nowak", "Jan Nowak", [ANNA, ANNA_MAIL], [ANNA, ANNA_MAIL]),
        ("Anna Nowak", "Anna Kowalska", [ANNA], [ANNA]),
        ("Anna Nowak", "Anna Nowak-Kowalska", [ANNA, ANNA_MAIL], [ANNA]),
    ],
)
async def test_a_family_or_a_firm_is_several_people(
    router: InMemoryRouter, one: str, other: str, hers: list[str], his: list[str]
) -> None:
    """Another name with handles of hers shares them, and either one is told anew without a third."""
    first, second = await tells(router, one, *hers), await tells(router, other, *his)
    assert first.id != second.id
    shared = await router.all(IdentityShared)
    assert [each.open.customers for each in shared] == [[first.id, second.id]] * len(his)
    assert (await tells(router, one, *hers)).id == first.id
    assert (await tells(router, other, *his, SECOND)).id == second.id
    assert len(await router.all(IdentityShared)) == len(shared)
    assert await leads_to(router, "CA1", handles=[phone(SECOND)]) == second.id


async def test_the_shops_own_id_decides_before_names_and_handles(router: InMemoryRouter) -> None:
    """Mother and daughter of one name and number are two; whoever has another name and number is still herself."""
    mother = await tells(router, "Anna Nowak", ANNA, external_id="1")
    daughter = await tells(router, "Anna Nowak", ANNA, external_id="2")
    assert mother.id != daughter.id
    married = await tells(router, "Anna Kowalska", SECOND, external_id="2")
    assert (married.id, [each.value for each in married.handles]) == (daughter.id, [SECOND, ANNA])
    assert await leads_to(router, "CA1", handles=[phone(SECOND)]) == daughter.id


async def test_an_id_of_the_shop_that_comes_later_is_learned(router: InMemoryRouter) -> None:
    """And it brings along what a stranger wrote from an address that turns out to be hers."""
    anna = await tells(router, "Anna", ANNA)
    assert (await tells(router, "Anna", ANNA, external_id="7")).id == anna.id
    await router.happens(message("hello", "m1", channel="email"))
    assert (await tells(router, "Ania", ANNA_MAIL, external_id="7")).id == anna.id
    assert (await router.conversation()).customer == anna.id
