"""Handing a conversation on: who owns it, and whose slot it takes, at each step."""

from typing import Any

import pytest

from shared.events import ContextPackaged, TransferAccepted, TransferRejected
from tests.router.invariants import check
from tests.router.samples import PARCEL, call, form, message
from tests.router.world import World


async def stands(world: World) -> tuple[Any, Any, set[str]]:
    """Return owner, queue, and the agents who have a slot taken."""
    await check(world)
    it = await world.conversation()
    taken = {name for name in world.policy.agents if (await world.agent(name)).working_on}
    return it.ownership.owner, it.ownership.queue, taken


async def answer(world: World, agent: str, verb: str, **more: Any) -> list[str]:
    it, transfer = await world.conversation(), await world.transfer()
    key = transfer.transfer_id
    return await world.does(agent, verb, conversation=it.id, transfer_id=key, **more)


async def refusal(world: World, agent: str, verb: str, **more: Any) -> str:
    it, transfer = await world.conversation(), await world.transfer()
    key = more.pop("transfer_id", transfer.transfer_id)
    return await world.refused(agent, verb, conversation=it.id, transfer_id=key, **more)


async def begun(world: World, kind: str, **to: str) -> None:
    """Piotr owns a call and hands it on; everybody is at work."""
    await world.owned_by("piotr", call("started"), call("answered"))
    await world.on_duty("ewa", "marek")
    await world.hands_on("piotr", kind, brief="parcel is lost", **to)


async def test_in_a_warm_transfer_the_sender_stays_owner_until_it_is_accepted(world: World) -> None:
    """Ownership and slot move only with the acceptance."""
    await begun(world, "warm", agent="marek")
    assert await stands(world) == ("piotr", None, {"piotr"})
    assert await world.offers() == ["transfer.offered", "agent.reserved"]
    assert await stands(world) == ("piotr", None, {"piotr", "marek"})
    assert await answer(world, "marek", "accept_transfer") == [
        "transfer.accepted",
        "agent.released",
    ]
    assert await stands(world) == ("marek", None, {"marek"})


async def test_a_cold_transfer_frees_the_sender_at_once(world: World) -> None:
    """The sender's slot is free with the request; meanwhile the conversation stands in the target queue."""
    await begun(world, "cold", queue="warehouse")
    assert await stands(world) == (None, "warehouse", set())
    await world.offers()
    assert await stands(world) == (None, "warehouse", {"marek"})
    assert await answer(world, "marek", "accept_transfer") == ["transfer.accepted"]
    assert await stands(world) == ("marek", None, {"marek"})


@pytest.mark.parametrize("to", [{"agent": "marek"}, {"team": "store"}])
async def test_a_cold_transfer_to_people_stands_in_the_queue_it_came_from(
    world: World, to: dict[str, str]
) -> None:
    """On its way to an agent or a team somebody still sees it: the queue where the matter came in (I14)."""
    await begun(world, "cold", **to)
    assert await stands(world) == (None, "hotline", set())


async def test_the_transfers_packet_shows_the_transfer(world: World) -> None:
    """The receiver reads who sends it on, to whom and why, and what the customer told."""
    await world.owned_by("piotr", message(f"my parcel {PARCEL}"))
    await world.on_duty("marek")
    assert await world.hands_on("piotr", "warm", brief="parcel is lost", agent="marek") == [
        "context.packaged",
        "transfer.requested",
    ]
    personal = (await world.last(ContextPackaged)).personal
    assert personal is not None
    hop = personal.packet.path.hops[-1]
    assert (hop.sender, hop.to, hop.brief) == ("piotr", "agent-marek", "parcel is lost")
    assert hop.accepted is None
    assert PARCEL in [fact.value for fact in personal.packet.facts]


async def test_what_came_after_the_request_is_in_the_accepted_packet(world: World) -> None:
    """A fact told during the transfer gets a fresh packet with the acceptance."""
    await begun(world, "warm", agent="marek")
    await world.offers()
    it = await world.conversation()
    await world.does("piotr", "record_fact", conversation=it.id, fact="wish", value="a refund")
    assert await answer(world, "marek", "accept_transfer") == [
        "context.packaged",
        "transfer.accepted",
        "agent.released",
    ]
    personal = (await world.last(ContextPackaged)).personal
    assert personal is not None
    assert [fact.value for fact in personal.packet.facts] == ["a refund"]


