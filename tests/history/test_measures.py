"""The measures of known histories, figure by figure."""

from datetime import timedelta

import pytest

from services.history.domain.measures import HandledWork, Scope, measured
from shared import policy
from shared.events import Handle
from shared.queries import Measures
from tests.router import samples
from tests.router.in_memory_router import InMemoryRouter
from tests.router.test_missed_balance import two_who_are_one

SINCE = samples.NOON - timedelta(days=1)
UNTIL = samples.NOON + timedelta(days=9)
ASKS = b"feedback: {texts: {en: 'How was it?'}}\n"
CALLS_BACK = policy.parse(
    samples.POLICY_TEXT.replace(b"{fact: menu_digit}", b"{fact: menu_choice, callback: true}")
)


async def figures(router: InMemoryRouter, **scope: str) -> Measures:
    """Return what a ledger says, all of it or within a scope."""
    handled = HandledWork()
    for each in await router.recorded():
        handled.see(each)
    return measured(handled, Scope(since=SINCE, until=UNTIL, **scope))


async def a_call(
    router: InMemoryRouter, name: str, *, waits: float, talks: float, person: int | None = None
) -> str:
    """Somebody calls, waits, is answered by Piotr, who wraps up and resolves it; return the conversation."""
    who = [samples.phone(f"+48601{person or int(name):06}")]
    await router.happens(samples.call("started", name, handles=who, at=router.clock.time))
    await router.passes(waits)
    taken = await router.taken("piotr")
    await router.passes(talks)
    await router.happens(samples.call("ended", name, handles=who, at=router.clock.time, k=1))
    said = {"disposition": "solved", "summary": "done"}
    await router.does("piotr", "wrap_up", conversation=taken, **said)
    await router.does("piotr", "resolve", conversation=taken)
    return taken


async def test_waits_and_handling_are_averaged() -> None:
    """Two calls of 10 and 20 seconds of waiting, talked about for 60 and 180."""
    router = InMemoryRouter()
    await router.on_duty("piotr")
    await a_call(router, "1", waits=10, talks=60)
    await a_call(router, "2", waits=20, talks=180)
    found = await figures(router)
    assert (found.contacts, found.taken, found.abandoned) == (2, 2, 0)
    assert (found.asa_to_taken, found.asa_to_asked, found.aht) == (15, 15, 120)
    assert (found.abandonment, found.transfer_rate) == (0, 0)
    assert (found.fcr_gross, found.fcr_net, found.repeat_contact) == (1, 1, 0)
    assert found.occupancy == pytest.approx(240 / 270)
    assert found.acknowledged == 1


async def test_who_hangs_up_is_abandoned_until_she_is_reached() -> None:
    """One of two; called back after ten minutes."""
    router = InMemoryRouter()
    await router.on_duty("piotr")
    await a_call(router, "1", waits=10, talks=60)
    await router.happens(samples.call("started", "2", at=router.clock.time))
    await router.happens(samples.call("ended", "2", at=router.clock.time, k=1))
    assert (await figures(router)).missed_recovery == 0
    await router.passes(600)
    lost = (await router.conversations())[-1]
    (callback,) = lost.matter.callbacks
    told = {"callback_id": callback, "outcome": "reached"}
    await router.does("piotr", "attempt_callback", conversation=lost.id, **told)
    found = await figures(router)
    assert (found.taken, found.abandoned, found.abandonment) == (1, 1, 0.5)
    assert (found.missed_recovery, found.recovery_seconds) == (1, 600)


async def test_who_asked_to_be_called_back_has_not_given_up() -> None:
    """She is owed a call and is no abandonment; the call that reaches her counts as any other."""
    router = InMemoryRouter(CALLS_BACK)
    await router.happens(samples.call("started", "1"), samples.call("menu", "1", digits="9", k=1))
    await router.happens(samples.call("ended", "1", k=2))
    found = await figures(router)
    assert (found.contacts, found.abandoned, found.abandonment) == (1, 0, None)
    assert found.missed_recovery == 0


async def test_what_customers_say_is_averaged_over_those_who_say_it() -> None:
    """Three are asked, two answer; the answer is no contact."""
    router = InMemoryRouter(policy.parse(samples.POLICY_TEXT + ASKS))
    await router.on_duty("ewa")
    for name, score in (("a", "5"), ("b", "2"), ("c", "")):
        page = Handle(kind="account", value=f"chat:{name}", proof="proved")
        wrote = samples.message("Hello", name, handles=[page], at=router.clock.time)
        await router.happens(wrote)
        taken = await router.taken("ewa")
        wrapped = {"disposition": "solved", "summary": "done"}
        await router.does("ewa", "send_message", conversation=taken, channel="chat", text="Hello")
        await router.does("ewa", "wrap_up", conversation=taken, **wrapped)
        await router.does("ewa", "resolve", conversation=taken)
        await router.passes(60)
        if score:
            answer = samples.message(score, name, handles=[page], at=router.clock.time, k=1)
            await router.happens(answer)
    found = await figures(router)
    assert (found.contacts, found.feedback_score) == (3, 3.5)
    assert found.feedback_rate == pytest.approx(2 / 3)
    assert (await figures(router, agent="piotr")).feedback_rate is None


async def test_who_comes_again_was_not_helped_at_first() -> None:
    """The same person within seven days, and after them."""
    router = InMemoryRouter()
    await router.on_duty("piotr")
    await a_call(router, "1", waits=1, talks=60)
    await router.passes(timedelta(days=6).total_seconds())
    await a_call(router, "2", waits=1, talks=60, person=1)
    found = await figures(router)
    assert (found.fcr_gross, found.repeat_contact) == (0.5, 0.5)
    later = InMemoryRouter()
    await later.on_duty("piotr")
    await a_call(later, "1", waits=1, talks=60)
    await later.passes(timedelta(days=8).total_seconds())
    await a_call(later, "2", waits=1, talks=60, person=1)
    assert (await figures(later)).repeat_contact == 0


