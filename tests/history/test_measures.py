"""The measures of known histories, figure by figure."""

from datetime import timedelta

import pytest

from services.history.domain.measures import HandledWork, Scope, measured
from shared import policy
from shared.events import Handle
from shared.queries import Measures
from tests.router import samples
from tests.router.in_memory_router import InMemoryRouter

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
