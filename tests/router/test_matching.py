"""Who can do what is asked for is asked: skills, language, room on a medium, who had her last; and in what order."""

from dataclasses import replace as with_more
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared import policy
from shared.customer import Customer
from shared.events import (
    AgentCallEnded,
    AgentReserved,
    ContactOffered,
    CustomerId,
    TransferOffered,
)
from shared.events.packet import Visit
from tests.router.given import Given
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import ANNA_MAIL, call, mail, message, phone
from tests.router.test_dispatching import reads_of

TEXT = rb"""
tenant: demo
queues:
  hotline: {title: Hotline}
  returns:
    title: Returns
    skills: {returns: 3}
    priority_seconds: 30
    relaxes:
      - {after_seconds: 30, level: 1}
      - {after_seconds: 60, level: 0, any_language: true}
      - {after_seconds: 90, overflow: hotline}
  friends: {title: Friends, sticky_seconds: 20}
agents:
  ada: {name: Ada, queues: [returns, friends], skills: {returns: 5}, languages: [pl, sk]}
  bea: {name: Bea, queues: [returns], skills: {returns: 2}}
  cyd: {name: Cyd, queues: [returns, friends]}
  dan: {name: Dan, queues: [hotline], skills: {complaints: 1}, slots_by_medium: {call: 1, chat: 2}, slots: 4}
accounts:
  chat/shop: {queue: returns, address: shop, reaches: account}
  email/shop: {queue: friends, address: help@shop.example, priority_seconds: 600}
  twilio_voice/hotline:
    queue: hotline
    language: sk
    menu:
      "3": {fact: menu_choice, value: a complaint, skills: {complaints: 1}}
      "4": {fact: menu_choice, value: a return, queue: returns}
"""
POLICY = policy.parse(TEXT)


def given(*on_duty: str) -> Given:
    """These agents are there, who came one after another."""
    it = Given(policy=POLICY)
    for name in on_duty:
        it = it.on_duty(name).passes(1)
    return it


def offer(it: Given) -> Any:
    return it.dispatches().of(ContactOffered)


# -- skills and languages ------------------------------------------------------------------------------


def test_who_lacks_the_skill_is_not_asked_and_the_offer_says_so() -> None:
    """Of three who are free the one who is good enough is asked, however short she has been idle."""
    it = given("cyd", "bea", "ada").reports(message("it is broken"))
    told = offer(it)
    assert (told.agent, told.rule, told.queue) == ("ada", "dispatch.longest_idle", "returns")
    assert told.passed_over == {"bea": "skill_missing", "cyd": "skill_missing"}


@pytest.mark.parametrize(
    ("waited", "there", "asked"),
    [
        (29, ("bea", "cyd", "dan"), None),
        (30, ("bea", "cyd", "dan"), ("bea", "dispatch.relaxed_1", "returns")),
        (59, ("cyd", "dan"), None),
        (60, ("cyd", "dan"), ("cyd", "dispatch.relaxed_2", "returns")),
        (60, ("cyd", "ada"), ("cyd", "dispatch.relaxed_2", "returns")),
        (60, ("ada", "cyd"), ("ada", "dispatch.longest_idle", "returns")),
        (89, ("dan",), None),
        (90, ("dan",), ("dan", "dispatch.overflow_3", "hotline")),
        (90, ("bea", "dan"), ("bea", "dispatch.relaxed_1", "returns")),
    ],
)
def test_the_longer_she_waits_the_less_is_asked_for(
    waited: int, there: tuple[str, ...], asked: tuple[str, str, str] | None
) -> None:
    """At each step's time, and not before; the offer names the step that let the agent in, and her queue."""
    it = given(*there).reports(message("it is broken")).passes(waited)
    if asked is None:
        assert it.dispatches().events == []
    else:
        told = offer(it)
        assert (told.agent, told.rule, told.queue) == asked


@pytest.mark.parametrize(
    ("known", "asked"),
    [("de", None), ("sk-SK", "ada"), ("PL", "ada"), (None, "ada")],
)
def test_her_language_is_spoken(known: str | None, asked: str | None) -> None:
    """Whoever has said what she speaks is asked for customers who speak that; what is not known is no obstacle."""
    it = given("ada")
    customer = Customer(id=CustomerId("anna"), provisional=False, language=known)
    it = with_more(it, loaded=with_more(it.loaded, customer=customer))
    outcome = it.reports(message("it is broken")).dispatches()
    assert [each.open.agent for each in outcome.events if isinstance(each, ContactOffered)] == (
        [asked] if asked else []
    )