async def test_a_refused_warm_transfer_comes_back_to_its_sender(world: World) -> None:
    """The colleague refuses: nobody else is asked, the sender never lost it."""
    await begun(world, "warm", team="desk")
    await world.offers()
    assert await answer(world, "ewa", "reject_transfer", reason="no time") == [
        "transfer.rejected",
        "agent.released",
    ]
    assert (await world.last(TransferRejected)).open.returned_to == "agent-piotr"
    assert await stands(world) == ("piotr", None, {"piotr"})
    assert (await world.conversation()).ownership.hops[-1].outcome == "rejected"


async def test_a_refused_cold_transfer_to_one_agent_goes_to_a_queue(world: World) -> None:
    """The sender is free: the conversation waits in the sender's queue and is offered again."""
    await begun(world, "cold", agent="marek")
    await world.offers()
    await answer(world, "marek", "reject_transfer")
    assert await stands(world) == (None, "hotline", set())
    assert await world.offers() == ["context.packaged", "contact.offered", "agent.reserved"]


async def test_a_refused_cold_transfer_to_a_group_asks_the_next_one(world: World) -> None:
    """Who refused is not asked again, who sends it is never asked; asking the next one costs no packet."""
    await world.owned_by("marek", form("where is it?", topic="delivery"))
    await world.on_duty("piotr", "ewa")
    await world.hands_on("marek", "cold", team="desk")
    await world.offers()
    assert (await world.offer()).agent == "ewa"
    await answer(world, "ewa", "reject_transfer")
    assert (await world.last(TransferRejected)).open.final is False
    assert await stands(world) == (None, "warehouse", set())
    assert await world.offers() == ["transfer.offered", "agent.reserved"]
    assert (await world.offer()).agent == "piotr"
    await answer(world, "piotr", "reject_transfer")
    assert await world.offers() == []
    assert await world.passes(120) == ["transfer.expired"]
    assert await stands(world) == (None, "warehouse", set())


async def test_the_sender_takes_a_warm_transfer_back(world: World) -> None:
    """Cancelling frees the colleague who was asked."""
    await begun(world, "warm", agent="marek")
    await world.offers()
    assert await answer(world, "piotr", "cancel_transfer") == [
        "transfer.cancelled",
        "agent.released",
    ]
    assert await stands(world) == ("piotr", None, {"piotr"})


async def test_the_sender_takes_a_cold_transfer_back(world: World) -> None:
    """She owns it again, has her slot taken again, and her caller does not count as waiting."""
    await begun(world, "cold", agent="marek")
    await world.offers()
    assert await answer(world, "piotr", "cancel_transfer") == [
        "transfer.cancelled",
        "agent.released",
        "agent.reserved",
    ]
    assert await stands(world) == ("piotr", None, {"piotr"})
    assert await world.happens(call("ended")) == ["call.ended"]


async def test_only_the_sender_takes_a_transfer_back(world: World) -> None:
    """A colleague cannot cancel."""
    await begun(world, "warm", agent="marek")
    assert await refusal(world, "ewa", "cancel_transfer") == "conversation.not_owned"


@pytest.mark.parametrize(
    ("kind", "to", "back"),
    [
        ("warm", {"agent": "marek"}, ("piotr", None, {"piotr"})),
        ("cold", {"agent": "marek"}, (None, "hotline", set())),
        ("cold", {"queue": "warehouse"}, (None, "warehouse", set())),
    ],
)
async def test_an_unanswered_transfer_runs_out(
    world: World, kind: str, to: dict[str, str], back: Any
) -> None:
    """A warm one returns to its sender, a cold one to a queue; the colleague's slot is free."""
    await begun(world, kind, **to)
    await world.offers()
    assert await world.passes(120) == ["transfer.expired", "agent.released"]
    assert await stands(world) == back
    assert (await world.conversation()).ownership.hops[-1].outcome == "expired"


async def test_an_answered_transfer_does_not_run_out(world: World) -> None:
    """Its timer finds nothing to do."""
    await begun(world, "warm", agent="marek")
    await world.offers()
    await answer(world, "marek", "accept_transfer")
    assert await world.passes(121) == []


