"""How well it is proved who somebody is, and what follows from it."""

from datetime import timedelta
from typing import Any

import pytest

from shared.events import (
    ConversationId,
    ConversationJoined,
    ConversationOpened,
    CustomerSuggested,
    IdentityAddressed,
    IdentityClaimed,
    IdentityShared,
    MessageRequested,
    MessageRequestedPersonal,
)
from shared.policy import parse
from tests.router import samples
from tests.router.in_memory_router import InMemoryRouter
from tests.router.proved import CLAIMED, OLEK, PROVED, packet_of, registered
from tests.router.samples import ANNA, ANNA_MAIL, NOON, call, form, mail, message, phone

# -- a claim ------------------------------------------------------------------------------------------


async def test_a_claim_identifies_nobody_and_is_shown_as_possible(router: InMemoryRouter) -> None:
    """Typed into a form: no join, no name, and the agent sees who may be meant and why."""
    anna = await registered(router, "Anna", email=ANNA_MAIL)
    await router.happens(message("hello", channel="email"), form("I am Anna", handles=CLAIMED))
    hers, other = await router.conversations()
    assert (hers.customer, other.customer != anna) == (anna, True)
    packet = await packet_of(router, other)
    (possible,) = packet.who.possibly
    assert (possible.customer, possible.name, possible.reason) == (anna, "Anna", "claimed_handle")
    assert (packet.who.name, [each.proof for each in packet.who.identities]) == (None, ["claimed"])
    assert packet.said[0].writer is not None
    assert (packet.said[0].writer.proof, packet.said[0].writer.hers) == ("claimed", False)


async def test_whoever_proves_a_handle_later_gets_nothing_that_was_claimed_under_it(
    router: InMemoryRouter,
) -> None:
    """The claim blocks nobody either: her own mail opens her own conversation, and a shop can register her."""
    await router.happens(form("my secret", handles=CLAIMED), message("hello", channel="email"))
    claimed, hers = await router.conversations()
    assert claimed.customer != hers.customer
    assert await registered(router, "Anna", email=ANNA_MAIL) == hers.customer


async def test_the_policy_moves_a_medium_and_no_refuted_handle(router: InMemoryRouter) -> None:
    """A form behind a login is worth more; what failed a check stays a claim."""
    moved = samples.POLICY_TEXT + b"proof: {form: delivered, mail: claimed}\n"
    trusting = InMemoryRouter(parse(moved))
    await trusting.happens(form("one", handles=CLAIMED), form("two", "f2", handles=CLAIMED))
    assert len(await trusting.conversations()) == 1
    await trusting.happens(message("three", channel="email"))
    assert len(await trusting.conversations()) == 2
    await router.happens(
        call("started"), message("x", channel="email", handles=[mail(proof="claimed")])
    )
    assert (
        len(await router.all(IdentityClaimed)) == 3
    )  # the call, its number, the mail's own reference


# -- the stronger wins --------------------------------------------------------------------------------


async def test_whoever_is_proved_to_write_outweighs_a_session(router: InMemoryRouter) -> None:
    """One browser, two people: each has her own conversation, whichever came last, and a repetition adds nothing."""
    lena = await registered(router, "Lena", email=ANNA_MAIL)
    olek = await registered(router, "Olek", email=OLEK)
    await router.happens(
        message("mine", "s1", handles=PROVED),
        message("his", "s1", k=1, handles=[mail(OLEK, "proved")]),
        message("mine again", "s1", k=2, handles=PROVED),
    )
    first, second = await router.conversations()
    assert (first.customer, second.customer) == (lena, olek)
    assert [len(each.talk.said) for each in (first, second)] == [2, 1]


async def test_an_unknown_person_who_is_proved_outweighs_a_session_as_well(
    router: InMemoryRouter,
) -> None:
    """The shop vouches for another address than that of whoever sat there before."""
    await router.happens(
        message("mine", "s1", handles=PROVED),
        message("his", "s1", k=1, handles=[mail(OLEK, "proved")]),
        message("typed", "s1", k=2, handles=[mail("x@y.example", "claimed")]),
    )
    first, second = await router.conversations()
    assert [len(each.talk.said) for each in (first, second)] == [1, 2]


async def test_a_proved_handle_outweighs_a_delivered_one(router: InMemoryRouter) -> None:
    """Anna's account, Olek's telephone."""
    anna = await registered(router, "Anna", email=ANNA_MAIL)
    await registered(router, "Olek", phone=ANNA)
    await router.happens(message("hello", handles=[phone(), *PROVED]))
    assert (await router.conversation()).customer == anna


# -- who is answered ----------------------------------------------------------------------------------