async def test_a_transfer_is_no_first_contact_but_net_leaves_it_out() -> None:
    """Handed to the warehouse and solved there: one of two conversations."""
    router = InMemoryRouter()
    await router.on_duty("piotr", "marek")
    await a_call(router, "1", waits=1, talks=60)
    await router.happens(samples.call("started", "2", at=router.clock.time))
    conversation = await router.taken("piotr")
    await router.does(
        "piotr",
        "transfer",
        conversation=conversation,
        to={"agent": "marek"},
        kind="warm",
        brief="x",
    )
    await router.offers()
    transfer = (await router.conversations())[-1].ownership.transfer
    assert transfer is not None
    told = {"conversation": conversation, "transfer_id": transfer.transfer_id}
    await router.does("marek", "accept_transfer", **told)
    await router.happens(samples.call("ended", "2", at=router.clock.time, k=1))
    said = {"disposition": "solved", "summary": "done"}
    await router.does("marek", "wrap_up", conversation=conversation, **said)
    await router.does("marek", "resolve", conversation=conversation)
    found = await figures(router)
    assert (found.transfer_rate, found.fcr_gross, found.fcr_net) == (0.5, 0.5, 1)


async def test_a_scope_leaves_out_what_is_not_asked_for() -> None:
    """Another channel, another agent, another time: nothing to measure is no figure, not a nought."""
    router = InMemoryRouter()
    await router.on_duty("piotr")
    await a_call(router, "1", waits=10, talks=60)
    assert (
        await figures(router, queue="hotline", agent="piotr", channel="twilio_voice")
    ).taken == 1
    for scope in ({"queue": "warehouse"}, {"agent": "ewa"}, {"channel": "chat"}):
        none = await figures(router, **scope)
        assert (none.contacts, none.asa_to_taken, none.fcr_gross) == (0, None, None)


async def gives_up(router: InMemoryRouter, name: str, *, waits: float, asked: bool = False) -> None:
    """Somebody calls and hangs up again, with or without a telephone having rung meanwhile."""
    who = [samples.phone(f"+48602{int(name):06}")]
    await router.happens(samples.call("started", name, handles=who, at=router.clock.time))
    if asked:
        await router.offers()
    await router.passes(waits)
    await router.happens(samples.call("ended", name, handles=who, at=router.clock.time, k=1))


async def test_a_service_level_says_what_is_in_it() -> None:
    """Of two that were taken one within 20 seconds; of two that gave up one at once."""
    router = InMemoryRouter()
    await router.on_duty("piotr")
    await a_call(router, "1", waits=10, talks=60)
    await a_call(router, "2", waits=30, talks=60)
    await gives_up(router, "3", waits=2)
    await gives_up(router, "4", waits=8, asked=True)
    found = await figures(router)
    assert found.service_level_20s_with_abandoned == 1 / 4
    assert found.service_level_20s_without_short_abandoned == 1 / 3
    assert found.service_level_20s_without_abandoned == 1 / 2
    assert (found.abandonment, found.abandonment_before_asked) == (1 / 2, 1 / 4)
    assert found.abandonment_after_asked == 1 / 4


async def test_who_cannot_be_called_back_spoils_no_recovery() -> None:
    """No number is known of one; the other is owed a call."""
    router = InMemoryRouter()
    await router.happens(samples.call("missed", "1", handles=[]))
    assert (await figures(router)).missed_recovery is None
    await router.happens(samples.call("missed", "2"))
    found = await figures(router)
    assert (found.missed, found.missed_recovery) == (2, 0)


async def test_a_call_that_is_owed_is_followed_to_where_its_matter_goes_on() -> None:
    """Two people turn out to be one, each was lost twice: one talk at last settles what both are owed."""
    router = InMemoryRouter()
    await two_who_are_one(router)
    assert (await figures(router)).missed_recovery == 1 / 2
    it = next(each for each in await router.conversations() if not each.resolved)
    assert it.matter.owed is not None
    said = {"conversation": it.id, "callback_id": it.matter.owed.callback_id}
    await router.does("piotr", "attempt_callback", **said, outcome="reached")
    assert (await figures(router)).missed_recovery == 1


async def test_a_matter_that_is_opened_again_was_not_solved_at_first() -> None:
    """The same person with the same matter, within seven days."""
    router = InMemoryRouter()
    await router.on_duty("piotr")
    solved = await a_call(router, "1", waits=1, talks=60)
    assert (await figures(router)).repeat_contact_same_matter == 0
    await router.passes(3_600)
    await router.does("piotr", "reopen", conversation=solved, reason="it broke again")
    found = await figures(router)
    assert (found.repeat_contact, found.repeat_contact_same_matter, found.fcr_gross) == (1, 1, 0)


async def test_occupancy_is_of_the_time_that_is_asked_for() -> None:
    """Ten seconds without work, then a minute with: each by itself, and half of each."""
    router = InMemoryRouter()
    await router.on_duty("piotr")
    began = router.clock.time
    await a_call(router, "1", waits=10, talks=60)
    handled = HandledWork()
    for each in await router.recorded():
        handled.see(each)

    def occupancy(since: float, until: float) -> float | None:
        scope = Scope(
            since=began + timedelta(seconds=since), until=began + timedelta(seconds=until)
        )
        return measured(handled, scope).occupancy

    assert occupancy(0, 10) == 0
    assert occupancy(10, 70) == 1
    assert occupancy(5, 15) == 0.5
    assert occupancy(100, 200) is None