def test_what_is_asked_for_stands_on_the_wait() -> None:
    """The ledger alone says what was asked for: of the queue, of the entry point, and of who she is."""
    it = given("ada").reports(message("it is broken"))
    needs = it.conversation.ownership.needs
    assert (needs.skills, needs.priority) == ({"returns": 3}, {"queue": 30})
    called = given("dan").reports(call("started"))
    assert called.conversation.ownership.needs.language == "sk"


def test_a_pressed_digit_asks_for_more_and_she_keeps_her_place() -> None:
    """She waits on since she called, for those who can do it; the same digit again asks for nothing new."""
    it = given().reports(call("started")).passes(5)
    since = it.conversation.ownership.waiting_since
    pressed = it.reports(call("menu", digits="3", k=1))
    needs = pressed.conversation.ownership.needs
    assert (needs.skills, needs.language) == ({"complaints": 1}, "sk")
    assert pressed.conversation.ownership.waiting_since == since
    again = pressed.reports(call("menu", digits="3", k=2))
    assert again.conversation.ownership.needs is needs
    assert offer(again.on_duty("dan")).agent == "dan"


def test_a_pressed_digit_leads_to_its_queue() -> None:
    """She keeps her place; what that queue asks for is asked from now on, and the wait says by which rule."""
    it = given("ada", "dan").reports(call("started")).passes(5)
    since = it.conversation.ownership.waiting_since
    pressed = it.reports(call("menu", digits="4", k=1))
    ownership = pressed.conversation.ownership
    assert (ownership.queue, ownership.needs.skills) == ("returns", {"returns": 3})
    assert ownership.waiting_since == since
    assert offer(pressed).agent == "ada"
    again = pressed.reports(call("menu", digits="4", k=2)).conversation.ownership
    assert again.needs is ownership.needs


def test_a_transfer_to_a_queue_asks_for_what_that_queue_asks() -> None:
    """The skills of where it goes, not of where it came in."""
    it = given("dan").reports(call("started")).offered().accepted()
    to = {"queue": "returns"}
    it = it.does("dan", "transfer", kind="cold", to=to, brief="a return").on_duty("bea", "ada")
    told = it.dispatches().of(TransferOffered)
    assert (told.agent, told.passed_over) == (
        "ada",
        {"bea": "skill_missing", "cyd": "skill_missing"},
    )


# -- who had her last -----------------------------------------------------------------------------------


def came_back(*there: str) -> Given:
    """Cyd had her matter, went, and all of these are there now, Cyd last."""
    it = given("cyd").reports(message("hello", channel="email")).offered().accepted()
    it = it.does("cyd", "set_status", status="signed_out")
    it = it.reports(message("anybody?", "m2", channel="email"))
    for name in there:
        it = it.passes(1).on_duty(name)
    return it


def test_who_had_her_last_is_asked_first() -> None:
    """Though another one has been idle longer; the offer says whom she was preferred to."""
    told = offer(came_back("ada", "cyd"))
    assert (told.agent, told.rule) == ("cyd", "dispatch.last_agent")
    assert told.passed_over == {"ada": "sticky_elsewhere"}


@pytest.mark.parametrize(
    ("status", "after", "asked"),
    [("away", 5, None), ("away", 20, "ada"), ("signed_out", 5, "ada")],
)
def test_she_is_waited_for_while_she_is_on_duty(status: str, after: int, asked: str | None) -> None:
    """For the policy's time and no longer; nobody waits for whoever has gone."""
    it = came_back("ada", "cyd").does("cyd", "set_status", status=status).passes(after)
    found = [each.open.agent for each in it.dispatches().events if isinstance(each, ContactOffered)]
    assert found == ([asked] if asked else [])


def test_who_had_her_last_and_refuses_is_like_any_other() -> None:
    """She is not asked for ever, and nobody waits for her."""
    it = came_back("ada", "cyd").offered()
    it = it.does("cyd", "reject_offer", offer_id=it.offer.offer_id)
    assert offer(it).agent == "ada"


# -- room ----------------------------------------------------------------------------------------------


