"""Handing a conversation on: who owns it, and whose slot it takes, at each step."""

from typing import Any

import pytest

from shared.events import ContextPackaged, TransferAccepted, TransferRejected
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import PARCEL, call, form, message, phone


async def stands(router: InMemoryRouter) -> tuple[Any, Any, set[str]]:
    """Return owner, queue, and the agents who have a slot taken."""
    await check(router)
    it = await router.conversation()
    taken = {name for name in router.policy.agents if (await router.agent(name)).working_on}
    return it.ownership.owner, it.ownership.queue, taken


async def answer(router: InMemoryRouter, agent: str, verb: str, **more: Any) -> list[str]:
    it, transfer = await router.conversation(), await router.transfer()
    key = transfer.transfer_id
    return await router.does(agent, verb, conversation=it.id, transfer_id=key, **more)


async def refusal(router: InMemoryRouter, agent: str, verb: str, **more: Any) -> str:
    it, transfer = await router.conversation(), await router.transfer()
    key = more.pop("transfer_id", transfer.transfer_id)
    return await router.refused(agent, verb, conversation=it.id, transfer_id=key, **more)


async def begun(router: InMemoryRouter, kind: str, **to: str) -> None:
    """Piotr owns a call and hands it on; everybody is at work."""
    await router.owned_by("piotr", call("started"), call("answered"))
    await router.on_duty("ewa", "marek")
    await router.hands_on("piotr", kind, brief="parcel is lost", **to)


async def test_in_a_warm_transfer_the_sender_stays_owner_until_it_is_accepted(
    router: InMemoryRouter,
) -> None:
    """Ownership and slot move only with the acceptance."""
    await begun(router, "warm", agent="marek")
    assert await stands(router) == ("piotr", None, {"piotr"})
    assert await router.offers() == ["transfer.offered", "agent.reserved"]
    assert await stands(router) == ("piotr", None, {"piotr", "marek"})
    assert await answer(router, "marek", "accept_transfer") == [
        "transfer.accepted",
        "agent.released",
    ]
    assert await stands(router) == ("marek", None, {"marek"})


@pytest.mark.parametrize("away", [(), ("ewa",)], ids=["another is there", "nobody else is there"])
async def test_who_handed_it_on_gets_it_back_last(
    router: InMemoryRouter, away: tuple[str, ...]
) -> None:
    """Nobody of the warehouse took it, nor Marek, who was meant: others are asked before her, and she rests as well."""
    await begun(router, "cold", agent="marek")
    for name in (*away, "marek"):
        await router.does(name, "set_status", status="away")
    await router.passes(120)
    first = await router.offers()
    if not away:
        assert (await router.offer()).agent == "ewa"
        return
    assert first == []
    await router.passes(30)
    await router.offers()
    assert (await router.offer()).agent == "piotr"


async def test_a_cold_transfer_frees_the_sender_at_once(router: InMemoryRouter) -> None:
    """The sender's slot is free with the request; meanwhile the conversation stands in the target queue."""
    await begun(router, "cold", queue="warehouse")
    assert await stands(router) == (None, "warehouse", set())
    await router.offers()
    assert await stands(router) == (None, "warehouse", {"marek"})
    assert await answer(router, "marek", "accept_transfer") == ["transfer.accepted"]
    assert await stands(router) == ("marek", None, {"marek"})


@pytest.mark.parametrize("to", [{"agent": "marek"}, {"team": "store"}])
async def test_a_cold_transfer_to_people_stands_in_the_queue_it_came_from(
    router: InMemoryRouter, to: dict[str, str]
) -> None:
    """On its way to an agent or a team somebody still sees it: the queue where the matter came in (I14)."""
    await begun(router, "cold", **to)
    assert await stands(router) == (None, "hotline", set())


