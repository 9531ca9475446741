"""Several whom the shop registers as one person: what they wrote as strangers is hers, in one matter if it can be."""

from typing import Any

import pytest

from services.router.domain import folds
from shared.conversation import Conversation
from shared.events import ConversationMerged, CustomerCreated, Handle
from tests.router import samples
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import ANNA, ANNA_MAIL, PARCEL, call, mail, message, phone

SECOND = "+48600000009"


def verified(*handles: Handle) -> list[dict[str, Any]]:
    return [{"kind": each.kind, "value": each.value, "verified": True} for each in handles]


async def registers(router: InMemoryRouter, handles: list[dict[str, Any]]) -> str:
    """The shop registers Anna; return her id."""
    await router.does("service:shop", "register_customer", name="Anna", handles=handles)
    await check(router)
    return str((await router.last(CustomerCreated)).customer)


async def takes(router: InMemoryRouter, agent: str, it: Conversation) -> None:
    """An agent takes a conversation that she is asked to take."""
    await router.on_duty(agent)
    await router.offers()
    offer = (await router.load(folds.CONVERSATION, it.id or "")).ownership.offer
    assert offer is not None
    await router.does(agent, "accept_offer", conversation=it.id, offer_id=offer.offer_id)


async def test_two_who_are_registered_as_one_go_on_in_one_matter(router: InMemoryRouter) -> None:
    """With all that was said and told; either handle, and the chat's session, lead there from then on."""
    await router.happens(call("started", handles=[phone()]))
    await router.happens(message(f"parcel {PARCEL}", "s1", handles=[mail()]))
    anna = await registers(router, verified(phone(), mail()))
    matter, other = await router.conversations()
    assert (matter.customer, other.customer, other.into) == (anna, anna, matter.id)
    assert [each.value for each in matter.matter.facts.values()] == [PARCEL]
    await router.happens(
        message("by mail", "m2", channel="email", handles=[mail()]),
        message("and?", "s1", k=1, handles=[]),
    )
    matter, other = await router.conversations()
    assert [each.text for each in matter.talk.said] == [f"parcel {PARCEL}", "by mail", "and?"]


async def test_whoever_works_on_one_of_them_works_on_both(router: InMemoryRouter) -> None:
    """The other one waited for nobody in particular."""
    await router.happens(call("started", handles=[phone()]))
    await router.happens(message("hello", "s1", handles=[mail(proof="proved")]))
    caller, writing = await router.conversations()
    await takes(router, "ewa", writing)
    await registers(router, verified(phone(), mail()))
    matter, _ = await router.conversations()
    assert (matter.id, matter.ownership.owner) == (caller.id, "ewa")
    assert (await router.agent("ewa")).working_on == {caller.id}


async def test_two_agents_keep_what_each_works_on(router: InMemoryRouter) -> None:
    """Nobody's conversation is taken from her while she talks: both are hers, and stay two."""
    await router.happens(call("started", handles=[phone()]))
    caller = await router.conversation()
    await takes(router, "ewa", caller)
    await router.does("ewa", "set_status", status="away")
    await router.happens(message("hello", "s1", handles=[mail(proof="proved")]))
    await takes(router, "piotr", (await router.conversations())[1])
    anna = await registers(router, verified(phone(), mail()))
    found = await router.conversations()
    assert [(it.customer, it.ownership.owner) for it in found] == [(anna, "ewa"), (anna, "piotr")]


async def test_what_is_over_is_hers_and_hides_no_open_matter(router: InMemoryRouter) -> None:
    """The past of the other handle comes along; the next contact still finds what is open."""
    for number in range(9):
        await router.happens(message("hi", f"s{number}", handles=[mail(proof="proved")]))
        it = (await router.conversations())[-1]
        await takes(router, "ewa", it)
        await router.does("ewa", "wrap_up", conversation=it.id, summary="x", disposition="solved")
        await router.does("ewa", "resolve", conversation=it.id)
    await router.happens(call("started", handles=[phone()]))
    anna = await registers(router, verified(phone(), mail()))
    found = await router.conversations()
    assert [it.customer for it in found[1:]] == [anna] * 9
    await router.happens(message("and?", "m1", channel="email", handles=[mail()]))
    assert len((await router.conversations())[-1].contacts.by_id) == 2


async def test_her_other_handles_lead_to_her_as_well(router: InMemoryRouter) -> None:
    """Whoever was known by two handles is one person, whichever of them the shop knows."""
    await router.happens(call("started", handles=[phone()]))
    await router.happens(message("hi", channel="email", handles=[mail(), phone(SECOND)]))
    anna = await registers(router, verified(phone(), mail()))
    await router.happens(call("started", "CA2", handles=[phone(SECOND)]))
    assert {it.customer for it in await router.conversations()} == {anna}
    assert len(await router.conversations()) == 2


async def test_a_handle_that_is_not_verified_brings_no_past_along(router: InMemoryRouter) -> None:
    """It leads to her from now on; what was said under it before is its writer's."""
    await router.happens(call("started", handles=[phone()]))
    await router.happens(message("hi", channel="email", handles=[mail()]))
    handles = [*verified(phone()), {"kind": "email", "value": ANNA_MAIL, "verified": False}]
    anna = await registers(router, handles)
    first, second = await router.conversations()
    assert (first.customer, second.customer != anna) == (anna, True)
    assert await router.all(ConversationMerged) == []


@pytest.mark.parametrize("first", [ANNA, SECOND])
async def test_who_has_several_open_matters_keeps_them_apart(
    router: InMemoryRouter, first: str
) -> None:
    """Nobody can say in which of them the other one goes on."""
    await router.happens(call("started", handles=[phone()]))
    router.clock.time = later = samples.NOON.replace(hour=20)
    await router.happens(
        call("started", "CA2", handles=[phone()], at=later),
        call("started", "CA3", handles=[phone(SECOND)], at=later),
    )
    second = SECOND if first == ANNA else ANNA
    anna = await registers(router, verified(phone(first), phone(second)))
    assert [(it.customer, it.into) for it in await router.conversations()] == [(anna, None)] * 3