def test_a_call_is_counted_until_it_ends() -> None:
    """The reservation says on which medium she works; when the call is over she may take another one."""
    it = given("dan").reports(call("started"))
    reserved = it.dispatches().of(AgentReserved)
    assert (reserved.agent, reserved.medium) == ("dan", "call")
    taken = it.offered().accepted()
    limits = POLICY.agents["dan"]
    assert not taken.loaded.agent("dan").can_take(limits, "call")  # type: ignore[arg-type]
    assert taken.loaded.agent("dan").can_take(limits, "chat")  # type: ignore[arg-type]
    over = taken.reports(call("ended", k=3))
    assert over.loaded.agent("dan").can_take(limits, "call")  # type: ignore[arg-type]
    assert over.busy() == {"dan"}


# -- in the picture ------------------------------------------------------------------------------------


@pytest.fixture
def router() -> InMemoryRouter:
    """A router of this policy."""
    return InMemoryRouter(POLICY)


async def asked(router: InMemoryRouter) -> list[tuple[str, str]]:
    """Return who was asked, for a contact on which channel, in order."""
    await router.dispatch()
    channels = {
        contact.contact_id: contact.channel
        for it in await router.conversations()
        for contact in it.contacts.by_id.values()
    }
    offered = await router.all(ContactOffered)
    return [(each.open.agent, channels[each.open.contact_id]) for each in offered]


@pytest.mark.parametrize(("earlier", "order"), [(569, ["email", "chat"]), (571, ["chat", "email"])])
async def test_priority_is_a_head_start(
    router: InMemoryRouter, earlier: int, order: list[str]
) -> None:
    """570 s more of it overtake who came up to 570 s earlier, and nobody who has waited for longer."""
    await router.happens(message("first", handles=[mail("a@x.example")]))
    router.clock.time += timedelta(seconds=earlier)
    later = message("later", "m2", channel="email", handles=[mail("b@x.example")])
    await router.happens(later)
    await router.on_duty("ada")
    assert await asked(router) == [("ada", each) for each in order]


async def test_a_step_is_a_time_in_the_picture(router: InMemoryRouter) -> None:
    """Until then nothing is read, however many wait; then those who are good enough now are asked, in their order."""
    await router.on_duty("bea")
    for number in range(5):
        router.clock.time += timedelta(seconds=1)
        await router.happens(message("broken", f"m{number}", handles=[mail(f"{number}@x.example")]))
    assert await asked(router) == []
    began = router.clock.time - timedelta(seconds=4)
    assert router.dispatcher.picture.due() == began + timedelta(seconds=30)
    router.clock.time = began + timedelta(seconds=29)
    assert await reads_of(router) == 0
    assert await asked(router) == []
    router.clock.time += timedelta(seconds=2)
    assert await asked(router) == [("bea", "chat")] * 2
    offered = [each.conversation for each in await router.all(ContactOffered)]
    assert offered == [it.id for it in await router.conversations()][:2]


async def test_who_waits_for_one_who_goes_is_anybodys(router: InMemoryRouter) -> None:
    """Cyd had her and makes a pause: she is waited for, and nothing is read; she signs out, and Ada is asked."""
    await router.owned_by("cyd", message("hello", channel="email"))
    await router.does("cyd", "set_status", status="signed_out")
    await router.happens(message("anybody?", "m2", channel="email"))
    await router.on_duty("cyd", "ada")
    await router.does("cyd", "set_status", status="away")
    assert await reads_of(router) == 0
    before = await asked(router)
    assert before == [("cyd", "email")]
    await router.does("cyd", "set_status", status="signed_out")
    assert await asked(router) == [*before, ("ada", "email")]


async def test_one_line_of_hers_is_free_when_the_call_is_over(router: InMemoryRouter) -> None:
    """Dan takes one call at once and works on four matters: the next rings when the first has ended, not before."""
    await router.on_duty("dan")
    one, two = (
        call("started", name, handles=[phone(f"+4860000000{name[-1]}")]) for name in ("CA1", "CA2")
    )
    await router.happens(one, two)
    assert await asked(router) == [("dan", "twilio_voice")]
    first, second = await router.conversations()
    assert first.ownership.offer is not None
    await router.does(
        "dan", "accept_offer", conversation=first.id, offer_id=first.ownership.offer.offer_id
    )
    assert len(await asked(router)) == 1
    ended = call("ended", "CA1", handles=[phone("+48600000001")], k=1)
    assert "agent.call_ended" in await router.happens(ended)
    assert len(await asked(router)) == 2
    assert (await router.last(ContactOffered)).conversation == second.id
    assert len(await router.all(AgentCallEnded)) == 1
    await check(router)


