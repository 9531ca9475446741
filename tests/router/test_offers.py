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
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import call, form, mail, message

OFFERED = ["context.packaged", "contact.offered", "agent.reserved"]


async def test_a_waiting_contact_is_offered_with_its_packet(router: InMemoryRouter) -> None:
    """An offer, its packet and the agent's slot are one decision, and nothing else is."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    assert await router.offers() == OFFERED
    offered, reserved = await router.last(ContactOffered), await router.last(AgentReserved)
    packaged = await router.last(ContextPackaged)
    assert offered.open.packet_id == packaged.open.packet_id == reserved.open.packet_id
    assert (offered.open.agent, offered.open.queue) == ("piotr", "hotline")
    (expiry,) = [each for each in router.timers.armed if each.kind == "offer_expiry"]
    assert expiry.due == offered.open.expires


async def test_nobody_on_duty_is_asked_nothing(router: InMemoryRouter) -> None:
    """Without an available agent of the queue the contact waits, and is offered when one signs in."""
    await router.on_duty("marek")
    await router.happens(call("started"))
    assert await router.offers() == []
    await router.on_duty("ewa")
    assert await router.offers() == OFFERED


async def test_whoever_is_idle_longest_is_asked(router: InMemoryRouter) -> None:
    """Of two free agents the longer idle one is asked; the offer says why the other was not."""
    await router.on_duty("piotr")
    await router.passes(5)
    await router.on_duty("ewa")
    await router.happens(call("started"))
    await router.offers()
    offered = await router.last(ContactOffered)
    assert offered.open.agent == "piotr"
    assert offered.open.passed_over == {"ewa": "idle_shorter"}


async def test_whoever_has_least_is_asked_first(router: InMemoryRouter) -> None:
    """Who has room and works already is not idle, however long ago a slot of hers last became free."""
    await router.on_duty("piotr")
    await router.passes(3_600)
    await router.on_duty("ewa")
    for number, name in enumerate(("piotr", "ewa", "piotr")):
        handles = [mail(f"c{number}@mail.example")]
        await router.happens(form("hello", f"f{number}", handles=handles))
        await router.offers()
        assert (await router.last(ContactOffered)).open.agent == name
        if number == 1:
            assert (await router.last(ContactOffered)).open.passed_over == {"piotr": "more_work"}
    await check(router)


async def test_a_full_agent_is_not_asked(router: InMemoryRouter) -> None:
    """An agent with all slots taken is busy."""
    await router.on_duty("ewa")
    for name in ("a", "b", "c"):
        await router.happens(call("started", name, handles=[]))
    await router.offers()
    assert len(await router.all(ContactOffered)) == router.policy.agents["ewa"].slots
    await check(router)


async def test_the_accepting_agent_owns_the_conversation(router: InMemoryRouter) -> None:
    """Acceptance names the packet of the offer and makes the agent the owner; the slot stays taken."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    packet_id = (await router.offer()).packet_id
    assert await router.accepts() == ["contact.accepted"]
    it = await router.conversation()
    assert (it.ownership.owner, it.ownership.queue, it.ownership.offer) == ("piotr", None, None)
    assert (await router.last(ContactAccepted)).open.packet_id == packet_id
    assert it.id in (await router.agent("piotr")).working_on


async def test_what_came_after_the_offer_is_in_the_accepted_packet(router: InMemoryRouter) -> None:
    """A fact stated between offer and acceptance gets a fresh packet, which the acceptance names."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    await router.happens(call("menu", digits="2"))
    assert await router.accepts() == ["context.packaged", "contact.accepted"]
    packaged = (await router.last(ContextPackaged)).personal
    assert packaged is not None
    assert [fact.value for fact in packaged.packet.facts] == ["a parcel"]


async def test_a_refused_offer_frees_the_agent_and_the_contact_waits(
    router: InMemoryRouter,
) -> None:
    """Refusing frees the slot; the same agent is asked again only after a rest."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    rejected = await router.does(
        "piotr", "reject_offer", conversation=it.id, offer_id=offer.offer_id
    )
    assert rejected == ["contact.rejected", "agent.released"]
    assert (await router.agent("piotr")).working_on == frozenset()
    assert (await router.conversation()).ownership.queue == "hotline"
    assert await router.offers() == []
    await router.passes(31)
    assert await router.offers() == ["contact.offered", "agent.reserved"]


