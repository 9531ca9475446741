"""Who is asked to take a contact, and what comes of the question."""

import pytest

from services.router.domain.handover import ensure_packets
from shared.errors import TransferPacketMissing
from shared.events import (
    AgentReserved,
    CallbackRequested,
    ContactAccepted,
    ContactOffered,
    ContextPackaged,
)
from tests.router.invariants import check
from tests.router.samples import call, message
from tests.router.world import World

OFFERED = ["context.packaged", "contact.offered", "agent.reserved"]


async def test_a_waiting_contact_is_offered_with_its_packet(world: World) -> None:
    """An offer, its packet and the agent's slot are one decision, and nothing else is."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    assert await world.offers() == OFFERED
    offered, reserved = await world.last(ContactOffered), await world.last(AgentReserved)
    packaged = await world.last(ContextPackaged)
    assert offered.open.packet_id == packaged.open.packet_id == reserved.open.packet_id
    assert (offered.open.agent, offered.open.queue) == ("piotr", "hotline")
    assert [each.kind for each in world.timers.armed] == ["offer_expiry"]
    assert world.timers.armed[0].due == offered.open.expires


async def test_nobody_on_duty_is_asked_nothing(world: World) -> None:
    """Without an available agent of the queue the contact waits, and is offered when one signs in."""
    await world.on_duty("marek")
    await world.happens(call("started"))
    assert await world.offers() == []
    await world.on_duty("ewa")
    assert await world.offers() == OFFERED


async def test_whoever_is_idle_longest_is_asked(world: World) -> None:
    """Of two free agents the longer idle one is asked; the offer says why the other was not."""
    await world.on_duty("piotr")
    await world.passes(5)
    await world.on_duty("ewa")
    await world.happens(call("started"))
    await world.offers()
    offered = await world.last(ContactOffered)
    assert offered.open.agent == "piotr"
    assert offered.open.passed_over == {"ewa": "idle_shorter"}


async def test_a_full_agent_is_not_asked(world: World) -> None:
    """An agent with all slots taken is busy."""
    await world.on_duty("ewa")
    for name in ("a", "b", "c"):
        await world.happens(call("started", name, handles=[]))
    await world.offers()
    assert len(await world.all(ContactOffered)) == world.policy.agents["ewa"].slots
    await check(world)


async def test_the_accepting_agent_owns_the_conversation(world: World) -> None:
    """Acceptance names the packet of the offer and makes the agent the owner; the slot stays taken."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    await world.offers()
    packet_id = (await world.offer()).packet_id
    assert await world.accepts() == ["contact.accepted"]
    it = await world.conversation()
    assert (it.ownership.owner, it.ownership.queue, it.ownership.offer) == ("piotr", None, None)
    assert (await world.last(ContactAccepted)).open.packet_id == packet_id
    assert it.id in (await world.agent("piotr")).working_on


async def test_what_came_after_the_offer_is_in_the_accepted_packet(world: World) -> None:
    """A fact stated between offer and acceptance gets a fresh packet, which the acceptance names."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    await world.offers()
    await world.happens(call("menu", digits="2"))
    assert await world.accepts() == ["context.packaged", "contact.accepted"]
    packaged = (await world.last(ContextPackaged)).personal
    assert packaged is not None
    assert [fact.value for fact in packaged.packet.facts] == ["a parcel"]


async def test_a_refused_offer_frees_the_agent_and_the_contact_waits(world: World) -> None:
    """Refusing frees the slot; the same agent is asked again only after a rest."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    await world.offers()
    it, offer = await world.conversation(), await world.offer()
    rejected = await world.does(
        "piotr", "reject_offer", conversation=it.id, offer_id=offer.offer_id
    )
    assert rejected == ["contact.rejected", "agent.released"]
    assert (await world.agent("piotr")).working_on == frozenset()
    assert (await world.conversation()).ownership.queue == "hotline"
    assert await world.offers() == []
    await world.passes(31)
    assert await world.offers() == ["contact.offered", "agent.reserved"]


