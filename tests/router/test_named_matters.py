"""The number of an order or parcel leads to a matter; who comes back is known with hers."""

import pytest

from shared.events import (
    ConversationJoined,
    Handle,
)
from tests.router.in_memory_router import InMemoryRouter
from tests.router.proved import CLAIMED, OLEK, PROVED, packet_of, registered
from tests.router.samples import ANNA_MAIL, PARCEL, mail, message

# -- the number of a matter ---------------------------------------------------------------------------


async def test_an_unknown_writer_who_names_the_number_of_an_open_matter_joins_it(
    router: InMemoryRouter,
) -> None:
    """By mail; his address does not become hers. In a chat, which proves nothing, it is a hint."""
    await router.happens(message(f"parcel {PARCEL}", channel="email"))
    unknown = [mail(OLEK)]
    await router.happens(message(f"about {PARCEL}", "m2", channel="email", handles=unknown))
    assert (await router.last(ConversationJoined)).open.rule == "join.order_or_parcel"
    await router.happens(message("another", "m3", channel="email", handles=unknown))
    await router.happens(message(f"and {PARCEL}?", "s1", handles=[]))
    hers, his, chat = await router.conversations()
    assert len({hers.customer, his.customer, chat.customer}) == 3
    (hint,) = chat.people.possible.values()
    assert (hint.customer, hint.reason, hint.value) == (hers.customer, "order_or_parcel", PARCEL)


async def test_whoever_is_known_to_be_somebody_else_does_not_join(router: InMemoryRouter) -> None:
    """A customer of ours names a stranger's parcel: her own matter, with a hint."""
    await registered(router, "Olek", email=OLEK)
    await router.happens(
        message(f"parcel {PARCEL}", channel="email"),
        message(f"about {PARCEL}", "m2", channel="email", handles=[mail(OLEK)]),
    )
    hers, his = await router.conversations()
    assert [each.reason for each in his.people.possible.values()] == ["order_or_parcel"]
    assert hers.customer in his.people.possible


async def test_two_open_matters_of_one_number_lead_nowhere(router: InMemoryRouter) -> None:
    """Exactly one of the tenant, or none."""
    await registered(router, "Olek", email=OLEK)
    await router.happens(
        message(f"parcel {PARCEL}", channel="email"),
        message(f"about {PARCEL}", "m2", channel="email", handles=[mail(OLEK)]),
        message(f"{PARCEL}", "m3", channel="email", handles=[mail("x@y.example")]),
    )
    assert len(await router.conversations()) == 3


STRANGERS = [message(f"{PARCEL}?", "s0", handles=CLAIMED)] + [
    message(f"what about {PARCEL}", f"s{number}", handles=[]) for number in range(1, 10)
]


@pytest.mark.parametrize("before", [0, 2, 10])
async def test_what_strangers_name_blocks_nobody(router: InMemoryRouter, before: int) -> None:
    """However many typed her number before or after her: whoever writes of it by mail joins her matter."""
    await router.happens(*STRANGERS[:before])
    await router.happens(message(f"{PARCEL} is late", channel="email"))
    hers = (await router.conversations())[-1]
    await router.happens(*STRANGERS[before:])
    await router.happens(message(f"for her: {PARCEL}", "m2", channel="email", handles=[mail(OLEK)]))
    joined = await router.last(ConversationJoined)
    assert (joined.conversation, joined.open.rule) == (hers.id, "join.order_or_parcel")


async def test_whose_order_it_is_counts_before_whoever_names_it(router: InMemoryRouter) -> None:
    """The shop says whose it is; a stranger named it first, by mail."""
    stranger = message("ORD-2002 is mine", "m0", channel="email", handles=[mail("x@y.example")])
    await router.happens(stranger)
    orders = [{"number": "ord-2002", "status": "open"}]
    anna = await registered(router, "Anna", email=ANNA_MAIL, orders=orders)
    await router.happens(
        message("ORD-2002 is late", channel="email"),
        message("for her: ORD-2002", "m2", channel="email", handles=[mail(OLEK)]),
    )
    assert (await router.last(ConversationJoined)).customer == anna


async def test_a_number_that_came_along_leads_where_it_went(router: InMemoryRouter) -> None:
    """It was told in a chat that goes on in her open matter."""
    await registered(router, "Anna", email=ANNA_MAIL)
    await router.happens(message("hello", channel="email"))
    await router.happens(
        message(f"{PARCEL}", "s1", handles=[]), message("it is me", "s1", k=1, handles=PROVED)
    )
    await router.happens(message(f"for her: {PARCEL}", "m2", channel="email", handles=[mail(OLEK)]))
    matter, _ = await router.conversations()
    assert len(matter.contacts.by_id) == 3


# -- what she comes back to -----------------------------------------------------------------------------


@pytest.mark.parametrize("whose", [PROVED, [mail(OLEK, "proved")]], ids=["hers", "another"])
async def test_whoever_comes_back_after_the_end_is_known_with_her_matter(
    router: InMemoryRouter, whose: list[Handle]
) -> None:
    """The packet of the new one says what it was and how it ended; that of somebody else does not."""
    it = await router.owned_by("piotr", message("glass broken", "s1", handles=PROVED))
    wrapped = {"disposition": "solved", "summary": "new one sent"}
    await router.does("piotr", "wrap_up", conversation=it, **wrapped)
    await router.does("piotr", "resolve", conversation=it)
    await router.happens(message("it is broken again", "s1", k=1, handles=whose))
    _, again = await router.conversations()
    after = (await packet_of(router, again)).why.after
    told = after and (after.conversation, after.matter, after.summary, after.wrapped_up)
    expected = (it, "glass broken", "new one sent", router.clock.time)
    assert told == (expected if whose is PROVED else None)
