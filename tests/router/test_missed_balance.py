"""The missed-contact guarantee: whoever was lost is accounted for at every moment, whatever happens in whatever order.

`tests.router.invariants` checks it after every step; here most of what happens has to do with calls.
"""

from collections import Counter
from datetime import datetime

import pytest

from deploy.missed import account_of
from shared.events import AnyEvent, CallbackRequested, ConversationAbsorbed
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import EVER_SINCE, FOR_EVER, check
from tests.router.samples import call, phone
from tests.router.test_histories import Hands

STEPS = 120


class Callers(Hands):
    """Hands in a shop whose telephone rings, is left alone, and is called back."""

    async def step(self) -> None:
        """Do one thing, then check everything."""
        step = self.random.choice(
            [self.customer_calls, self.call_goes_on, self.agent_works] * 4
            + [self.customer_writes, self.chat_goes_on, self.answered, self.dispatched] * 2
            + [self.agent_comes_or_goes, self.time_passes, self.transfer_moves, self.matter_ends]
        )
        await step()
        await check(self.router, self.checked)
        self.checked = await self.router.ledger.position()


def fates(recorded: list[AnyEvent], until: datetime = FOR_EVER) -> Counter[str]:
    """Return how many contacts were lost of which fate."""
    return Counter(each.fate for each in account_of(recorded).contacts(EVER_SINCE, until))


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_is_lost_is_accounted_for_at_every_moment(seed: int) -> None:
    """Calls, hang-ups, words by other ways, tries, wrong numbers, merges, ends."""
    hands = Callers(seed)
    await hands.begin()
    for _ in range(STEPS):
        await hands.step()
    found = fates([each.event for each in await hands.router.recorded()])
    assert found["unaccounted"] == 0
    assert len(found) > 1, "hardly anything was lost: the play shows nothing"


async def test_the_account_finds_a_call_that_nobody_owes(router: InMemoryRouter) -> None:
    """The control: without the event that owes it, its contact is named."""
    await router.happens(call("missed", "CA1"), call("missed", "CA2", handles=[phone("+48600")]))
    whole = [each.event for each in await router.recorded()]
    assert fates(whole) == {"open": 2}
    damaged = [each for each in whole if each.id != (await router.last(CallbackRequested)).id]
    assert fates(damaged) == {"open": 1, "unaccounted": 1}


async def two_who_are_one(router: InMemoryRouter) -> None:
    """Two people turn out to be one; each was lost, answered when she called again, and lost once more."""
    await router.on_duty("piotr")
    await router.does("service:shop", "register_customer", name="Anna", handles=[])
    anna = router.done.events[0].aggregate.removeprefix("cust-")
    for number in ("+48600100201", "+48600100202"):
        await router.happens(call("missed", number, handles=[phone(number)]))
        (lost,) = [
            each
            for each in await router.conversations()
            if not each.resolved and each.customer != anna
        ]
        await router.happens(call("started", f"again {number}", handles=[phone(number)]))
        await router.taken("piotr")
        await router.happens(call("ended", f"again {number}", handles=[phone(number)]))
        await router.happens(call("missed", f"late {number}", handles=[phone(number)]))
        await router.does("piotr", "confirm_customer", conversation=lost.id, customer=anna)
        await router.passes(60)


async def test_a_call_goes_on_where_its_matter_does(router: InMemoryRouter) -> None:
    """Two people turn out to be one, and each was lost: one call is owed for both, and one talk settles both."""
    await two_who_are_one(router)
    whole = [each.event for each in await router.recorded()]
    (absorbed,) = [each for each in whole if isinstance(each, ConversationAbsorbed)]
    assert absorbed.open.callback_id is not None
    assert fates(whole) == {"reached": 2, "open": 2}
    it = next(each for each in await router.conversations() if not each.resolved)
    assert it.matter.owed is not None
    said = {"conversation": it.id, "callback_id": it.matter.owed.callback_id}
    await router.does("piotr", "attempt_callback", **said, outcome="reached")
    assert fates([each.event for each in await router.recorded()]) == {"reached": 4}
    await check(router)