async def test_an_acceptance_after_the_time_is_too_late(world: World) -> None:
    """The transfer's own time decides, not its timer."""
    await begun(world, "warm", agent="marek")
    await world.offers()
    world.clock.time = (await world.transfer()).expires
    assert await refusal(world, "marek", "accept_transfer") == "offer.expired"


async def test_a_transfer_is_answered_by_whom_it_was_offered_to(world: World) -> None:
    """Nobody accepts before the offer, and then only the one who was asked."""
    await begun(world, "warm", team="desk")
    assert await refusal(world, "ewa", "accept_transfer") == "offer.expired"
    await world.offers()
    assert await refusal(world, "marek", "accept_transfer") == "offer.not_yours"
    assert await refusal(world, "marek", "reject_transfer") == "offer.not_yours"
    assert await refusal(world, "ewa", "accept_transfer", transfer_id="t0") == "transfer.not_open"


async def test_an_offer_of_a_transfer_is_no_offer_of_a_contact(world: World) -> None:
    """`accept_offer` does not take a transfer."""
    await begun(world, "warm", agent="marek")
    await world.offers()
    it, offer = await world.conversation(), await world.offer()
    for verb in ("accept_offer", "reject_offer"):
        code = await world.refused("marek", verb, conversation=it.id, offer_id=offer.offer_id)
        assert code == "offer.expired"


async def test_one_transfer_at_a_time(world: World) -> None:
    """A second one is refused while the first is open."""
    await begun(world, "warm", agent="marek")
    it = await world.conversation()
    code = await world.refused(
        "piotr", "transfer", conversation=it.id, to={"agent": "ewa"}, kind="warm", brief="x"
    )
    assert code == "transfer.already_open"


@pytest.mark.parametrize(
    "to",
    [
        {},
        {"agent": "zoe"},
        {"team": "zoo"},
        {"queue": "zoo"},
        {"agent": "piotr"},
        {"agent": "marek", "queue": "warehouse"},
    ],
)
async def test_a_transfer_names_exactly_one_target_that_exists(
    world: World, to: dict[str, str]
) -> None:
    """Nobody, somebody unknown, oneself and two at once are refused."""
    it = await world.owned_by("piotr", call("started"))
    code = await world.refused("piotr", "transfer", conversation=it, to=to, kind="warm", brief="x")
    assert code == "transfer.target_unknown"


async def test_only_the_owner_hands_on(world: World) -> None:
    """Another agent cannot."""
    it = await world.owned_by("piotr", call("started"))
    code = await world.refused(
        "ewa", "transfer", conversation=it, to={"agent": "marek"}, kind="warm", brief="x"
    )
    assert code == "conversation.not_owned"


async def test_the_forwards_are_counted(world: World) -> None:
    """Each accepted transfer is a hop with its receiver; the packet of the next one shows them all."""
    await begun(world, "warm", agent="marek")
    await world.offers()
    await answer(world, "marek", "accept_transfer")
    await world.hands_on("marek", "warm", agent="ewa")
    personal = (await world.last(ContextPackaged)).personal
    assert personal is not None
    assert personal.packet.path.forwards == 1
    assert [hop.accepted is not None for hop in personal.packet.path.hops] == [True, False]
    assert (await world.last(TransferAccepted)).open.sender == "piotr"


async def test_a_call_back_during_a_cold_transfer_ends_the_transfer(world: World) -> None:
    """Whoever reached the customer owns the matter: the hop is superseded and the colleague free."""
    await world.happens(call("started"), call("ended"))
    await world.owned_by("piotr", call("started", "CA2"))
    await world.on_duty("marek", "ewa")
    await world.hands_on("piotr", "cold", agent="marek")
    await world.offers()
    it = await world.conversation()
    (callback,) = it.matter.callbacks
    types = await world.does(
        "ewa", "attempt_callback", conversation=it.id, callback_id=callback, outcome="reached"
    )
    assert types[-1] == "agent.reserved"
    assert await stands(world) == ("ewa", None, {"ewa"})
    assert (await world.conversation()).ownership.hops[-1].outcome == "superseded"