async def test_a_third_person_answers_in_a_thread_and_does_not_become_her(
    router: InMemoryRouter,
) -> None:
    """His words stand under his address, the answer goes to him, and his next matter is his own."""
    it = await router.owned_by("piotr", message("it will not open", channel="email"))
    await router.happens(
        message("I fetch it", "m2", channel="email", handles=[mail(OLEK)], in_reply_to=it)
    )
    conversation = await router.conversation()
    assert len(conversation.contacts.by_id) == 2
    said = (await packet_of(router, conversation)).said
    assert [(each.writer.value, each.writer.hers) for each in said if each.writer] == [
        (ANNA_MAIL, True),
        (OLEK, False),
    ]
    await router.does("piotr", "send_message", conversation=it, channel="email", text="code 1")
    request = (await router.last(MessageRequested)).personal
    assert request is not None
    assert request.to == OLEK
    await router.happens(message("my own matter", "m3", channel="email", handles=[mail(OLEK)]))
    assert len(await router.conversations()) == 2


async def a_thread_of_two(router: InMemoryRouter) -> ConversationId:
    """Anna writes in a chat, Olek by mail in her matter."""
    it = await router.owned_by("piotr", message("it will not open", "s1", handles=PROVED))
    olek = message("I fetch it", "m2", channel="email", handles=[mail(OLEK)], in_reply_to=it)
    await router.happens(olek)
    return it


async def answered(router: InMemoryRouter, it: ConversationId) -> MessageRequestedPersonal:
    """Piotr answers by mail; return to whom and to what."""
    await router.does("piotr", "send_message", conversation=it, channel="email", text="code 1")
    request = (await router.last(MessageRequested)).personal
    assert request is not None
    return request


async def test_an_answer_goes_to_whoever_wrote_last_though_she_began_first(
    router: InMemoryRouter,
) -> None:
    """The packet shows who that is; she is not told what Olek's mail was called."""
    it = await a_thread_of_two(router)
    assert (await answered(router, it)).in_reply_to == "m2-0"
    await router.happens(message("I come myself. The code?", "s1", k=1, handles=PROVED))
    packet = await packet_of(router, await router.conversation())
    assert packet.writer is not None
    assert (packet.writer.value, packet.contact) == (ANNA_MAIL, samples.contact("chat", "s1"))
    request = await answered(router, it)
    assert (request.to, request.in_reply_to, request.references) == (ANNA_MAIL, None, [])


async def test_what_is_heard_late_is_not_what_was_written_last(router: InMemoryRouter) -> None:
    """Olek's mail was parked for an hour: Anna wrote after him, and she is answered."""
    router.clock.time += timedelta(hours=1)
    it = await router.owned_by("piotr", message("hello", "s1", handles=PROVED))
    later = message("the code?", "s1", k=1, handles=PROVED, at=NOON + timedelta(minutes=2))
    olek = message("I fetch it", "m2", channel="email", handles=[mail(OLEK)], in_reply_to=it)
    await router.happens(later, olek)
    assert (await answered(router, it)).to == ANNA_MAIL


async def test_what_is_meant_for_somebody_unknown_goes_to_no_third_person(
    router: InMemoryRouter,
) -> None:
    """She gave no address: nobody else's will do, and his answer would prove nothing of her."""
    it = await router.owned_by("piotr", message("it will not open", "s1", handles=[]))
    olek = message("I fetch it", "m2", channel="email", handles=[mail(OLEK)], in_reply_to=it)
    await router.happens(olek)
    assert (await answered(router, it)).to == OLEK
    assert await router.all(IdentityAddressed) == []
    await router.happens(message("the code?", "s1", k=1, handles=[]))
    given: Any = {"conversation": it, "channel": "email", "text": "code 1"}
    assert await router.refused("piotr", "send_message", **given) == "message.no_address"


async def test_whoever_is_answered_is_confirmed(router: InMemoryRouter) -> None:
    """The agent names no contact: the chat that went on is Anna's, and Olek's address stays his."""
    anna = await registered(router, "Anna", phone=ANNA)
    it = await router.owned_by("piotr", message("hello", "s1", handles=CLAIMED))
    olek = message("I fetch it", "m2", channel="email", handles=[mail(OLEK)], in_reply_to=it)
    await router.happens(olek, message("the code?", "s1", k=1, handles=CLAIMED))
    await router.does("piotr", "confirm_customer", conversation=it, customer=anna)
    customer = await router.customer()
    assert [each.value for each in customer.handles] == [ANNA, ANNA_MAIL]


async def test_what_was_said_stands_where_it_was_said(router: InMemoryRouter) -> None:
    """Its first message was retried an hour later: the packet tells both in their order, with their times."""
    router.clock.time += timedelta(hours=1)
    second, first = NOON + timedelta(minutes=1), NOON
    await router.happens(message("no, do not send it", "s1", k=1, handles=PROVED, at=second))
    await router.happens(message("please send it", "s1", handles=PROVED, at=first))
    packet = await packet_of(router, await router.conversation())
    assert [(each.at, each.text) for each in packet.said] == [
        (first, "please send it"),
        (second, "no, do not send it"),
    ]
    assert packet.why.matter == "please send it"


