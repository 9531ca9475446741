"""Nothing is left where no way leads out: whatever happened, somebody is asked and can go on."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared import policy
from shared.errors import LedgerUnavailable
from shared.events import ContactOffered, ConversationJoined, ConversationOpened, CustomerCreated
from shared.ledger import Appended, Guard, Write
from shared.timers import Timer
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import ANNA, ANNA_MAIL, POLICY_TEXT, TENANT, call, mail, message, phone

HANDLES = [
    {"kind": "phone", "value": ANNA, "verified": True},
    {"kind": "email", "value": ANNA_MAIL, "verified": True},
]


async def ends(router: InMemoryRouter, agent: str) -> None:
    """The owner wraps up and resolves the newest conversation."""
    it = (await router.conversations())[-1]
    await router.does(agent, "wrap_up", conversation=it.id, disposition="solved", summary="done")
    await router.does(agent, "resolve", conversation=it.id)


def changes_policy(router: InMemoryRouter, *changes: tuple[bytes, bytes]) -> None:
    """A router of another policy takes over."""
    text = POLICY_TEXT
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    router.policy = policy.parse(text)
    router.restart()


# -- a second call ----------------------------------------------------------------------------------


async def test_a_call_into_an_owned_matter_rings_at_its_owner(router: InMemoryRouter) -> None:
    """A menu that answers is nobody's acceptance: the owner is asked, keeps her slot, and stays the owner."""
    await router.owned_by("piotr", message("hello", handles=[phone()]))
    await router.happens(call("started", "CA2"), call("answered", "CA2"))
    assert "contact.offered" in await router.offers()
    assert (await router.offer()).agent == "piotr"
    before = await router.conversation()
    assert await router.accepts() == ["contact.accepted"]
    it = await router.conversation()
    assert (it.ownership.owner, it.ownership.handovers) == ("piotr", before.ownership.handovers)
    assert "callback.requested" not in await router.happens(call("ended", "CA2"))
    assert (await router.agent("piotr")).working_on == {it.id}


async def test_a_call_that_its_owner_does_not_take_owes_a_callback(router: InMemoryRouter) -> None:
    """She hangs up after the menu: somebody calls her back, and the owner keeps the matter."""
    await router.owned_by("piotr", message("hello", handles=[phone()]))
    await router.happens(call("started", "CA2"), call("answered", "CA2"))
    await router.offers()
    assert await router.passes(31) == ["contact.offer_expired"]
    assert "callback.requested" in await router.happens(call("ended", "CA2"))
    it = await router.conversation()
    assert (it.ownership.owner, it.ownership.offer) == ("piotr", None)
    assert (await router.agent("piotr")).working_on == {it.id}


async def test_an_owner_who_hands_on_is_no_longer_asked(router: InMemoryRouter) -> None:
    """Her own open question is void with the transfer; the colleague has the call with the matter."""
    await router.owned_by("piotr", message("hello", handles=[phone()]))
    await router.happens(call("started", "CA2"))
    await router.offers()
    await router.on_duty("marek")
    await router.hands_on("piotr", "cold", agent="marek")
    assert (await router.agent("piotr")).working_on == frozenset()
    await router.offers()
    assert (await router.offer()).agent == "marek"


async def test_the_owner_of_a_joined_contact_is_named(router: InMemoryRouter) -> None:
    """Who must look at it now: the owner on duty; nobody yet, where it waits in a queue."""
    await router.owned_by("piotr", message("hello"))
    await router.happens(message("one more thing", "m2"))
    assert (await router.last(ConversationJoined)).open.to_owner == "piotr"
    await router.happens(message("I am away", "m3", automatic=True))
    assert (await router.last(ConversationJoined)).open.to_owner is None
    await router.does("piotr", "set_status", status="signed_out")
    await router.happens(message("anybody?", "m4"))
    assert (await router.last(ConversationJoined)).open.to_owner is None


# -- after a lost call --------------------------------------------------------------------------------


async def test_a_matter_whose_callback_was_closed_is_offered(router: InMemoryRouter) -> None:
    """No call-back is owed any more, and it is not resolved: somebody has to end it."""
    await router.happens(call("missed"))
    it = await router.conversation()
    assert it.ownership.queue == "hotline"
    await router.on_duty("piotr")
    assert await router.offers() == []
    (key,) = it.matter.callbacks
    await router.does(
        "piotr", "close_callback", conversation=it.id, callback_id=key, reason="she wrote"
    )
    await router.offers()
    await router.accepts()
    await ends(router, "piotr")
    assert (await router.conversation()).resolved


