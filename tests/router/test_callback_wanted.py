"""Who would rather be called back than wait presses a digit, and keeps her place."""

from datetime import timedelta

import pytest

from shared import policy
from shared.events import CallbackRequested, ContactAbandoned
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import POLICY_TEXT, call

POLICY = policy.parse(
    POLICY_TEXT.replace(
        b'      "9": {fact: menu_digit}',
        b'      "9": {fact: menu_choice, value: a call back, callback: true}\n'
        b'      "8": {fact: menu_choice, value: the store calls, queue: warehouse, callback: true}',
    )
)
FIFTEEN_MINUTES = timedelta(seconds=900)


@pytest.fixture
def router() -> InMemoryRouter:
    """A tenant whose menu offers to call back."""
    return InMemoryRouter(POLICY)


async def test_who_asks_to_be_called_back_keeps_her_place(router: InMemoryRouter) -> None:
    """Her call is due as if it had been owed since she came: before that of who was lost while she waited."""
    await router.happens(call("started"))
    came = router.clock.time
    await router.passes(300)
    at = router.clock.time
    assert (await router.happens(call("menu", digits="9", at=at, k=1)))[-1] == "callback.requested"
    owed = (await router.last(CallbackRequested)).open
    assert (owed.reason, owed.since, owed.due) == ("requested", came, came + FIFTEEN_MINUTES)
    assert owed.policy_version == POLICY.version
    assert (await router.conversation()).ownership.waiting_since == came
    await check(router)


async def test_she_hangs_up_and_is_owed_that_one_call(router: InMemoryRouter) -> None:
    """The contact is lost for the reason that she chose it; nothing more is owed."""
    await router.happens(call("started"), call("menu", digits="9", k=1))
    assert await router.happens(call("ended")) == ["call.ended", "contact.abandoned"]
    lost, owed = await router.last(ContactAbandoned), await router.last(CallbackRequested)
    assert (lost.open.reason, lost.open.callback_id) == ("requested", owed.open.callback_id)
    assert (await router.conversation()).waiting_contact is None
    await check(router)


async def test_pressing_again_asks_for_nothing_more(router: InMemoryRouter) -> None:
    """She is owed one call, however often she says so."""
    await router.happens(call("started"), call("menu", digits="9", k=1))
    assert "callback.requested" not in await router.happens(call("menu", digits="9", k=2))
    assert len(await router.all(CallbackRequested)) == 1


async def test_a_digit_may_name_who_calls_back(router: InMemoryRouter) -> None:
    """It leads to another queue first, and that queue owes the call."""
    await router.happens(call("started"), call("menu", digits="8", k=1))
    assert (await router.last(CallbackRequested)).open.queue == "warehouse"


async def test_who_shows_no_number_waits_on(router: InMemoryRouter) -> None:
    """Nobody could call her: her place is on the line."""
    await router.happens(call("started", handles=[]), call("menu", handles=[], digits="9", k=1))
    assert await router.all(CallbackRequested) == []
    waiting = (await router.conversation()).waiting_contact
    assert waiting is not None
    assert waiting.live


async def test_whom_an_agent_has_she_owes_no_call(router: InMemoryRouter) -> None:
    """A digit that is pressed in a talk asks for nothing."""
    await router.owned_by("ewa", call("started"))
    await router.happens(call("menu", digits="9", k=1))
    assert await router.all(CallbackRequested) == []


async def test_who_stays_on_the_line_may_still_be_taken(router: InMemoryRouter) -> None:
    """An agent who is free before she hangs up talks with her, and no call is owed any more."""
    await router.happens(call("started"), call("menu", digits="9", k=1))
    await router.on_duty("ewa")
    await router.offers()
    assert "callback.reached" in await router.accepts()
    assert (await router.conversation()).matter.owed is None
    await check(router)
