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
from tests.router.samples import ANNA, ANNA_MAIL, POLICY_TEXT, TENANT, call, mail, message, phone
from tests.router.world import World

HANDLES = [
    {"kind": "phone", "value": ANNA, "verified": True},
    {"kind": "email", "value": ANNA_MAIL, "verified": True},
]


async def ends(world: World, agent: str) -> None:
    """The owner wraps up and resolves the newest conversation."""
    it = (await world.conversations())[-1]
    await world.does(agent, "wrap_up", conversation=it.id, disposition="solved", summary="done")
    await world.does(agent, "resolve", conversation=it.id)


def changes_policy(world: World, *changes: tuple[bytes, bytes]) -> None:
    """A router of another policy takes over."""
    text = POLICY_TEXT
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    world.policy = policy.parse(text)
    world.restart()


# -- a second call ----------------------------------------------------------------------------------


async def test_a_call_into_an_owned_matter_rings_at_its_owner(world: World) -> None:
    """A menu that answers is nobody's acceptance: the owner is asked, keeps her slot, and stays the owner."""
    await world.owned_by("piotr", message("hello", handles=[phone()]))
    await world.happens(call("started", "CA2"), call("answered", "CA2"))
    assert "contact.offered" in await world.offers()
    assert (await world.offer()).agent == "piotr"
    before = await world.conversation()
    assert await world.accepts() == ["contact.accepted"]
    it = await world.conversation()
    assert (it.ownership.owner, it.ownership.handovers) == ("piotr", before.ownership.handovers)
    assert "callback.requested" not in await world.happens(call("ended", "CA2"))
    assert (await world.agent("piotr")).working_on == {it.id}


async def test_a_call_that_its_owner_does_not_take_owes_a_callback(world: World) -> None:
    """She hangs up after the menu: somebody calls her back, and the owner keeps the matter."""
    await world.owned_by("piotr", message("hello", handles=[phone()]))
    await world.happens(call("started", "CA2"), call("answered", "CA2"))
    await world.offers()
    assert await world.passes(31) == ["contact.offer_expired"]
    assert "callback.requested" in await world.happens(call("ended", "CA2"))
    it = await world.conversation()
    assert (it.ownership.owner, it.ownership.offer) == ("piotr", None)
    assert (await world.agent("piotr")).working_on == {it.id}


async def test_an_owner_who_hands_on_is_no_longer_asked(world: World) -> None:
    """Her own open question is void with the transfer; the colleague has the call with the matter."""
    await world.owned_by("piotr", message("hello", handles=[phone()]))
    await world.happens(call("started", "CA2"))
    await world.offers()
    await world.on_duty("marek")
    await world.hands_on("piotr", "cold", agent="marek")
    assert (await world.agent("piotr")).working_on == frozenset()
    await world.offers()
    assert (await world.offer()).agent == "marek"


async def test_the_owner_of_a_joined_contact_is_named(world: World) -> None:
    """Who must look at it now: the owner on duty; nobody yet, where it waits in a queue."""
    await world.owned_by("piotr", message("hello"))
    await world.happens(message("one more thing", "m2"))
    assert (await world.last(ConversationJoined)).open.to_owner == "piotr"
    await world.happens(message("I am away", "m3", automatic=True))
    assert (await world.last(ConversationJoined)).open.to_owner is None
    await world.does("piotr", "set_status", status="signed_out")
    await world.happens(message("anybody?", "m4"))
    assert (await world.last(ConversationJoined)).open.to_owner is None


# -- after a lost call --------------------------------------------------------------------------------


async def test_a_matter_whose_callback_was_closed_is_offered(world: World) -> None:
    """No call-back is owed any more, and it is not resolved: somebody has to end it."""
    await world.happens(call("missed"))
    it = await world.conversation()
    assert it.ownership.queue == "hotline"
    await world.on_duty("piotr")
    assert await world.offers() == []
    (key,) = it.matter.callbacks
    await world.does(
        "piotr", "close_callback", conversation=it.id, callback_id=key, reason="she wrote"
    )
    await world.offers()
    await world.accepts()
    await ends(world, "piotr")
    assert (await world.conversation()).resolved


