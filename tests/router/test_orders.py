"""What a shop's systems report of orders stands with the customer: she is registered by it, the newest word counts."""

from datetime import timedelta

from msgspec.structs import replace

from shared import aggregates, ids
from shared.events import EventId, OrderChanged
from shared.policy import Account
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import NOON, a_policy, call, mail, order, phone, visit

LATER = NOON + timedelta(hours=2)


async def told(router: InMemoryRouter, event: OrderChanged) -> list[tuple[str, str]]:
    """What an order adds to the ledger, each type with the kind of its aggregate."""
    before = await router.ledger.position()
    await router.happens(event)
    added = [each.event for each in await router.recorded(after=before)]
    return [(each.type, aggregates.split(each.aggregate)[0]) for each in added]


def of_account(account: str, event: OrderChanged) -> OrderChanged:
    """The same from another shop."""
    opened = replace(event.open, account=account)
    named = EventId(ids.scoped_id("order", account, event.id))
    return replace(event, id=named, data=replace(event.data, open=opened))


async def test_an_order_registers_whose_it_is(router: InMemoryRouter) -> None:
    """Who calls afterwards is known, with her order; her other handle as well."""
    types = await told(router, order("open", handles=[mail(), phone()]))
    assert types[:2] == [("customer.created", "cust"), ("order.changed", "cust")]
    await router.happens(call("started"))
    customer = await router.customer()
    assert (customer.name, customer.provisional, customer.external_id) == (
        "Anna Nowak",
        False,
        "77",
    )
    assert [(each.number, each.status) for each in customer.orders.values()] == [("1001", "open")]


async def test_the_newest_word_counts_by_the_shops_time(router: InMemoryRouter) -> None:
    """What comes late says nothing of how it stands: it is kept on the account's journal."""
    await told(router, order("paid", handles=[mail(), phone()]))
    assert await told(router, order("shipped", at=LATER)) == [("order.changed", "cust")]
    late = order("packed", at=NOON + timedelta(hours=1))
    assert await told(router, late) == [("order.changed", "chan")]
    await router.happens(call("started"))
    assert [each.status for each in (await router.customer()).orders.values()] == ["shipped"]


async def test_of_two_words_of_one_second_the_later_to_come_counts(router: InMemoryRouter) -> None:
    """Placed and paid within one second of the shop's clock: it is paid. What is repeated changes nothing."""
    words = [order("awaiting_payment", handles=[mail(), phone()]), order("paid")]
    for word in words:
        assert ("order.changed", "cust") in await told(router, word)
    assert await told(router, words[0]) == []
    await router.happens(call("started"))
    assert [each.status for each in (await router.customer()).orders.values()] == ["paid"]


async def test_two_shops_count_their_customers_alike_and_they_are_two() -> None:
    """Each numbers from 1. Who is 77 in the second shop is not whom the first calls so, and who 77 is in the first shop
    is whom `register_customer` calls so. Ordering again, each is the same as before."""
    known = a_policy()
    shops = {name: Account(queue="hotline") for name in ("shop/orders", "shop/second")}
    router = InMemoryRouter(replace(known, accounts={**known.accounts, **shops}))
    hers = order("open", handles=[mail()])
    theirs = of_account("second", order("open", handles=[phone()], name="Ewa Kowal"))
    again = of_account("second", order("shipped", at=LATER, handles=[], name=None))
    for each in (hers, theirs, again):
        assert ("order.changed", "cust") in await told(router, each)
    await router.happens(call("started"))
    eva = await router.customer()
    assert (eva.name, eva.external_id) == ("Ewa Kowal", "second/77")
    assert [each.status for each in eva.orders.values()] == ["shipped"]
    assert [each.value for each in eva.handles] == [phone().value]


async def test_an_order_without_a_name_is_of_whom_its_address_leads_to(
    router: InMemoryRouter,
) -> None:
    """A parcel's report names nobody; it makes nobody another person."""
    await told(router, order("paid"))
    unnamed = order("shipped", at=LATER, name=None, external_id=None)
    assert await told(router, unnamed) == [("order.changed", "cust")]


async def test_an_order_of_nobody_stands_on_its_account(router: InMemoryRouter) -> None:
    """At the till: no address, no customer. Nothing is lost, and nobody is made up."""
    unknown = order("paid", handles=[], name=None, external_id=None)
    assert await told(router, unknown) == [("order.changed", "chan")]
    assert await router.conversations() == []


async def test_a_visit_asks_for_nothing(router: InMemoryRouter) -> None:
    """It stands where a proved handle leads, else on its account; it opens nothing, and nobody waits because of it."""
    assert await router.happens(visit("v1", handles=[phone()])) == ["visit.summarised"]
    assert await router.conversations() == []
    await router.owned_by("piotr", call("started"))
    assert await router.happens(visit("v2", handles=[phone()])) == ["visit.summarised"]
    it = await router.conversation()
    assert it.waiting_contact is None
    recorded = [each.event for each in await router.recorded()]
    visits = [each.aggregate for each in recorded if each.type == "visit.summarised"]
    assert [aggregates.split(each)[0] for each in visits] == ["chan", "conv"]
