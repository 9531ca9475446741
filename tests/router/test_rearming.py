"""A stream of timers that was lost loses no deadline: what is still to be asked stands in the ledger."""

import pytest

from shared import timers
from shared.bus.deliveries import StoredMessage
from shared.instants import LATEST
from shared.rearming import PendingTimers
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import call
from tests.router.test_histories import Hands

STEPS = 60
A_DAY = 86_400.0


async def unanswered(router: InMemoryRouter) -> list[timers.Timer]:
    """Return what a router that has lost its timers arms again."""
    found = PendingTimers("router")
    for each in await router.recorded():
        found.see(StoredMessage(each.sequence, "", each.body, {}, each.stored))
    return list(found.timers.values())


async def asked(router: InMemoryRouter) -> set[tuple[str, str]]:
    return {(each.kind, each.id) for each in await unanswered(router)}


async def test_an_offer_is_asked_about_until_it_is_answered() -> None:
    """The offer that stands, and no other; and her wait, until she is taken."""
    router = InMemoryRouter()
    await router.on_duty("piotr", "ewa")
    await router.happens(call("started"))
    await router.offers()
    first = await router.offer()
    waits = ("wait_exceeded", first.contact_id)
    assert await asked(router) == {waits, ("offer_expiry", first.offer_id)}
    conversation = (await router.conversation()).id
    await router.does(
        first.agent, "reject_offer", conversation=conversation, offer_id=first.offer_id
    )
    await router.offers()
    assert await asked(router) == {waits, ("offer_expiry", (await router.offer()).offer_id)}
    await router.accepts()
    assert await asked(router) == set()


async def test_an_offer_that_was_withdrawn_is_not_asked_about() -> None:
    """Whoever was asked has gone, and she waits on."""
    router = InMemoryRouter()
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    await router.does("piotr", "set_status", status="signed_out")
    assert (await router.offers())[0] == "offer.withdrawn"
    assert {kind for kind, _ in await asked(router)} == {"wait_exceeded"}


async def test_an_owed_callback_is_asked_about() -> None:
    """One question for each callback that is owed."""
    router = InMemoryRouter()
    await router.happens(call("started"), call("ended", k=1))
    it = await router.conversation()
    (callback,) = it.matter.callbacks.values()
    (armed,) = await unanswered(router)
    assert (armed.kind, armed.id, armed.due) == (
        "callback_due",
        callback.callback_id,
        callback.due,
    )


@pytest.mark.parametrize("seed", range(500, 506))
async def test_nothing_that_was_due_passes_in_silence_after_a_loss(seed: int) -> None:
    """In a random history all timers are lost; a day later all that was due has been asked about."""
    hands = Hands(seed)
    await hands.begin()
    for _ in range(STEPS):
        await hands.step()
    router = hands.router
    found = await unanswered(router)
    router.timers.due(LATEST)  # all are lost
    for each in found:
        await router.timers.arm(each)
    await router.passes(A_DAY)
    for it in await router.conversations():
        ownership = it.ownership
        assert ownership.offer is None or ownership.offer.expires > router.clock.time
        assert ownership.transfer is None or ownership.transfer.expires > router.clock.time
        late = {
            each.callback_id
            for each in it.matter.callbacks.values()
            if each.status == "open" and each.due <= router.clock.time
        }
        assert it.resolved or late <= set(it.matter.overdue)