async def test_a_matter_reached_by_callback_and_handed_on_is_offered_again(world: World) -> None:
    """Its only call was lost; after the transfer ran out it stands in the queue, and is offered there."""
    await world.happens(call("missed"))
    await world.on_duty("piotr")
    it = await world.conversation()
    (key,) = it.matter.callbacks
    await world.does(
        "piotr", "attempt_callback", conversation=it.id, callback_id=key, outcome="reached"
    )
    await world.hands_on("piotr", "cold", queue="warehouse")
    assert await world.passes(121) == ["transfer.expired"]
    await world.on_duty("marek")
    await world.offers()
    assert (await world.offer()).agent == "marek"


# -- whose matter it is -------------------------------------------------------------------------------


async def test_whoever_goes_on_in_an_old_chat_is_the_one_who_signed_in(world: World) -> None:
    """The session was a stranger's and its matter is closed; with a proved address it is Anna's, and joins hers."""
    await world.does("service:shop", "register_customer", name="Anna", handles=HANDLES)
    await world.owned_by("piotr", message("hi", "s1", handles=[]))
    await ends(world, "piotr")
    await world.happens(call("started", "CA9"))
    told = await world.happens(message("it is me", "s1", k=1, handles=[mail(verified=True)]))
    assert "conversation.joined" in told
    anna = (await world.all(CustomerCreated))[0].customer
    assert (await world.conversations())[-1].customer == anna


async def test_without_an_open_matter_a_new_one_opens_for_whom_the_address_names(
    world: World,
) -> None:
    """A reference leads to an old matter; the address says whose the new one is."""
    await world.does("service:shop", "register_customer", name="Anna", handles=HANDLES)
    await world.owned_by("piotr", message("hi", "s1", handles=[]))
    await ends(world, "piotr")
    await world.happens(message("it is me", "s1", k=1, handles=[mail(verified=True)]))
    anna = (await world.all(CustomerCreated))[0].customer
    assert (await world.last(ConversationOpened)).customer == anna


# -- people and policies that go ----------------------------------------------------------------------


async def test_a_chat_goes_on_after_its_owner_signed_out(world: World) -> None:
    """The same session, no new contact: it waits in its queue, and whoever is there is asked."""
    await world.owned_by("piotr", message("hello", "s1"))
    await world.does("piotr", "set_status", status="signed_out")
    await world.on_duty("ewa")
    assert "contact.queued" in await world.happens(message("anybody there?", "s1", k=1))
    await world.offers()
    assert (await world.offer()).agent == "ewa"
    assert (await world.agent("piotr")).working_on == frozenset()


async def test_a_transfer_to_somebody_who_left_runs_out(world: World) -> None:
    """The colleague is no longer in the policy: nobody is asked, and nothing breaks."""
    await world.owned_by("piotr", call("started"))
    await world.on_duty("marek")
    await world.hands_on("piotr", "warm", agent="marek")
    changes_policy(world, (b"  marek: {name: Marek, queues: [warehouse], teams: [store]}\n", b""))
    assert await world.offers() == []
    assert await world.passes(121) == ["transfer.expired"]
    assert (await world.conversation()).ownership.owner == "piotr"


async def test_a_cold_transfer_whose_sender_left_goes_to_a_queue(world: World) -> None:
    """Her queues are not known any more: it is the policy's first one."""
    await world.owned_by("piotr", call("started"))
    await world.hands_on("piotr", "cold", agent="marek")
    changes_policy(
        world,
        (b"  piotr: {name: Piotr, queues: [hotline], teams: [desk]}\n", b""),
        (b", supervisor: piotr", b""),
    )
    assert await world.passes(121) == ["transfer.expired"]
    assert (await world.conversation()).ownership.queue == "hotline"


async def test_who_waits_in_a_queue_that_is_gone_is_offered(world: World) -> None:
    """The queue has another name now: the agents of the policy's first one are asked."""
    await world.happens(message("hello"))
    changes_policy(
        world,
        (b"hotline: {title", b"front: {title"),
        (b"queues: [hotline]", b"queues: [front]"),
        (b"queue: hotline", b"queue: front"),
    )
    await world.on_duty("piotr")
    await world.offers()
    assert (await world.offer()).agent == "piotr"