async def test_an_answer_from_an_address_that_was_written_to_is_hers(
    router: InMemoryRouter,
) -> None:
    """She typed it into the chat; her mail proves it, and it leads to her from then on."""
    it = await router.owned_by("piotr", message("anybody there?", "s1", handles=CLAIMED))
    await router.happens(message("write to me", "s1", k=1, handles=CLAIMED))
    await router.does("piotr", "send_message", conversation=it, channel="email", text="here I am")
    await router.happens(message("I am home", "m2", channel="email"))
    customer = await router.customer()
    assert [(each.value, each.proof) for each in customer.handles] == [(ANNA_MAIL, "proved")]
    await router.happens(message("hello again", "m3", channel="email"))
    assert len((await router.conversation()).contacts.by_id) == 3


async def test_writing_to_an_address_takes_it_from_nobody(router: InMemoryRouter) -> None:
    """Somebody typed the address of a customer we know: her answer is her own matter."""
    anna = await registered(router, "Anna", email=ANNA_MAIL)
    it = await router.owned_by("piotr", message("I am Anna", "s1", handles=CLAIMED))
    await router.does("piotr", "send_message", conversation=it, channel="email", text="really?")
    await router.happens(message("that was not me", "m2", channel="email"))
    other, hers = await router.conversations()
    assert (other.customer != anna, hers.customer) == (True, anna)


# -- learning -----------------------------------------------------------------------------------------


async def test_a_handle_that_comes_later_in_a_contact_counts_from_then_on(
    router: InMemoryRouter,
) -> None:
    """An anonymous chat, then an address for which the shop vouches: a mail from there is hers."""
    await router.happens(
        message("hi", "s1", handles=[]),
        message("it is me", "s1", k=1, handles=PROVED),
        message("by mail", "m2", channel="email"),
    )
    assert (await router.last(ConversationJoined)).open.rule == "join.only_active"


@pytest.mark.parametrize("first", [[], CLAIMED], ids=["anonymous", "claimed"])
async def test_whoever_signs_in_while_she_writes_takes_along_what_she_wrote(
    router: InMemoryRouter, first: list[Any]
) -> None:
    """She is a customer of ours with an open matter: the chat goes on there, and nothing is lost."""
    anna = await registered(router, "Anna", phone=ANNA, email=ANNA_MAIL)
    await router.happens(call("started"), message("hi, my lamp is broken", "s1", handles=first))
    await router.happens(message("it is me", "s1", k=1, handles=PROVED))
    matter, chat = await router.conversations()
    assert (matter.customer, chat.into, chat.resolved) == (anna, matter.id, True)
    assert [each.text for each in matter.talk.said] == ["hi, my lamp is broken", "it is me"]
    assert [each.writer and each.writer.proof for each in matter.talk.said][-1] == "proved"


async def test_whoever_claimed_to_be_somebody_else_is_not_taken_along(
    router: InMemoryRouter,
) -> None:
    """One browser, two people: what was written under another address stays there."""
    await registered(router, "Olek", email=OLEK)
    await router.happens(
        message("as Anna", "s1", handles=CLAIMED),
        message("as Olek", "s1", k=1, handles=[mail(OLEK, "proved")]),
    )
    assert [len(each.talk.said) for each in await router.conversations()] == [1, 1]


async def test_a_second_handle_beside_a_known_one_is_learned(router: InMemoryRouter) -> None:
    """Her number says who she is, her address comes with it, and joins her open matter by itself later."""
    await router.happens(
        call("started"),
        message("both", "s1", handles=[phone(), *PROVED]),
        message("by mail", "m2", channel="email"),
    )
    assert len((await router.conversation()).contacts.by_id) == 3


# -- shared handles -----------------------------------------------------------------------------------


async def test_two_people_of_one_number_are_both_possible(router: InMemoryRouter) -> None:
    """The second registration shares it; a call from there is nobody's, and the agent sees both."""
    anna = await registered(router, "Anna", phone=ANNA, email=ANNA_MAIL)
    jan = await registered(router, "Jan", phone=ANNA)
    (shared,) = await router.all(IdentityShared)
    assert shared.open.customers == [anna, jan]
    await router.happens(call("started"))
    conversation = await router.conversation()
    assert conversation.customer not in (anna, jan)
    suggested = await router.all(CustomerSuggested)
    assert [(each.open.customer, each.open.reason) for each in suggested] == [
        (anna, "shared_handle"),
        (jan, "shared_handle"),
    ]


async def test_of_two_who_share_a_number_another_handle_or_an_order_decides(
    router: InMemoryRouter,
) -> None:
    """Her own address beside it; or a number of an order that only one of them has."""
    orders = [{"number": "ORD-2002", "status": "open"}]
    anna = await registered(router, "Anna", phone=ANNA, email=ANNA_MAIL)
    jan = await registered(router, "Jan", phone=ANNA, orders=orders)
    await router.happens(
        message("it is me", "m1", channel="email", handles=[phone(), mail()]),
        message("where is ord-2002", "m2", channel="email", handles=[phone()]),
    )
    found = await router.conversations()
    assert [each.customer for each in found][:1] == [anna]
    await router.happens(message("ORD-2002", "m3", channel="email", handles=[phone()]))
    assert (await router.last(ConversationOpened)).customer == jan
