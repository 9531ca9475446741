"""A customer whom an agent confirms: her conversation is hers, and goes on in her open matter."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from services.router.domain import folds
from shared.conversation import Conversation
from shared.errors import PromiseNotOpen
from shared.events import ContextPackaged, PromiseOverdue
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.proved import CLAIMED, OLEK, packet_of, registered
from tests.router.samples import (
    ANNA,
    ANNA_MAIL,
    PARCEL,
    TENANT,
    call,
    contact,
    mail,
    message,
    phone,
)


async def test_a_confirmed_conversation_is_hers_with_its_handles(router: InMemoryRouter) -> None:
    """The chat is linked, its address proved, its words stay, and the hint is gone."""
    anna = await registered(router, "Anna", phone=ANNA)
    it = await router.owned_by("piotr", message("I am Anna", "s1", handles=CLAIMED))
    await router.does("piotr", "confirm_customer", conversation=it, customer=anna)
    conversation = await router.conversation()
    assert (conversation.customer, conversation.ownership.owner) == (anna, "piotr")
    packet = await packet_of(router, conversation)
    assert (packet.who.name, packet.who.possibly) == ("Anna", [])
    await router.happens(message("by mail", "m2", channel="email"))
    assert len((await router.conversation()).contacts.by_id) == 2


async def test_a_confirmed_conversation_goes_on_in_her_open_matter(router: InMemoryRouter) -> None:
    """What was said and told comes along; whoever confirmed it has both; the session leads there from then on."""
    anna = await registered(router, "Anna", phone=ANNA)
    await router.happens(call("started"))
    chat = message(f"I am Anna, parcel {PARCEL}", "s1", handles=CLAIMED)
    await router.happens(chat)
    matter, asking = await router.conversations()
    await router.on_duty("piotr")
    await router.offers()
    offer = (await router.load(folds.CONVERSATION, asking.id or "")).ownership.offer
    assert offer is not None
    await router.does("piotr", "accept_offer", conversation=asking.id, offer_id=offer.offer_id)
    await router.does("piotr", "confirm_customer", conversation=asking.id, customer=anna)
    matter, asking = await router.conversations()
    assert (asking.resolved, asking.into) == (True, matter.id)
    assert (matter.ownership.owner, matter.resolved, matter.customer) == ("piotr", False, anna)
    assert (await router.agent("piotr")).working_on == {matter.id}
    packet = await packet_of(router, matter)
    assert [each.value for each in packet.facts] == [PARCEL]
    assert [each.text for each in packet.said] == [f"I am Anna, parcel {PARCEL}"]
    await router.happens(message("and?", "s1", k=1, handles=[]), chat)
    matter, asking = await router.conversations()
    assert len(matter.talk.said) == 2


async def test_every_fact_comes_along_and_the_newest_stay_the_newest(
    router: InMemoryRouter,
) -> None:
    """Also those that a packet only counts; what was told last in either conversation stands in the packet."""
    anna = await registered(router, "Anna", phone=ANNA)
    await router.happens(message("I am Anna", "s1", handles=CLAIMED))
    asking = await router.conversation()
    await tells(router, "ewa", asking, range(60))
    await router.happens(call("started"))
    matter = (await router.conversations())[1]
    await tells(router, "ewa", matter, range(60, 80))
    await tells(router, "ewa", asking, range(80, 90))
    await router.does("ewa", "confirm_customer", conversation=asking.id, customer=anna)
    asking, matter = await router.conversations()
    assert asking.into == matter.id
    assert [each.value for each in matter.matter.facts.values()] == [str(n) for n in range(90)]
    packet = await packet_of(router, matter)
    assert [each.value for each in packet.facts] == [str(n) for n in range(42, 90)]
    assert packet.more.facts == 42
    await check(router)


async def tells(
    router: InMemoryRouter, agent: str, it: Conversation, numbers: Iterable[int]
) -> None:
    """The agent, who takes the conversation if it waits, notes numbers that she is told, a second after another."""
    await router.on_duty(agent)
    await router.offers()
    offer = (await router.load(folds.CONVERSATION, it.id or "")).ownership.offer
    if offer is not None:
        await router.does(agent, "accept_offer", conversation=it.id, offer_id=offer.offer_id)
    for number in numbers:
        router.clock.time += timedelta(seconds=1)
        await router.does(
            agent, "record_fact", conversation=it.id, fact="number", value=str(number)
        )


async def test_a_contact_comes_along_as_it_stands(router: InMemoryRouter) -> None:
    """With the name that she gave, her queue, and whether she is on hold: nobody has to ask her again."""
    anna = await registered(router, "Anna", email=ANNA_MAIL)
    await router.happens(message("hello", "m1", channel="email"))
    router.clock.time += timedelta(seconds=1)
    hers = [phone("+48600000009")]
    for kind in ("started", "held"):
        await router.happens(call(kind, handles=hers, caller="Anna N."))
    await router.on_duty("ewa")
    await router.offers()
    for it in await router.conversations():
        offer = it.ownership.offer
        assert offer is not None
        await router.does("ewa", "accept_offer", conversation=it.id, offer_id=offer.offer_id)
    _, calling = await router.conversations()
    (contact,) = calling.contacts.by_id.values()
    assert (contact.name, contact.queue, contact.on_hold) == ("Anna N.", "hotline", True)
    await router.does("ewa", "confirm_customer", conversation=calling.id, customer=anna)
    matter, _ = await router.conversations()
    assert matter.contacts.by_id[contact.contact_id] == contact
    packet = await packet_of(router, matter)
    assert (packet.writer and packet.writer.name, packet.path.on_hold) == ("Anna N.", True)


async def test_a_session_that_was_merged_is_outweighed_as_any_other(router: InMemoryRouter) -> None:
    """Who was on it comes along: somebody else whom the shop vouches for does not write in her matter."""
    anna = await registered(router, "Anna", phone=ANNA)
    await router.owned_by("piotr", call("started"))
    await router.happens(message("I am Anna", "s1", handles=CLAIMED))
    await router.offers()
    _, asking = await router.conversations()
    offer = asking.ownership.offer
    assert offer is not None
    await router.does("piotr", "accept_offer", conversation=asking.id, offer_id=offer.offer_id)
    await router.does("piotr", "confirm_customer", conversation=asking.id, customer=anna)
    await router.happens(message("I am Olek", "s1", k=1, handles=[mail(OLEK, "proved")]))
    *_, his = await router.conversations()
    assert (his.customer != anna, [each.text for each in his.talk.said]) == (True, ["I am Olek"])


async def test_a_chat_goes_on_where_it_went_after_two_merges(router: InMemoryRouter) -> None:
    """It went into a stranger's call, which turned out to be a customer's; so does an answer to a mail from there."""
    anna = await registered(router, "Anna", email=ANNA_MAIL)
    await router.on_duty("piotr", "ewa")
    await router.happens(message("my parcel", channel="email"), call("started"))
    await router.happens(message("it is me again", "s1", handles=[]))
    hers, called, chat = await router.conversations()
    for it, whose in ((chat, called.customer), (called, anna)):
        await router.offers()
        offer = (await router.load(folds.CONVERSATION, it.id or "")).ownership.offer
        assert offer is not None
        given: Any = {"conversation": it.id, "offer_id": offer.offer_id}
        await router.does(offer.agent, "accept_offer", **given)
        await router.does(offer.agent, "confirm_customer", conversation=it.id, customer=whose)
    answer = [mail("third@customer.example")]
    await router.happens(
        message("still there?", "s1", k=1, handles=[]),
        message("a photo", "m7", channel="email", handles=answer, in_reply_to=chat.id),
    )
    hers, called, chat = await router.conversations()
    assert (chat.into, called.into, len(hers.contacts.by_id)) == (called.id, hers.id, 4)


async def test_her_matter_keeps_its_owner(router: InMemoryRouter) -> None:
    """She is told of it; whoever confirmed works on it no longer."""
    anna = await registered(router, "Anna", phone=ANNA)
    await router.owned_by("ewa", call("started"))
    await router.does("ewa", "set_status", status="away")
    await router.happens(message("I am Anna", "s1", handles=CLAIMED))
    await router.on_duty("piotr")
    await router.offers()
    matter, asking = await router.conversations()
    offer = asking.ownership.offer
    assert offer is not None
    await router.does("piotr", "accept_offer", conversation=asking.id, offer_id=offer.offer_id)
    await router.does("piotr", "confirm_customer", conversation=asking.id, customer=anna)
    matter, asking = await router.conversations()
    assert (matter.ownership.owner, len(matter.contacts.by_id)) == ("ewa", 2)
    assert (await router.agent("piotr")).working_on == set()


async def test_what_is_promised_and_owed_is_kept_where_the_conversation_goes_on(
    router: InMemoryRouter,
) -> None:
    """By whom and by when it was promised; its time passes there, once, and the old place owes nothing any more."""
    anna = await registered(router, "Anna", phone=ANNA)
    stranger = [phone("+48600000009")]
    await router.happens(call("started", handles=stranger))
    asking = await router.conversation()
    await tells(router, "ewa", asking, ())
    made, due = router.clock.time, router.clock.time + timedelta(seconds=60)
    await router.does("ewa", "make_promise", conversation=asking.id, text="soon", due=due)
    await router.happens(call("missed", "CA8", handles=stranger), call("started", "CA9"))
    router.clock.time += timedelta(seconds=10)
    await router.does("ewa", "confirm_customer", conversation=asking.id, customer=anna)
    asking, matter = await router.conversations()
    assert asking.into == matter.id
    (promise,) = matter.matter.promises.values()
    assert (promise.by, promise.made, promise.due) == ("ewa", made, due)
    (callback,) = matter.matter.callbacks.values()
    assert (callback.status, callback.contact_id in matter.contacts.by_id) == ("open", True)
    assert asking.matter.promises == {}
    assert [each.status for each in asking.matter.callbacks.values()] == ["closed"]
    assert (await router.passes(60)).count("promise.overdue") == 1
    assert (await router.last(PromiseOverdue)).conversation == matter.id
    kept = {"promise_id": promise.promise_id}
    body = router.body("ewa", "keep_promise", conversation=asking.id, **kept)
    with pytest.raises(PromiseNotOpen) as refusal:
        await router.commands.handle("keep_promise", TENANT, body)
    assert refusal.value.details == {**kept, "into": matter.id}
    await router.does("ewa", "keep_promise", conversation=matter.id, **kept)
    await check(router)


async def test_a_matter_that_owes_a_call_owes_one_for_both(router: InMemoryRouter) -> None:
    """One person is called back once."""
    anna = await registered(router, "Anna", phone=ANNA)
    stranger = [phone("+48600000009")]
    await router.happens(call("started", handles=stranger))
    asking = await router.conversation()
    await tells(router, "ewa", asking, ())
    await router.happens(call("missed", "CA8", handles=stranger), call("missed", "CA9"))
    await router.does("ewa", "confirm_customer", conversation=asking.id, customer=anna)
    asking, matter = await router.conversations()
    assert asking.into == matter.id
    assert [each.status for each in matter.matter.callbacks.values()] == ["open"]
    await check(router)


async def test_what_is_on_its_way_to_somebody_else_stays_apart(router: InMemoryRouter) -> None:
    """It is hers; whoever takes it sees both."""
    anna = await registered(router, "Anna", phone=ANNA)
    it = await router.owned_by("piotr", message("I am Anna", "s1", handles=CLAIMED))
    await router.hands_on("piotr", "warm", queue="warehouse")
    await router.happens(call("started"))
    await router.does("piotr", "confirm_customer", conversation=it, customer=anna)
    apart, matter = await router.conversations()
    assert (apart.customer, apart.resolved, matter.customer) == (anna, False, anna)


@pytest.mark.parametrize("name", ["nobody", "X X", "a" * 128])
async def test_only_a_customer_can_be_confirmed(router: InMemoryRouter, name: str) -> None:
    """And only by the owner."""
    it = await router.owned_by("piotr", message("I am Anna", "s1", handles=CLAIMED))
    code = await router.refused("piotr", "confirm_customer", conversation=it, customer=name)
    assert code == "customer.unknown"
    code = await router.refused("ewa", "confirm_customer", conversation=it, customer=name)
    assert code == "conversation.not_owned"
    assert await router.all(ContextPackaged)


# -- what is not handed over ----------------------------------------------------------------------------


async def test_a_slip_hands_nobodys_past_to_another(router: InMemoryRouter) -> None:
    """Confirmed as Anna, it went into her matter; it is Olek, and her matter stays hers."""
    anna, olek = await registered(router, "Anna", phone=ANNA), await registered(router, "Olek")
    await router.on_duty("piotr")
    await router.happens(call("started"), message("hi", "s1", handles=CLAIMED))
    it = await router.taken("piotr")
    await router.does("piotr", "confirm_customer", conversation=it, customer=anna)
    matter, _ = await router.conversations()
    given = {"conversation": matter.id, "customer": olek}
    for each in matter.contacts.by_id:
        code = await router.refused("piotr", "confirm_customer", contact_id=each, **given)
        assert code == "conversation.of_another"


async def test_a_slip_about_a_single_contact_is_mended(router: InMemoryRouter) -> None:
    """There is nothing of hers in it; and so it is with what he writes after her matter was closed."""
    anna, olek = await registered(router, "Anna", phone=ANNA), await registered(router, "Olek")
    it = await router.owned_by("piotr", message("hi", "s1", handles=CLAIMED))
    for name in (anna, olek):
        await router.does("piotr", "confirm_customer", conversation=it, customer=name)
    assert (await router.conversation()).customer == olek


async def test_what_he_writes_after_the_end_can_be_confirmed(router: InMemoryRouter) -> None:
    """The remedy that the refusal names."""
    anna, olek = await registered(router, "Anna", phone=ANNA), await registered(router, "Olek")
    await router.on_duty("piotr")
    await router.happens(message("hello", "s0", handles=[phone()]), message("hi", "s1", handles=[]))
    it = await router.taken("piotr")
    await router.does("piotr", "confirm_customer", conversation=it, customer=anna)
    matter, _ = await router.conversations()
    await router.does("piotr", "wrap_up", conversation=matter.id, disposition="x", summary="x")
    await router.does("piotr", "resolve", conversation=matter.id)
    await router.happens(message("it is Olek", "s1", k=1, handles=[]))
    it = await router.taken("piotr")
    await router.does("piotr", "confirm_customer", conversation=it, customer=olek)
    found = await router.conversations()
    assert [each.customer for each in found] == [anna, anna, olek]


async def test_a_third_person_takes_no_strangers_matter(router: InMemoryRouter) -> None:
    """He answered in the thread of somebody unknown, and is answered: he is not she. Her own contact is."""
    olek, anna = await registered(router, "Olek"), await registered(router, "Anna", phone=ANNA)
    it = await router.owned_by("piotr", message("my parcel", channel="email"))
    third = message("I fetch it", "m2", channel="email", handles=[mail(OLEK)], in_reply_to=it)
    await router.happens(third)
    code = await router.refused("piotr", "confirm_customer", conversation=it, customer=olek)
    assert code == "conversation.of_another"
    given = {"conversation": it, "contact_id": contact("email", "m1")}
    await router.does("piotr", "confirm_customer", customer=anna, **given)
    assert (await router.conversation()).customer == anna