async def test_a_customer_who_called_before_can_be_registered(world: World) -> None:
    """She was known provisionally; the shop's registration is hers, with her open matter and her old handles."""
    await world.happens(call("started", handles=[phone()]))
    await world.does("service:shop", "register_customer", name="Anna Nowak", handles=HANDLES[1:])
    await world.does("service:shop", "register_customer", name="Anna Nowak", handles=HANDLES[:1])
    first, second, third = await world.all(CustomerCreated)
    assert (first.customer, second.customer != first.customer) == (third.customer, True)
    customer = await world.customer()
    assert (customer.name, customer.provisional) == ("Anna Nowak", False)


async def test_handles_of_several_customers_are_taken(world: World) -> None:
    """Two people wrote; a registration that names both is refused, and says so."""
    await world.happens(call("started", handles=[phone()]), message("hi", handles=[mail()]))
    code = await world.refused("service:shop", "register_customer", name="Anna", handles=HANDLES)
    assert code == "identity.taken"


# -- timers of tries that were never written ----------------------------------------------------------


class LateLedger:
    """Breaks the first append in a way of its own, then is the ledger again."""

    def __init__(self, world: World) -> None:
        self.real, self.world = world.ledger.append, world
        world.ledger.append = self.append  # type: ignore[method-assign]

    async def append(
        self, tenant: str, writes: Sequence[Write], guards: Sequence[Guard] = ()
    ) -> Appended:
        self.world.ledger.append = self.real  # type: ignore[method-assign]
        return await self.broken(tenant, writes, guards)

    async def broken(self, *_: Any) -> Appended:
        raise LedgerUnavailable()


class AwayMeanwhile(LateLedger):
    """Between decision and append the agent's own change of status was stored."""

    async def broken(self, *given: Any) -> Appended:
        await self.world.does("piotr", "set_status", status="away")
        return await self.real(*given)


def orphan(world: World, kind: str) -> Timer:
    (timer,) = [each for each in world.timers.due(world.clock.time) if each.kind == kind]
    return timer


async def test_an_offers_old_timer_does_not_end_a_later_one_early(world: World) -> None:
    """The offer was not written, its timer was armed; made again it has the same id and a later time."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    AwayMeanwhile(world)
    await world.dispatch()
    world.clock.time += timedelta(seconds=30)
    timer = orphan(world, "offer_expiry")
    await world.fire(timer, 1)
    world.clock.time += timedelta(seconds=6)
    await world.does("piotr", "set_status", status="available")
    await world.dispatch()
    assert (await world.offer()).offer_id == timer.id
    world.clock.time += timedelta(seconds=4)
    await world.fire(timer, 2)
    assert (await world.conversation()).ownership.offer is not None
    assert len(await world.all(ContactOffered)) == 1


async def test_another_routers_earlier_timer_ends_the_offer_all_the_same(world: World) -> None:
    """It made the same offer, was refused, and had armed last: its timer took the place of the right one."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    await world.offers()
    offer = await world.offer()
    early = offer.expires - timedelta(milliseconds=100)
    armed = next(timer for timer in world.timers.armed if timer.id == offer.offer_id)
    await world.timers.arm(replace(armed, due=early))
    assert await world.passes(29.95) == []
    assert await world.passes(10) == ["contact.offer_expired", "agent.released"]


async def test_a_transfers_old_timer_does_not_end_it_early(world: World) -> None:
    """The caller got no answer and sent the same command two minutes later."""
    it = await world.owned_by("piotr", call("started"))
    body = world.body(
        "piotr", "transfer", conversation=it, to={"agent": "marek"}, kind="warm", brief="please"
    )
    LateLedger(world)
    with pytest.raises(LedgerUnavailable):
        await world.commands.handle("transfer", TENANT, body)
    world.clock.time += timedelta(seconds=120)
    timer = orphan(world, "transfer_expiry")
    await world.fire(timer, 1)
    world.clock.time += timedelta(seconds=5)
    await world.commands.handle("transfer", TENANT, body)
    world.clock.time += timedelta(seconds=5)
    await world.fire(timer, 2)
    assert (await world.transfer()).transfer_id == timer.id
    assert await world.passes(121) == ["transfer.expired"]


async def test_the_picture_forgets_what_ended(world: World) -> None:
    """What is reported of a matter after its end opens nothing in the dispatcher."""
    await world.owned_by("piotr", call("started"))
    await ends(world, "piotr")
    await world.happens(call("ended"))
    await world.offers()
    assert world.dispatcher.known == {}