async def test_ten_refused_offers_cost_one_packet(router: InMemoryRouter) -> None:
    """While nothing it shows has changed, the last packet is named again."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    for _ in range(10):
        await router.offers()
        it, offer = await router.conversation(), await router.offer()
        await router.does("piotr", "reject_offer", conversation=it.id, offer_id=offer.offer_id)
        await router.passes(31)
    assert len(await router.all(ContactOffered)) == 10
    assert len(await router.all(ContextPackaged)) == 1


async def test_whoever_refused_is_asked_after_the_others(router: InMemoryRouter) -> None:
    """After a refusal the colleague is asked first, however short she has been idle."""
    await router.on_duty("piotr")
    await router.passes(5)
    await router.on_duty("ewa")
    await router.happens(call("started"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    await router.does("piotr", "reject_offer", conversation=it.id, offer_id=offer.offer_id)
    await router.offers()
    assert (await router.offer()).agent == "ewa"


async def test_an_unanswered_offer_lapses(router: InMemoryRouter) -> None:
    """The timer ends an offer that nobody answered and frees the agent; then it cannot be accepted."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    assert await router.passes(30) == ["contact.offer_expired", "agent.released"]
    code = await router.refused(
        "piotr", "accept_offer", conversation=it.id, offer_id=offer.offer_id
    )
    assert code == "offer.expired"
    assert (await router.agent("piotr")).working_on == frozenset()


async def test_an_answer_after_the_time_is_too_late_even_before_the_timer(
    router: InMemoryRouter,
) -> None:
    """The offer's own time decides, not the timer that asks about it."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    router.clock.time = offer.expires
    code = await router.refused(
        "piotr", "accept_offer", conversation=it.id, offer_id=offer.offer_id
    )
    assert code == "offer.expired"


async def test_a_timer_of_an_answered_offer_decides_nothing(router: InMemoryRouter) -> None:
    """A timer is a question: an accepted offer is no longer due."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    await router.accepts()
    assert await router.passes(31) == []


async def test_an_offer_is_answered_by_whom_it_was_made_to(router: InMemoryRouter) -> None:
    """Another agent's answer is refused and changes nothing."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    for verb in ("accept_offer", "reject_offer"):
        code = await router.refused("ewa", verb, conversation=it.id, offer_id=offer.offer_id)
        assert code == "offer.not_yours"


async def test_a_call_that_ends_while_offered_frees_the_agent(router: InMemoryRouter) -> None:
    """The customer hung up: the offer is void, the slot free, a callback owed."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    assert await router.happens(call("ended")) == [
        "call.ended",
        "contact.abandoned",
        "callback.requested",
        "agent.released",
    ]
    code = await router.refused(
        "piotr", "accept_offer", conversation=it.id, offer_id=offer.offer_id
    )
    assert code == "offer.expired"
    assert (await router.last(CallbackRequested)).open.reason == "abandoned"
    assert await router.offers() == []


async def test_an_owner_off_duty_loses_the_conversation_to_the_queue(
    router: InMemoryRouter,
) -> None:
    """When the customer writes again and the owner is gone, her slot is freed and somebody else is asked."""
    await router.owned_by("piotr", message("hello"))
    await router.does("piotr", "set_status", status="signed_out")
    types = await router.happens(message("anybody?", "m2"))
    assert types[-2:] == ["contact.queued", "agent.released"]
    assert (await router.agent("piotr")).working_on == frozenset()
    await router.on_duty("ewa")
    await router.offers()
    assert (await router.offer()).agent == "ewa"
    await check(router)


async def test_an_owner_on_duty_keeps_the_conversation(router: InMemoryRouter) -> None:
    """A further contact of an owned matter is with its owner at once, also while she is away for a moment."""
    await router.owned_by("piotr", message("hello"))
    await router.does("piotr", "set_status", status="away")
    await router.happens(message("one more thing", "m2"))
    assert (await router.conversation()).ownership.owner == "piotr"
    assert await router.offers() == []


async def test_a_handover_without_its_packet_is_not_written(router: InMemoryRouter) -> None:
    """An offer that names no packet standing before it is a fault of ours and is refused."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    offered = await router.last(ContactOffered)
    with pytest.raises(TransferPacketMissing):
        ensure_packets(None, [offered])
    ensure_packets(offered.open.packet_id, [offered])