async def test_ten_refused_offers_cost_one_packet(world: World) -> None:
    """While nothing it shows has changed, the last packet is named again."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    for _ in range(10):
        await world.offers()
        it, offer = await world.conversation(), await world.offer()
        await world.does("piotr", "reject_offer", conversation=it.id, offer_id=offer.offer_id)
        await world.passes(31)
    assert len(await world.all(ContactOffered)) == 10
    assert len(await world.all(ContextPackaged)) == 1


async def test_whoever_refused_is_asked_after_the_others(world: World) -> None:
    """After a refusal the colleague is asked first, however short she has been idle."""
    await world.on_duty("piotr")
    await world.passes(5)
    await world.on_duty("ewa")
    await world.happens(call("started"))
    await world.offers()
    it, offer = await world.conversation(), await world.offer()
    await world.does("piotr", "reject_offer", conversation=it.id, offer_id=offer.offer_id)
    await world.offers()
    assert (await world.offer()).agent == "ewa"


async def test_an_unanswered_offer_lapses(world: World) -> None:
    """The timer ends an offer that nobody answered and frees the agent; then it cannot be accepted."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    await world.offers()
    it, offer = await world.conversation(), await world.offer()
    assert await world.passes(30) == ["contact.offer_expired", "agent.released"]
    code = await world.refused("piotr", "accept_offer", conversation=it.id, offer_id=offer.offer_id)
    assert code == "offer.expired"
    assert (await world.agent("piotr")).working_on == frozenset()


async def test_an_answer_after_the_time_is_too_late_even_before_the_timer(world: World) -> None:
    """The offer's own time decides, not the timer that asks about it."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    await world.offers()
    it, offer = await world.conversation(), await world.offer()
    world.clock.time = offer.expires
    code = await world.refused("piotr", "accept_offer", conversation=it.id, offer_id=offer.offer_id)
    assert code == "offer.expired"


async def test_a_timer_of_an_answered_offer_decides_nothing(world: World) -> None:
    """A timer is a question: an accepted offer is no longer due."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    await world.offers()
    await world.accepts()
    assert await world.passes(31) == []


async def test_an_offer_is_answered_by_whom_it_was_made_to(world: World) -> None:
    """Another agent's answer is refused and changes nothing."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    await world.offers()
    it, offer = await world.conversation(), await world.offer()
    for verb in ("accept_offer", "reject_offer"):
        code = await world.refused("ewa", verb, conversation=it.id, offer_id=offer.offer_id)
        assert code == "offer.not_yours"


async def test_a_call_that_ends_while_offered_frees_the_agent(world: World) -> None:
    """The customer hung up: the offer is void, the slot free, a callback owed."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    await world.offers()
    it, offer = await world.conversation(), await world.offer()
    assert await world.happens(call("ended")) == [
        "call.ended",
        "contact.abandoned",
        "callback.requested",
        "agent.released",
    ]
    code = await world.refused("piotr", "accept_offer", conversation=it.id, offer_id=offer.offer_id)
    assert code == "offer.expired"
    assert (await world.last(CallbackRequested)).open.reason == "abandoned"
    assert await world.offers() == []


async def test_an_owner_off_duty_loses_the_conversation_to_the_queue(world: World) -> None:
    """When the customer writes again and the owner is gone, her slot is freed and somebody else is asked."""
    await world.owned_by("piotr", message("hello"))
    await world.does("piotr", "set_status", status="signed_out")
    types = await world.happens(message("anybody?", "m2"))
    assert types[-2:] == ["contact.queued", "agent.released"]
    assert (await world.agent("piotr")).working_on == frozenset()
    await world.on_duty("ewa")
    await world.offers()
    assert (await world.offer()).agent == "ewa"
    await check(world)


async def test_an_owner_on_duty_keeps_the_conversation(world: World) -> None:
    """A further contact of an owned matter is with its owner at once, also while she is away for a moment."""
    await world.owned_by("piotr", message("hello"))
    await world.does("piotr", "set_status", status="away")
    await world.happens(message("one more thing", "m2"))
    assert (await world.conversation()).ownership.owner == "piotr"
    assert await world.offers() == []


async def test_a_handover_without_its_packet_is_not_written(world: World) -> None:
    """An offer that names no packet standing before it is a fault of ours and is refused."""
    await world.on_duty("piotr")
    await world.happens(call("started"))
    await world.offers()
    offered = await world.last(ContactOffered)
    with pytest.raises(TransferPacketMissing):
        ensure_packets(None, [offered])
    ensure_packets(offered.open.packet_id, [offered])
