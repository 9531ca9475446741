"""Whoever hung up is called back, and what machines send is nobody's request."""

from datetime import timedelta

from shared.events import (
    CallbackRequested,
    ChannelSwitched,
    ContactAbandoned,
    ContactMissed,
    ContextPackaged,
)
from tests.router.invariants import check
from tests.router.samples import call, mail, message, phone
from tests.router.world import World


async def test_a_call_that_ends_unanswered_owes_a_callback(world: World) -> None:
    """Abandoned: recorded with the queue it waited in and the time until which somebody calls back."""
    await world.happens(call("started"), call("answered"))
    assert await world.happens(call("ended")) == [
        "call.ended",
        "contact.abandoned",
        "callback.requested",
    ]
    lost, owed = await world.last(ContactAbandoned), await world.last(CallbackRequested)
    assert lost.open.callback_id == owed.open.callback_id
    assert (owed.open.queue, owed.open.reason) == ("hotline", "abandoned")
    assert owed.open.due == world.clock.time + timedelta(seconds=900)


async def test_a_call_that_never_connected_owes_a_callback(world: World) -> None:
    """Missed, as the first thing heard of the customer: a conversation of its own in the account's queue."""
    types = await world.happens(call("missed"))
    assert types[-3:] == ["call.missed", "contact.missed", "callback.requested"]
    it = await world.conversation()
    assert (it.ownership.queue, it.ownership.first_queue, it.waiting_contact) == (
        "hotline",
        "hotline",
        None,
    )
    assert (await world.last(ContactMissed)).open.contact_id in it.contacts.by_id


async def test_repeated_tries_share_one_callback(world: World) -> None:
    """She tried three times; she is owed one call."""
    await world.happens(call("missed", "CA1"), call("missed", "CA2"))
    await world.happens(call("started", "CA3"), call("ended", "CA3"))
    assert len(await world.all(CallbackRequested)) == 1
    (it,) = await world.conversations()
    assert len(it.matter.callbacks) == 1
    assert [each.status for each in it.contacts.by_id.values()] == ["lost"] * 3


async def test_a_lost_call_after_a_closed_callback_owes_a_new_one(world: World) -> None:
    """Only an open callback is shared."""
    await world.happens(call("missed", "CA1"))
    it = await world.conversation()
    (key,) = it.matter.callbacks
    await world.does("piotr", "close_callback", conversation=it.id, callback_id=key, reason="spam")
    await world.happens(call("missed", "CA2"))
    assert len((await world.conversation()).matter.callbacks) == 2


async def test_an_accepted_call_that_ends_owes_nothing(world: World) -> None:
    """An agent had it."""
    await world.owned_by("piotr", call("started"), call("answered"))
    assert await world.happens(call("ended")) == ["call.ended"]


async def test_an_unanswered_call_to_an_owner_owes_a_callback_and_stays_hers(world: World) -> None:
    """The owner did not pick up: a callback is owed, the conversation does not go to a queue."""
    await world.owned_by("piotr", message("hello", handles=[phone()]))
    await world.happens(call("started", "CA2"))
    types = await world.happens(call("ended", "CA2"))
    assert types == ["call.ended", "contact.abandoned", "callback.requested"]
    it = await world.conversation()
    assert (it.ownership.owner, it.ownership.queue) == ("piotr", None)


async def test_a_call_known_only_by_a_later_event_is_offered_all_the_same(world: World) -> None:
    """The provider's first webhook was lost: any event of a call begins its contact."""
    await world.on_duty("piotr")
    await world.happens(call("menu"))
    assert (await world.offers())[-1] == "agent.reserved"
    await world.happens(call("started"))
    assert len((await world.conversation()).contacts.by_id) == 1


async def test_a_call_known_only_by_its_end_is_lost(world: World) -> None:
    """Nobody had it: a callback is owed."""
    assert (await world.happens(call("ended")))[-1] == "callback.requested"


async def called_back(world: World, agent: str, outcome: str) -> list[str]:
    it = await world.conversation()
    (key,) = it.matter.callbacks
    return await world.does(
        agent, "attempt_callback", conversation=it.id, callback_id=key, outcome=outcome
    )


async def test_a_callback_that_reaches_the_customer_is_a_hand_over(world: World) -> None:
    """It carries the packet, takes a slot and makes the agent the owner."""
    await world.happens(call("missed"))
    assert await called_back(world, "ewa", "no_answer") == ["callback.attempted"]
    assert await called_back(world, "ewa", "reached") == [
        "context.packaged",
        "callback.reached",
        "agent.reserved",
    ]
    it = await world.conversation()
    assert (it.ownership.owner, [each.status for each in it.matter.callbacks.values()]) == (
        "ewa",
        ["reached"],
    )
    personal = (await world.last(ContextPackaged)).personal
    assert personal is not None
    assert personal.packet.open.callbacks[0].attempts == 1
    await check(world)


async def test_a_callback_frees_whoever_else_was_asked(world: World) -> None:
    """An offer to a colleague is void when somebody reached the customer."""
    await world.happens(call("missed"))
    await world.on_duty("piotr")
    await world.happens(message("why?", handles=[phone()]))
    await world.offers()
    assert (await world.agent("piotr")).working_on
    await called_back(world, "marek", "reached")
    await check(world)
    assert (await world.conversation()).ownership.owner == "marek"


async def test_a_callback_of_an_owned_conversation_is_its_owners(world: World) -> None:
    """Somebody else who reaches the customer is refused: the owner has the matter."""
    await world.happens(call("missed"))
    await world.owned_by("piotr", message("hello", handles=[phone()]))
    it = await world.conversation()
    (key,) = it.matter.callbacks
    code = await world.refused(
        "ewa", "attempt_callback", conversation=it.id, callback_id=key, outcome="reached"
    )
    assert code == "conversation.not_owned"


async def test_a_closed_callback_is_over(world: World) -> None:
    """Neither tried nor closed again; an unknown one is refused alike."""
    await world.happens(call("missed"))
    it = await world.conversation()
    (key,) = it.matter.callbacks
    close = {"conversation": it.id, "reason": "wrong number"}
    assert await world.does("ewa", "close_callback", callback_id=key, **close) == [
        "callback.closed"
    ]
    for other in (key, "unknown"):
        code = await world.refused("ewa", "close_callback", callback_id=other, **close)
        assert code == "callback.not_open"


# -- machines -------------------------------------------------------------------------------------------


async def test_an_automatic_mail_into_an_open_matter_is_nobodys_request(world: World) -> None:
    """It is kept with the matter: no channel switch, no queue, nothing to answer or to wrap up."""
    it = await world.owned_by("piotr", call("started"))
    await world.does("piotr", "set_status", status="signed_out")
    reply = message("I am away", channel="email", automatic=True, in_reply_to=it, handles=[mail()])
    types = await world.happens(reply)
    assert "message.received" in types
    assert not {"contact.queued", "channel.switched"} & set(types)
    after = await world.conversation()
    assert (after.ownership.owner, len(after.contacts.by_id), after.talk.unanswered) == (
        "piotr",
        1,
        0,
    )
    assert [said.text for said in after.talk.said] == ["I am away"]
    assert await world.all(ChannelSwitched) == []


async def test_an_automatic_mail_out_of_nowhere_waits_for_somebody(world: World) -> None:
    """Nobody knows whose it is: it is not lost, and it is not the customer's words."""
    types = await world.happens(message("failure", channel="email", automatic=True))
    assert types[-1] == "contact.queued"
    it = await world.conversation()
    assert (it.matter.summary, it.talk.unanswered) == (None, 0)
