"""Whoever is not there owns nothing: her matters, and what would return to her, wait for somebody who is there."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared import policy
from shared.errors import LedgerUnavailable
from shared.events import (
    ContextPackaged,
    ConversationReturned,
    OfferWithdrawn,
    TransferExpired,
    TransferRejected,
)
from shared.ledger import Appended, Guard, Write
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import POLICY_TEXT, call, form, mail, message

PIOTR = b"  piotr: {name: Piotr, queues: [hotline], teams: [desk]}\n"


def without_piotr(router: InMemoryRouter) -> None:
    """A router takes over whose policy has no Piotr."""
    text = POLICY_TEXT.replace(PIOTR, b"").replace(b", supervisor: piotr", b"")
    router.policy = policy.parse(text)
    router.restart()


async def stands(router: InMemoryRouter) -> tuple[Any, Any, set[str]]:
    """Return owner, queue, and the agents who have a slot taken."""
    await check(router)
    it = await router.conversation()
    names = ("piotr", "ewa", "marek")
    return (
        it.ownership.owner,
        it.ownership.queue,
        {name for name in names if (await router.agent(name)).working_on},
    )


async def goes(router: InMemoryRouter, agent: str, status: str = "signed_out") -> None:
    await router.does(agent, "set_status", status=status)


async def answers(router: InMemoryRouter, agent: str, verb: str) -> None:
    it, transfer = await router.conversation(), await router.transfer()
    await router.does(agent, verb, conversation=it.id, transfer_id=transfer.transfer_id)


# -- an owner who goes --------------------------------------------------------------------------------


async def test_what_a_signed_out_owner_leaves_is_offered_to_somebody_who_is_there(
    router: InMemoryRouter,
) -> None:
    """It stands in its queue with the packet, her slot is free, and the next one is asked."""
    await router.owned_by("piotr", message("hello"))
    await router.on_duty("ewa")
    await goes(router, "piotr")
    assert await router.offers() == [
        "context.packaged",
        "conversation.returned",
        "contact.wait_started",
        "agent.released",
        "contact.offered",
        "agent.reserved",
    ]
    left = await router.last(ConversationReturned)
    assert (left.open.owner, left.open.queue, left.open.reason) == (
        "piotr",
        "hotline",
        "signed_out",
    )
    assert left.open.packet_id == (await router.last(ContextPackaged)).open.packet_id
    assert await stands(router) == (None, "hotline", {"ewa"})


async def test_every_matter_of_hers_is_returned(router: InMemoryRouter) -> None:
    """Each is decided for itself, also after a crash between two of them."""
    await router.on_duty("piotr")
    for number in (1, 2, 3):
        await router.happens(message("hi", f"s{number}", handles=[mail(f"c{number}@mail.example")]))
        await router.offers()
        it = (await router.conversations())[-1]
        assert it.ownership.offer is not None
        await router.does(
            "piotr", "accept_offer", conversation=it.id, offer_id=it.ownership.offer.offer_id
        )
    await goes(router, "piotr")
    stored, after = router.ledger.append, 1

    async def dies(tenant: str, writes: Sequence[Write], guards: Sequence[Guard] = ()) -> Appended:
        nonlocal after
        if not after:
            raise LedgerUnavailable()
        after -= 1
        return await stored(tenant, writes, guards)

    router.ledger.append = dies  # type: ignore[method-assign]
    await router.dispatch()
    router.ledger.append = stored  # type: ignore[method-assign]
    assert len(await router.all(ConversationReturned)) == 1
    router.restart()
    await router.offers()
    owners = [it.ownership.owner for it in await router.conversations()]
    assert (owners, (await router.agent("piotr")).working_on) == ([None] * 3, frozenset())


async def test_a_tenant_who_leaves_meanwhile_ends_nobodys_dispatching(
    router: InMemoryRouter,
) -> None:
    """Of her matters some are returned by then, and the others are as they were."""
    await router.on_duty("ewa")
    for number in (1, 2):
        await router.happens(message("hi", f"s{number}", handles=[mail(f"c{number}@mail.example")]))
        await router.offers()
        it = (await router.conversations())[-1]
        assert it.ownership.offer is not None
        await router.does(
            "ewa", "accept_offer", conversation=it.id, offer_id=it.ownership.offer.offer_id
        )
    await goes(router, "ewa")
    await router.follow()
    stored = router.ledger.append

    async def leaves(
        tenant: str, writes: Sequence[Write], guards: Sequence[Guard] = ()
    ) -> Appended:
        router.cases.policies.take([])
        router.dispatcher.take_up([tenant])
        return await stored(tenant, writes, guards)

    router.ledger.append = leaves  # type: ignore[method-assign]
    await router.dispatcher.return_all()
    assert len(await router.all(ConversationReturned)) == 1


async def test_an_owner_whom_the_policy_drops_owns_nothing(router: InMemoryRouter) -> None:
    """She is signed in for ever, as nobody can sign her out any more."""
    await router.owned_by("piotr", message("hello"))
    without_piotr(router)
    assert (await router.offers())[1:] == [
        "conversation.returned",
        "contact.wait_started",
        "agent.released",
    ]
    assert (await router.last(ConversationReturned)).open.reason == "not_in_policy"
    assert await stands(router) == (None, "hotline", set())


async def test_a_pause_takes_nothing_from_an_owner(router: InMemoryRouter) -> None:
    """Away is a pause: what she has stays hers."""
    await router.owned_by("piotr", message("hello"))
    await goes(router, "piotr", "away")
    assert await router.offers() == []
    assert await stands(router) == ("piotr", None, {"piotr"})


async def test_who_is_back_before_it_was_decided_keeps_her_matter(router: InMemoryRouter) -> None:
    """The ledger decides, not what a dispatcher has seen of it."""
    await router.owned_by("piotr", message("hello"))
    await goes(router, "piotr")
    await router.follow()
    assert router.dispatcher.picture.left
    await router.on_duty("piotr")
    await router.dispatcher.return_all()
    assert await router.all(ConversationReturned) == []
    assert await stands(router) == ("piotr", None, {"piotr"})


async def test_a_call_that_rings_at_an_owner_who_goes_rings_at_the_next(
    router: InMemoryRouter,
) -> None:
    """Her open question is void with her matter."""
    await router.owned_by("piotr", message("hello", handles=[mail()]))
    await router.happens(call("started", handles=[mail()]))
    await router.offers()
    assert (await router.offer()).agent == "piotr"
    await router.on_duty("ewa")
    await goes(router, "piotr")
    await router.offers()
    assert await stands(router) == (None, "hotline", {"ewa"})


async def test_who_has_gone_takes_nothing(router: InMemoryRouter) -> None:
    """The offer stands until the dispatcher has looked, and her screen until she closes it: it is not hers by then."""
    await router.on_duty("piotr")
    await router.happens(message("hello"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    await goes(router, "piotr")
    code = await router.refused(
        "piotr", "accept_offer", conversation=it.id, offer_id=offer.offer_id
    )
    assert code == "agent.signed_out"
    await router.on_duty("ewa")
    await router.offers()
    assert (await router.offer()).agent == "ewa"


async def test_who_has_gone_takes_no_transfer(router: InMemoryRouter) -> None:
    """As no offer."""
    it = await router.owned_by("piotr", message("hello"))
    await router.on_duty("marek")
    await router.hands_on("piotr", "warm", agent="marek")
    await router.offers()
    transfer = await router.transfer()
    await goes(router, "marek")
    code = await router.refused(
        "marek", "accept_transfer", conversation=it, transfer_id=transfer.transfer_id
    )
    assert code == "agent.signed_out"


async def test_a_matter_that_was_handed_to_a_queue_returns_there(router: InMemoryRouter) -> None:
    """It belongs to the last queue that took it, not to where it once came in."""
    await router.owned_by("piotr", message("hello"))
    await router.on_duty("marek")
    await router.hands_on("piotr", "cold", queue="warehouse")
    await router.offers()
    await answers(router, "marek", "accept_transfer")
    await goes(router, "marek")
    await router.offers()
    assert await stands(router) == (None, "warehouse", set())


async def test_a_finished_call_of_an_owner_who_goes_is_somebodys_work(
    router: InMemoryRouter,
) -> None:
    """Nobody is on the line any more, and the matter is not resolved: the next one is asked."""
    await router.owned_by("piotr", call("started"))
    await router.happens(call("ended"))
    await router.on_duty("ewa")
    await goes(router, "piotr")
    await router.offers()
    assert (await router.offer()).agent == "ewa"


# -- whoever is asked and goes ---------------------------------------------------------------------------


async def test_what_was_offered_to_somebody_who_goes_is_offered_to_the_next_at_once(
    router: InMemoryRouter,
) -> None:
    """Nobody waits until her time is over; she has not refused, and may be asked again when she is back."""
    await router.on_duty("piotr")
    await router.happens(message("hello"))
    await router.offers()
    assert (await router.offer()).agent == "piotr"
    await router.on_duty("ewa")
    await goes(router, "piotr")
    assert await router.offers() == [
        "offer.withdrawn",
        "agent.released",
        "contact.offered",
        "agent.reserved",
    ]
    withdrawn = (await router.last(OfferWithdrawn)).open
    assert (withdrawn.agent, withdrawn.reason) == ("piotr", "signed_out")
    assert (await router.conversation()).ownership.passed_over == {}
    assert await stands(router) == (None, "hotline", {"ewa"})


async def test_an_offer_ends_with_the_policy_that_knew_whom_to_ask(router: InMemoryRouter) -> None:
    """She is signed in for ever, and nobody can answer for her."""
    await router.on_duty("piotr")
    await router.happens(message("hello"))
    await router.offers()
    assert (await router.offer()).agent == "piotr"
    await router.on_duty("ewa")
    without_piotr(router)
    assert (await router.offers())[0] == "offer.withdrawn"
    assert (await router.last(OfferWithdrawn)).open.reason == "not_in_policy"
    assert (await router.offer()).agent == "ewa"


async def test_whoever_pauses_may_still_answer_her_offer(router: InMemoryRouter) -> None:
    """Away is a pause: she takes it, or her time is over."""
    await router.on_duty("piotr")
    await router.happens(message("hello"))
    await router.offers()
    await router.on_duty("ewa")
    await goes(router, "piotr", "away")
    assert await router.offers() == []
    assert (await router.offer()).agent == "piotr"


@pytest.mark.parametrize("kind", ["warm", "cold"])
async def test_a_transfer_asks_the_next_one_when_a_colleague_goes(
    router: InMemoryRouter, kind: str
) -> None:
    """It goes on; its time runs as before."""
    await router.owned_by("marek", form("where is it?", topic="delivery"))
    await router.on_duty("piotr", "ewa")
    await router.hands_on("marek", kind, team="desk")
    await router.offers()
    transfer, first = await router.transfer(), (await router.offer()).agent
    await goes(router, first)
    assert (await router.offers())[-2:] == ["transfer.offered", "agent.reserved"]
    second = await router.offer()
    assert {first, second.agent} == {"piotr", "ewa"}
    assert (second.transfer_id, second.expires) == (transfer.transfer_id, transfer.expires)


async def test_a_transfer_to_a_colleague_who_goes_returns_at_once(router: InMemoryRouter) -> None:
    """Nobody else can be asked: its sender may know another way."""
    await router.owned_by("piotr", call("started"))
    await router.on_duty("marek")
    await router.hands_on("piotr", "warm", agent="marek")
    await router.offers()
    await goes(router, "marek")
    assert await router.offers() == ["offer.withdrawn", "transfer.expired", "agent.released"]
    assert (await router.last(TransferExpired)).open.returned_to == "agent-piotr"
    assert await stands(router) == ("piotr", None, {"piotr"})


# -- what would return to her ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["away", "signed_out"])
async def test_what_nobody_took_does_not_return_to_somebody_who_is_not_there(
    router: InMemoryRouter, status: str
) -> None:
    """The transfer ends in the queue that the matter belongs to, not in the one that did not take it."""
    await router.owned_by("piotr", call("started"))
    await router.hands_on("piotr", "warm", queue="warehouse")
    await goes(router, "piotr", status)
    assert await router.offers() == []
    assert await router.passes(121) == [
        "transfer.expired",
        "contact.wait_started",
        "agent.released",
    ]
    assert (await router.last(TransferExpired)).open.returned_to == "queue-hotline"
    assert await stands(router) == (None, "hotline", set())


@pytest.mark.parametrize("status", ["away", "signed_out"])
async def test_what_is_refused_does_not_return_to_somebody_who_is_not_there(
    router: InMemoryRouter, status: str
) -> None:
    """As what ran out of time."""
    await router.owned_by("piotr", call("started"))
    await router.on_duty("marek")
    await router.hands_on("piotr", "warm", agent="marek")
    await router.offers()
    await goes(router, "piotr", status)
    await answers(router, "marek", "reject_transfer")
    assert (await router.last(TransferRejected)).open.returned_to == "queue-hotline"
    assert await stands(router) == (None, "hotline", set())


async def test_what_a_sender_who_goes_takes_back_goes_to_its_queue(router: InMemoryRouter) -> None:
    """She took it back, and is not there."""
    await router.owned_by("piotr", call("started"))
    await router.hands_on("piotr", "cold", queue="warehouse")
    await goes(router, "piotr")
    await answers(router, "piotr", "cancel_transfer")
    await router.offers()
    assert await stands(router) == (None, "hotline", set())


async def test_a_refused_warm_transfer_to_a_group_asks_the_next_one(router: InMemoryRouter) -> None:
    """As a cold one does; meanwhile its sender stays the owner."""
    await router.owned_by("marek", form("where is it?", topic="delivery"))
    await router.on_duty("piotr", "ewa")
    await router.hands_on("marek", "warm", team="desk")
    await router.offers()
    first = (await router.offer()).agent
    await answers(router, first, "reject_transfer")
    assert (await router.last(TransferRejected)).open.final is False
    assert await router.offers() == ["transfer.offered", "agent.reserved"]
    second = (await router.offer()).agent
    assert {first, second} == {"piotr", "ewa"}
    assert await stands(router) == ("marek", None, {"marek", second})


async def test_a_warm_transfer_that_all_have_refused_comes_back_at_once(
    router: InMemoryRouter,
) -> None:
    """Nobody is left to ask: waiting for its time would help nobody."""
    await router.owned_by("marek", form("where is it?", topic="delivery"))
    await router.on_duty("piotr", "ewa")
    await router.hands_on("marek", "warm", team="desk")
    for _ in (1, 2):
        await router.offers()
        await answers(router, (await router.offer()).agent, "reject_transfer")
    assert (await router.last(TransferRejected)).open.returned_to == "agent-marek"
    assert await stands(router) == ("marek", None, {"marek"})