async def test_a_matter_reached_by_callback_and_handed_on_is_offered_again(
    router: InMemoryRouter,
) -> None:
    """Its only call was lost; after the transfer ran out it stands in the queue, and is offered there."""
    await router.happens(call("missed"))
    await router.on_duty("piotr")
    it = await router.conversation()
    (key,) = it.matter.callbacks
    await router.does(
        "piotr", "attempt_callback", conversation=it.id, callback_id=key, outcome="reached"
    )
    await router.hands_on("piotr", "cold", queue="warehouse")
    assert await router.passes(121) == ["transfer.expired"]
    await router.on_duty("marek")
    await router.offers()
    assert (await router.offer()).agent == "marek"


# -- whose matter it is -------------------------------------------------------------------------------


async def test_whoever_goes_on_in_an_old_chat_is_the_one_who_signed_in(
    router: InMemoryRouter,
) -> None:
    """The session was a stranger's and its matter is closed; with a proved address it is Anna's, and joins hers."""
    await router.does("service:shop", "register_customer", name="Anna", handles=HANDLES)
    await router.owned_by("piotr", message("hi", "s1", handles=[]))
    await ends(router, "piotr")
    await router.happens(call("started", "CA9"))
    told = await router.happens(message("it is me", "s1", k=1, handles=[mail(proof="proved")]))
    assert "conversation.joined" in told
    anna = (await router.all(CustomerCreated))[0].customer
    assert (await router.conversations())[-1].customer == anna


async def test_without_an_open_matter_a_new_one_opens_for_whom_the_address_names(
    router: InMemoryRouter,
) -> None:
    """A reference leads to an old matter; the address says whose the new one is."""
    await router.does("service:shop", "register_customer", name="Anna", handles=HANDLES)
    await router.owned_by("piotr", message("hi", "s1", handles=[]))
    await ends(router, "piotr")
    await router.happens(message("it is me", "s1", k=1, handles=[mail(proof="proved")]))
    anna = (await router.all(CustomerCreated))[0].customer
    assert (await router.last(ConversationOpened)).customer == anna


# -- people and policies that go ----------------------------------------------------------------------


async def test_a_chat_goes_on_after_its_owner_signed_out(router: InMemoryRouter) -> None:
    """The same session, no new contact: it waits in its queue, and whoever is there is asked."""
    await router.owned_by("piotr", message("hello", "s1"))
    await router.does("piotr", "set_status", status="signed_out")
    await router.on_duty("ewa")
    assert "contact.queued" in await router.happens(message("anybody there?", "s1", k=1))
    await router.offers()
    assert (await router.offer()).agent == "ewa"
    assert (await router.agent("piotr")).working_on == frozenset()


async def test_a_transfer_to_somebody_who_left_runs_out(router: InMemoryRouter) -> None:
    """The colleague is no longer in the policy: nobody is asked, and nothing breaks."""
    await router.owned_by("piotr", call("started"))
    await router.on_duty("marek")
    await router.hands_on("piotr", "warm", agent="marek")
    changes_policy(router, (b"  marek: {name: Marek, queues: [warehouse], teams: [store]}\n", b""))
    assert await router.offers() == []
    assert await router.passes(121) == ["transfer.expired"]
    assert (await router.conversation()).ownership.owner == "piotr"


async def test_a_cold_transfer_whose_sender_left_goes_to_a_queue(router: InMemoryRouter) -> None:
    """Her queues are not known any more: it is the policy's first one."""
    await router.owned_by("piotr", call("started"))
    await router.hands_on("piotr", "cold", agent="marek")
    changes_policy(
        router,
        (b"  piotr: {name: Piotr, queues: [hotline], teams: [desk]}\n", b""),
        (b", supervisor: piotr", b""),
    )
    assert (await router.passes(121))[-1] == "transfer.expired"
    assert (await router.conversation()).ownership.queue == "hotline"


async def test_who_waits_in_a_queue_that_is_gone_is_offered(router: InMemoryRouter) -> None:
    """The queue has another name now: the agents of the policy's first one are asked."""
    await router.happens(message("hello"))
    changes_policy(
        router,
        (b"hotline: {title", b"front: {title"),
        (b"queues: [hotline]", b"queues: [front]"),
        (b"queue: hotline", b"queue: front"),
    )
    await router.on_duty("piotr")
    await router.offers()
    assert (await router.offer()).agent == "piotr"