async def test_the_transfers_packet_shows_the_transfer(router: InMemoryRouter) -> None:
    """The receiver reads who sends it on, to whom and why, and what the customer told."""
    await router.owned_by("piotr", message(f"my parcel {PARCEL}"))
    await router.on_duty("marek")
    assert await router.hands_on("piotr", "warm", brief="parcel is lost", agent="marek") == [
        "context.packaged",
        "transfer.requested",
    ]
    personal = (await router.last(ContextPackaged)).personal
    assert personal is not None
    hop = personal.packet.path.hops[-1]
    assert (hop.sender, hop.to, hop.brief) == ("piotr", "agent-marek", "parcel is lost")
    assert hop.accepted is None
    assert PARCEL in [fact.value for fact in personal.packet.facts]


async def test_what_came_after_the_request_is_in_the_accepted_packet(
    router: InMemoryRouter,
) -> None:
    """A fact told during the transfer gets a fresh packet with the acceptance."""
    await begun(router, "warm", agent="marek")
    await router.offers()
    it = await router.conversation()
    await router.does("piotr", "record_fact", conversation=it.id, fact="wish", value="a refund")
    assert await answer(router, "marek", "accept_transfer") == [
        "context.packaged",
        "transfer.accepted",
        "agent.released",
    ]
    personal = (await router.last(ContextPackaged)).personal
    assert personal is not None
    assert [fact.value for fact in personal.packet.facts] == ["a refund"]


async def test_a_refused_warm_transfer_comes_back_to_its_sender(router: InMemoryRouter) -> None:
    """The colleague refuses and nobody else is left to ask: the sender never lost it."""
    await begun(router, "warm", team="desk")
    await router.offers()
    assert await answer(router, "ewa", "reject_transfer", reason="no time") == [
        "transfer.rejected",
        "agent.released",
    ]
    assert (await router.last(TransferRejected)).open.returned_to == "agent-piotr"
    assert await stands(router) == ("piotr", None, {"piotr"})
    assert (await router.conversation()).ownership.hops[-1].outcome == "rejected"


async def test_a_refused_cold_transfer_to_one_agent_goes_to_a_queue(router: InMemoryRouter) -> None:
    """The sender is free: the conversation waits in the sender's queue and is offered again."""
    await begun(router, "cold", agent="marek")
    await router.offers()
    await answer(router, "marek", "reject_transfer")
    assert await stands(router) == (None, "hotline", set())
    assert await router.offers() == ["context.packaged", "contact.offered", "agent.reserved"]


async def test_a_refused_cold_transfer_to_a_group_asks_the_next_one(router: InMemoryRouter) -> None:
    """Who refused is not asked again, who sends it is never asked; asking the next one costs no packet."""
    await router.owned_by("marek", form("where is it?", topic="delivery"))
    await router.on_duty("piotr", "ewa")
    await router.hands_on("marek", "cold", team="desk")
    await router.offers()
    assert (await router.offer()).agent == "ewa"
    await answer(router, "ewa", "reject_transfer")
    assert (await router.last(TransferRejected)).open.final is False
    assert await stands(router) == (None, "warehouse", set())
    assert await router.offers() == ["transfer.offered", "agent.reserved"]
    assert (await router.offer()).agent == "piotr"
    await answer(router, "piotr", "reject_transfer")
    assert await router.offers() == []
    assert await router.passes(120) == ["transfer.expired"]
    assert await stands(router) == (None, "warehouse", set())


async def test_the_sender_takes_a_warm_transfer_back(router: InMemoryRouter) -> None:
    """Cancelling frees the colleague who was asked."""
    await begun(router, "warm", agent="marek")
    await router.offers()
    assert await answer(router, "piotr", "cancel_transfer") == [
        "transfer.cancelled",
        "agent.released",
    ]
    assert await stands(router) == ("piotr", None, {"piotr"})


async def test_the_sender_takes_a_cold_transfer_back(router: InMemoryRouter) -> None:
    """She owns it again, has her slot taken again, and her caller does not count as waiting."""
    await begun(router, "cold", agent="marek")
    await router.offers()
    assert await answer(router, "piotr", "cancel_transfer") == [
        "transfer.cancelled",
        "agent.released",
        "agent.reserved",
    ]
    assert await stands(router) == ("piotr", None, {"piotr"})
    assert await router.happens(call("ended")) == ["call.ended"]


