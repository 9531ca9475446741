"""Nobody walks into another's matter: mistakes put right, sessions, numbers, merged calls, our own programs."""

import pytest
from msgspec.structs import replace

from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.proved import registered
from tests.router.samples import ANNA, ANNA_MAIL, PARCEL, call, mail, message, phone

OLEK = "olek@customer.example"
OLEK_PHONE = "+48600100999"
NEW = "+48600777888"
CLAIMED = [mail(proof="claimed")]
PROVED = [mail(proof="proved")]


async def merged_call(router: InMemoryRouter) -> None:
    """Anna calls from a number that nobody knows; she is confirmed, and the call goes on in her open matter."""
    anna = await registered(router, "Anna", email=ANNA_MAIL)
    it = await router.owned_by("piotr", call("started", handles=[phone(NEW)]))
    await router.happens(call("started", "CA2", handles=[phone(NEW)]))
    await router.does("piotr", "set_status", status="away")
    await router.happens(message("my lamp", channel="email"))
    await router.does("piotr", "confirm_customer", conversation=it, customer=anna)
    first, second = await router.conversations()
    assert first.into == second.id


@pytest.mark.parametrize("kind", ["ended", "menu"])
async def test_what_is_reported_of_a_merged_call_reaches_the_matter(
    router: InMemoryRouter, kind: str
) -> None:
    """It is not lost in the conversation that ended by the merge."""
    await merged_call(router)
    before = (await router.conversations())[0].sequence
    await router.happens(call(kind, handles=[phone(NEW)], digits="2", k=1))
    first, second = await router.conversations()
    assert first.sequence == before
    if kind == "ended":
        assert [each.over for each in second.contacts.by_id.values()] == [True, False, False]
    else:
        assert "a parcel" in [each.value for each in second.matter.facts.values()]


async def test_a_merged_call_that_is_lost_is_owed_where_somebody_looks(
    router: InMemoryRouter,
) -> None:
    """And nobody is asked to take what was hung up, nor the mail that its owner has."""
    await merged_call(router)
    for name in ("CA1", "CA2"):
        await router.happens(call("ended", name, handles=[phone(NEW)], k=1))
    first, second = await router.conversations()
    assert not first.matter.callbacks
    assert [each.status for each in second.matter.callbacks.values()] == ["open"]
    await check(router)
    await router.does("piotr", "set_status", status="available")
    assert await router.offers() == []


async def test_confirming_takes_no_number_from_whom_it_is_registered_to(
    router: InMemoryRouter,
) -> None:
    """In Anna's call an agent confirms Olek: her number stays hers, and her next call too."""
    anna = await registered(router, "Anna", phone=ANNA)
    olek = await registered(router, "Olek", email=OLEK)
    it = await router.owned_by("piotr", call("started", handles=[phone(proof="proved")]))
    await router.does("piotr", "confirm_customer", conversation=it, customer=olek)
    await router.happens(
        call("ended", k=1), call("started", "CA2", handles=[phone(proof="proved")])
    )
    first, second = await router.conversations()
    assert (first.customer, second.customer) == (olek, anna)


async def test_what_was_put_right_leads_neither_of_them_to_the_other(
    router: InMemoryRouter,
) -> None:
    """A chat was confirmed as Olek's by mistake, then as Anna's: what he does next is his own matter."""
    anna = await registered(router, "Anna", phone=ANNA)
    olek = await registered(router, "Olek", phone=OLEK_PHONE)
    it = await router.owned_by("piotr", message("my secret", "s1", handles=CLAIMED))
    await router.does("piotr", "confirm_customer", conversation=it, customer=olek)
    await router.does("piotr", "confirm_customer", conversation=it, customer=anna)
    await router.happens(call("started", handles=[phone(OLEK_PHONE, "proved")]))
    first, second = await router.conversations()
    assert (first.customer, second.customer) == (anna, olek)


@pytest.mark.parametrize("known", [False, True])
async def test_a_claim_in_between_opens_nobodys_session(
    router: InMemoryRouter, known: bool
) -> None:
    """Anna signed in, somebody typed an address, Olek signs in: one browser, and his words are his own matter."""
    if known:
        await registered(router, "Anna", email=ANNA_MAIL)
    await router.happens(
        message("mine", "s1", handles=PROVED),
        message("typed", "s1", k=1, handles=[mail("x@y.example", "claimed")]),
        message("his", "s1", k=2, handles=[mail(OLEK, "proved")]),
    )
    said = [{each.text for each in it.talk.said} for it in await router.conversations()]
    assert said == [{"mine", "typed"}, {"his"}]


async def test_of_two_who_share_a_mailbox_neither_enters_a_third_persons_matter(
    router: InMemoryRouter,
) -> None:
    """Whoever it is of the two, she is somebody else: the parcel that she names is shown, not joined."""
    shared = "family@customer.example"
    await registered(router, "Anna", email=shared, phone=ANNA)
    await registered(router, "Jan", email=shared)
    await registered(router, "Maria", email=OLEK)
    await router.happens(message(f"parcel {PARCEL}", channel="email", handles=[mail(OLEK)]))
    await router.happens(message(f"mine: {PARCEL}", "m2", channel="email", handles=[mail(shared)]))
    assert [len(it.contacts.by_id) for it in await router.conversations()] == [1, 1]


async def test_a_program_of_the_shops_own_domain_is_nobody(router: InMemoryRouter) -> None:
    """Its form's mailer writes for everybody: two of its mails are of two people."""
    own = [mail("wordpress@shop.example")]
    await router.happens(
        message("one", "m1", channel="email", handles=own),
        message("two", "m2", channel="email", handles=own),
    )
    first, second = await router.conversations()
    assert first.customer != second.customer


async def test_a_shop_that_writes_from_free_mail_has_customers_there(
    router: InMemoryRouter,
) -> None:
    """Its provider's domain is not its own: whoever writes from there is known again."""
    account = router.policy.accounts["email/shop"]
    policy = replace(
        router.policy,
        accounts={
            **router.policy.accounts,
            "email/shop": replace(account, address="lamps@gmail.com"),
        },
    )
    router = InMemoryRouter(policy)
    hers = [mail("anna@gmail.com")]
    await router.happens(
        message("one", "m1", channel="email", handles=hers),
        message("two", "m2", channel="email", handles=hers),
    )
    assert [len(it.contacts.by_id) for it in await router.conversations()] == [2]