async def test_a_cart_that_is_open_now_comes_first(router: InMemoryRouter) -> None:
    """What she left in it an hour ago does not: she is not at the till."""
    visit = Visit(
        began=router.clock.time,
        ended=router.clock.time,
        pages=[],
        cart=["Lamp"],
        campaign=[],
        did=[],
        known_by="email",
        proof="claimed",
    )
    router.visits.found["b@x.example"] = visit
    router.visits.found["c@x.example"] = replace(
        visit, ended=router.clock.time - timedelta(hours=1)
    )
    for name in "abc":
        router.clock.time += timedelta(seconds=1)
        await router.happens(message("hello", name, handles=[mail(f"{name}@x.example")]))
    priorities = [it.ownership.needs.priority for it in await router.conversations()]
    assert priorities == [{"queue": 30}, {"queue": 30, "cart": 60}, {"queue": 30}]
    await router.on_duty("ada")
    await router.dispatch()
    offered = [each.conversation for each in await router.all(ContactOffered)]
    first, second, third = [it.id for it in await router.conversations()]
    assert offered == [second, first, third]


async def test_a_vip_comes_first(router: InMemoryRouter) -> None:
    """The shop says who is one; it is recorded with the wait why she is served first."""
    given = [{"kind": "email", "value": ANNA_MAIL, "verified": True}]
    await router.does("service:shop", "register_customer", name="Anna", handles=given, vip=True)
    await router.happens(message("hello", channel="email"))
    (it,) = await router.conversations()
    assert it.ownership.needs.priority == {"account": 600, "vip": 120}


async def test_who_had_her_earlier_matter_is_asked_first(router: InMemoryRouter) -> None:
    """Her last one is resolved; the next one is recorded with who owned that, and she is preferred."""
    await router.on_duty("ada")
    router.clock.time += timedelta(seconds=1)
    await router.on_duty("cyd")
    await router.does("ada", "set_status", status="away")
    await router.owned_by("cyd", message("hello", channel="email"))
    (first,) = await router.conversations()
    await router.does("cyd", "wrap_up", conversation=first.id, disposition="solved", summary=".")
    await router.does("cyd", "resolve", conversation=first.id)
    await router.does("ada", "set_status", status="available")
    await router.happens(message("again", "m2", channel="email"))
    assert (await asked(router))[-1] == ("cyd", "email")
    last = await router.last(ContactOffered)
    assert (last.open.rule, last.open.passed_over) == (
        "dispatch.last_agent",
        {"ada": "sticky_elsewhere"},
    )


async def test_she_is_waited_for_no_longer_than_the_policy_says(router: InMemoryRouter) -> None:
    """The end of that time is a time in the picture."""
    await router.owned_by("cyd", message("hello", channel="email"))
    await router.does("cyd", "set_status", status="signed_out")
    await router.happens(message("anybody?", "m2", channel="email"))
    await router.on_duty("cyd", "ada")
    await router.does("cyd", "set_status", status="away")
    assert len(await asked(router)) == 1
    assert router.dispatcher.picture.due() == router.clock.time + timedelta(seconds=20)
    router.clock.time += timedelta(seconds=20)
    assert (await asked(router))[1:] == [("ada", "email")]


async def test_a_call_that_rings_at_its_owner_takes_her_line(router: InMemoryRouter) -> None:
    """While it rings at Dan, and while he talks, no other call is asked of him; after either he is free for one."""
    await router.on_duty("dan")
    hers, other = [phone("+48600000001")], [phone("+48600000002")]
    await router.happens(call("started", "CA1", handles=hers))
    await answered(router, "accept_offer")
    await router.happens(call("ended", "CA1", handles=hers, k=1))
    await router.happens(call("started", "CA2", handles=hers))
    await router.dispatch()
    await router.happens(call("started", "CA3", handles=other))
    assert len(await asked(router)) == 2
    await answered(router, "reject_offer")
    assert len(await asked(router)) == 3
    assert (await router.last(ContactOffered)).conversation == (await router.conversations())[1].id
    await check(router)


async def answered(router: InMemoryRouter, verb: str) -> None:
    """Whoever is asked answers."""
    await router.dispatch()
    (it,) = [it for it in await router.conversations() if it.ownership.offer]
    assert it.ownership.offer is not None
    offer = it.ownership.offer
    await router.does(offer.agent, verb, conversation=it.id, offer_id=offer.offer_id)