@pytest.mark.parametrize(
    ("kind", "to", "back"),
    [
        ("warm", {"agent": "marek"}, ("piotr", None, {"piotr"})),
        ("cold", {"agent": "marek"}, (None, "hotline", set())),
        ("cold", {"queue": "warehouse"}, (None, "warehouse", set())),
    ],
)
async def test_an_unanswered_transfer_runs_out(
    router: InMemoryRouter, kind: str, to: dict[str, str], back: Any
) -> None:
    """A warm one returns to its sender, a cold one to a queue; the colleague's slot is free."""
    await begun(router, kind, **to)
    await router.offers()
    waited = ["contact.wait_exceeded"] * 3 if kind == "cold" else []
    assert await router.passes(120) == [*waited, "transfer.expired", "agent.released"]
    assert await stands(router) == back
    assert (await router.conversation()).ownership.hops[-1].outcome == "expired"


async def test_an_answered_transfer_does_not_run_out(router: InMemoryRouter) -> None:
    """Its timer finds nothing to do."""
    await begun(router, "warm", agent="marek")
    await router.offers()
    await answer(router, "marek", "accept_transfer")
    assert await router.passes(121) == []


async def test_an_acceptance_after_the_time_is_too_late(router: InMemoryRouter) -> None:
    """The transfer's own time decides, not its timer."""
    await begun(router, "warm", agent="marek")
    await router.offers()
    router.clock.time = (await router.transfer()).expires
    assert await refusal(router, "marek", "accept_transfer") == "offer.expired"


async def test_a_transfer_is_answered_by_whom_it_was_offered_to(router: InMemoryRouter) -> None:
    """Nobody accepts before the offer, and then only the one who was asked."""
    await begun(router, "warm", team="desk")
    assert await refusal(router, "ewa", "accept_transfer") == "offer.expired"
    await router.offers()
    assert await refusal(router, "marek", "accept_transfer") == "offer.not_yours"
    assert await refusal(router, "marek", "reject_transfer") == "offer.not_yours"
    assert await refusal(router, "ewa", "accept_transfer", transfer_id="t0") == "transfer.not_open"


async def test_an_offer_of_a_transfer_is_no_offer_of_a_contact(router: InMemoryRouter) -> None:
    """`accept_offer` does not take a transfer."""
    await begun(router, "warm", agent="marek")
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    for verb in ("accept_offer", "reject_offer"):
        code = await router.refused("marek", verb, conversation=it.id, offer_id=offer.offer_id)
        assert code == "offer.expired"


async def test_the_forwards_are_counted(router: InMemoryRouter) -> None:
    """Each accepted transfer is a hop with its receiver; the packet of the next one shows them all."""
    await begun(router, "warm", agent="marek")
    await router.offers()
    await answer(router, "marek", "accept_transfer")
    await router.hands_on("marek", "warm", agent="ewa")
    personal = (await router.last(ContextPackaged)).personal
    assert personal is not None
    assert personal.packet.path.forwards == 1
    assert [hop.accepted is not None for hop in personal.packet.path.hops] == [True, False]
    assert (await router.last(TransferAccepted)).open.sender == "piotr"


async def test_a_call_back_during_a_cold_transfer_ends_the_transfer(router: InMemoryRouter) -> None:
    """Whoever reached the customer owns the matter: the hop is superseded and the colleague free."""
    await router.happens(call("started"), call("ended"))
    await router.owned_by("piotr", message("hello", channel="email", handles=[phone()]))
    await router.on_duty("marek", "ewa")
    await router.hands_on("piotr", "cold", agent="marek")
    await router.offers()
    it = await router.conversation()
    (callback,) = it.matter.callbacks
    types = await router.does(
        "ewa", "attempt_callback", conversation=it.id, callback_id=callback, outcome="reached"
    )
    assert types[-1] == "agent.reserved"
    assert await stands(router) == ("ewa", None, {"ewa"})
    assert (await router.conversation()).ownership.hops[-1].outcome == "superseded"
