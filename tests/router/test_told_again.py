"""A contact that stands in the ledger is known again by its id, wherever its handles lead by now."""

import pytest

from shared import events
from tests.router.in_memory_router import InMemoryRouter
from tests.router.proved import registered
from tests.router.samples import ANNA, ANNA_MAIL, call, form, mail, message, phone


async def told_again(router: InMemoryRouter, event: events.InboundEvent) -> None:
    """It comes again to a router that was started since; in its stream everything is forgotten but the ledger."""
    before = await router.ledger.position()
    router.ledger.forget_ids()
    router.restart()
    await router.intake.take(event)
    assert await router.ledger.position() == before


@pytest.mark.parametrize(
    "event",
    [message("two", "m2", channel="email"), form("two", "f2", handles=[mail()])],
    ids=["mail", "form"],
)
async def test_what_joined_is_known_again_after_its_address_became_shared(
    router: InMemoryRouter, event: events.InboundEvent
) -> None:
    """The router died between the append and the acknowledgement; meanwhile her husband was registered with it too."""
    await registered(router, "Anna", email=ANNA_MAIL)
    await router.happens(message("one", "m1", channel="email"), event)
    await registered(router, "Jan", email=ANNA_MAIL)
    await told_again(router, event)


async def test_what_went_on_in_another_conversation_is_known_again(router: InMemoryRouter) -> None:
    """Her call was merged into her matter, where its end is told; then her number became shared."""
    anna = await registered(router, "Anna", email=ANNA_MAIL)
    it = await router.owned_by("piotr", call("started"))
    await router.does("piotr", "set_status", status="away")
    await router.happens(message("my lamp", "m1", channel="email"))
    await router.does("piotr", "confirm_customer", conversation=it, customer=anna)
    ended = call("ended", k=1)
    await router.happens(ended)
    merged, matter = await router.conversations()
    assert (merged.into, ended.id in matter.seen) == (matter.id, True)
    for name in ("Jan", "Ola"):
        await registered(router, name, phone=ANNA)
    await told_again(router, ended)


async def test_where_a_contact_was_told_says_not_who_writes(router: InMemoryRouter) -> None:
    """Another mail under the same contact from somebody else opens a matter of his own."""
    await router.happens(message("one", "m1", channel="email"))
    other = mail("olek@customer.example")
    await router.happens(message("two", "m1", channel="email", handles=[other], k=1))
    first, second = await router.conversations()
    assert first.customer != second.customer
    await router.happens(call("started", handles=[phone()]))
    assert len(await router.conversations()) == 3