async def test_a_customer_who_called_before_can_be_registered(router: InMemoryRouter) -> None:
    """She was known provisionally; the shop's registration is hers, with her open matter and her old handles."""
    await router.happens(call("started", handles=[phone()]))
    await router.does("service:shop", "register_customer", name="Anna Nowak", handles=HANDLES[1:])
    await router.does("service:shop", "register_customer", name="Anna Nowak", handles=HANDLES[:1])
    first, second, third = await router.all(CustomerCreated)
    assert (first.customer, second.customer != first.customer) == (third.customer, True)
    customer = await router.customer()
    assert (customer.name, customer.provisional) == ("Anna Nowak", False)


async def test_two_who_wrote_are_registered_as_one(router: InMemoryRouter) -> None:
    """The shop's word outweighs what the network said: both handles lead to her from now on."""
    await router.happens(call("started", handles=[phone()]), message("hi", handles=[mail()]))
    await router.does("service:shop", "register_customer", name="Anna", handles=HANDLES)
    await router.happens(message("again", "m2", channel="email", handles=[mail()]))
    caller, registered = (await router.all(CustomerCreated))[::2]
    joined = await router.last(ConversationJoined)
    assert joined.customer == registered.customer == caller.customer


# -- timers of tries that were never written ----------------------------------------------------------


class LateLedger:
    """Breaks the first append in a way of its own, then is the ledger again."""

    def __init__(self, router: InMemoryRouter) -> None:
        self.real, self.router = router.ledger.append, router
        router.ledger.append = self.append  # type: ignore[method-assign]

    async def append(
        self, tenant: str, writes: Sequence[Write], guards: Sequence[Guard] = ()
    ) -> Appended:
        self.router.ledger.append = self.real  # type: ignore[method-assign]
        return await self.broken(tenant, writes, guards)

    async def broken(self, *_: Any) -> Appended:
        raise LedgerUnavailable()


class AwayMeanwhile(LateLedger):
    """Between decision and append the agent's own change of status was stored."""

    async def broken(self, *given: Any) -> Appended:
        await self.router.does("piotr", "set_status", status="away")
        return await self.real(*given)


def orphan(router: InMemoryRouter, kind: str) -> Timer:
    (timer,) = [each for each in router.timers.due(router.clock.time) if each.kind == kind]
    return timer


async def test_an_offers_old_timer_does_not_end_a_later_one_early(router: InMemoryRouter) -> None:
    """The offer was not written, its timer was armed; made again it has the same id and a later time."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    AwayMeanwhile(router)
    await router.dispatch()
    router.clock.time += timedelta(seconds=30)
    timer = orphan(router, "offer_expiry")
    await router.fire(timer, 1)
    router.clock.time += timedelta(seconds=6)
    await router.does("piotr", "set_status", status="available")
    await router.dispatch()
    assert (await router.offer()).offer_id == timer.id
    router.clock.time += timedelta(seconds=4)
    await router.fire(timer, 2)
    assert (await router.conversation()).ownership.offer is not None
    assert len(await router.all(ContactOffered)) == 1


async def test_another_routers_earlier_timer_ends_the_offer_all_the_same(
    router: InMemoryRouter,
) -> None:
    """It made the same offer, was refused, and had armed last: its timer took the place of the right one."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    offer = await router.offer()
    early = offer.expires - timedelta(milliseconds=100)
    armed = next(timer for timer in router.timers.armed if timer.id == offer.offer_id)
    await router.timers.arm(replace(armed, due=early))
    assert await router.passes(29.95) == []
    assert await router.passes(10) == ["contact.offer_expired", "agent.released"]


async def test_a_transfers_old_timer_does_not_end_it_early(router: InMemoryRouter) -> None:
    """The caller got no answer and sent the same command two minutes later."""
    it = await router.owned_by("piotr", call("started"))
    body = router.body(
        "piotr", "transfer", conversation=it, to={"agent": "marek"}, kind="warm", brief="please"
    )
    LateLedger(router)
    with pytest.raises(LedgerUnavailable):
        await router.commands.handle("transfer", TENANT, body)
    router.clock.time += timedelta(seconds=120)
    timer = orphan(router, "transfer_expiry")
    await router.fire(timer, 1)
    router.clock.time += timedelta(seconds=5)
    await router.commands.handle("transfer", TENANT, body)
    router.clock.time += timedelta(seconds=5)
    await router.fire(timer, 2)
    assert (await router.transfer()).transfer_id == timer.id
    assert await router.passes(121) == ["transfer.expired"]


async def test_the_picture_forgets_what_ended(router: InMemoryRouter) -> None:
    """What is reported of a matter after its end opens nothing in the dispatcher."""
    await router.owned_by("piotr", call("started"))
    await ends(router, "piotr")
    await router.happens(call("ended"))
    await router.offers()
    assert router.dispatcher.picture.open == {}
