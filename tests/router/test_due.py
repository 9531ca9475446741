"""What is due and passes is recorded once, and names somebody who is there."""

from datetime import timedelta

import msgspec
import pytest

from shared.arrivals import ArrivedMessage, Later
from shared.events import (
    CallbackClosed,
    CallbackOverdue,
    CallbackReached,
    ConversationId,
    PromiseMade,
    PromiseOverdue,
)
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import call, mail, message, phone


async def promised(router: InMemoryRouter, by: str = "piotr") -> ConversationId:
    """An agent owns a matter and promises something within ten minutes."""
    it = await router.owned_by("piotr", message("hello"))
    due = router.clock.time + timedelta(minutes=10)
    await router.does(by, "make_promise", conversation=it, text="I call you", due=due)
    return it


async def ends(router: InMemoryRouter, it: ConversationId) -> None:
    await router.does("piotr", "wrap_up", conversation=it, disposition="solved", summary="done")
    await router.does("piotr", "resolve", conversation=it)


# -- promises -----------------------------------------------------------------------------------------


async def test_a_promise_that_nobody_kept_in_time_is_overdue_once(router: InMemoryRouter) -> None:
    """Its owner is named; a timer that comes again decides nothing."""
    await promised(router)
    assert await router.passes(599) == []
    assert await router.passes(1) == ["promise.overdue"]
    overdue, made = await router.last(PromiseOverdue), await router.last(PromiseMade)
    assert overdue.open.promise_id == made.open.promise_id
    assert (overdue.open.agent, overdue.open.to, overdue.open.due) == (
        "piotr",
        "agent-piotr",
        made.open.due,
    )
    assert await router.passes(600) == []


async def test_a_promise_that_was_kept_is_never_overdue(router: InMemoryRouter) -> None:
    """In time."""
    it = await promised(router)
    key = (await router.last(PromiseMade)).open.promise_id
    await router.does("piotr", "keep_promise", conversation=it, promise_id=key)
    assert await router.passes(601) == []


async def test_a_promise_of_a_resolved_matter_is_overdue_too(router: InMemoryRouter) -> None:
    """The customer still waits for it: who promised is named."""
    await ends(router, await promised(router))
    assert await router.passes(601) == ["promise.overdue"]
    assert (await router.last(PromiseOverdue)).open.to == "agent-piotr"


async def test_the_owner_of_today_is_told_of_another_ones_promise(router: InMemoryRouter) -> None:
    """The matter, with what was promised in it, was handed on."""
    it = await promised(router)
    await router.on_duty("marek")
    await router.hands_on("piotr", "cold", agent="marek")
    await router.offers()
    key = (await router.transfer()).transfer_id
    await router.does("marek", "accept_transfer", conversation=it, transfer_id=key)
    await router.passes(601)
    overdue = await router.last(PromiseOverdue)
    assert (overdue.open.agent, overdue.open.to) == ("piotr", "agent-marek")


@pytest.mark.parametrize("resolved", [True, False])
async def test_a_queue_is_told_when_who_promised_has_gone_home(
    router: InMemoryRouter, *, resolved: bool
) -> None:
    """Nobody tells somebody who is not there."""
    it = await promised(router)
    if resolved:
        await ends(router, it)
    await router.does("piotr", "set_status", status="signed_out")
    await router.offers()
    await router.passes(601)
    assert (await router.last(PromiseOverdue)).open.to == "queue-hotline"


async def test_an_overdue_promise_needs_no_new_packet(router: InMemoryRouter) -> None:
    """The packet shows when it was due."""
    await promised(router)
    await router.on_duty("marek")
    await router.hands_on("piotr", "warm", agent="marek")
    await router.does("marek", "set_status", status="away")
    await router.passes(601)
    await router.does("marek", "set_status", status="available")
    await router.hands_on("piotr", "warm", agent="marek")
    assert await router.offers() == ["transfer.offered", "agent.reserved"]
    await check(router)


# -- owed calls ---------------------------------------------------------------------------------------


async def test_an_owed_call_that_nobody_made_is_overdue_once(router: InMemoryRouter) -> None:
    """Its queue is named, as nobody owns the matter."""
    await router.happens(call("missed"))
    assert await router.passes(899) == []
    assert await router.passes(1) == ["callback.overdue"]
    overdue = await router.last(CallbackOverdue)
    assert (overdue.open.to, overdue.open.queue) == ("queue-hotline", "hotline")
    assert await router.passes(900) == []


async def test_the_owner_is_told_of_an_owed_call_of_hers(router: InMemoryRouter) -> None:
    """She has the matter, and knows what it is about."""
    await router.owned_by("piotr", message("hello", handles=[phone()]))
    await router.happens(call("missed", handles=[phone()]))
    await router.passes(900)
    assert (await router.last(CallbackOverdue)).open.to == "agent-piotr"


@pytest.mark.parametrize("how", ["reached", "closed", "tried"])
async def test_an_owed_call_that_ended_in_time_is_never_overdue(
    router: InMemoryRouter, how: str
) -> None:
    """Reached, or closed for a reason. A try that reached nobody ends nothing."""
    await router.happens(call("missed"))
    await router.on_duty("ewa")
    it = await router.conversation()
    (key,) = it.matter.callbacks
    said = {"conversation": it.id, "callback_id": key}
    if how == "closed":
        await router.does("ewa", "close_callback", **said, reason="spam")
    else:
        outcome = "reached" if how == "reached" else "no_answer"
        await router.does("ewa", "attempt_callback", **said, outcome=outcome)
    assert await router.passes(901) == ([] if how != "tried" else ["callback.overdue"])


async def test_each_try_gives_an_owed_call_a_new_time(router: InMemoryRouter) -> None:
    """A try that reached nobody is no end: whoever forgets the next one is told again, once for each."""
    await router.happens(call("missed"))
    await router.on_duty("ewa")
    it = await router.conversation()
    (key,) = it.matter.callbacks
    said = {"conversation": it.id, "callback_id": key, "outcome": "no_answer"}
    await router.passes(600)
    await router.does("ewa", "attempt_callback", **said)
    assert await router.passes(899) == []
    assert await router.passes(1) == ["callback.overdue"]
    await router.does("ewa", "attempt_callback", **said)
    assert await router.passes(3_599) == []
    assert await router.passes(1) == ["callback.overdue"]
    overdue = await router.all(CallbackOverdue)
    assert [each.open.attempts for each in overdue] == [1, 2]
    assert len({each.id for each in overdue}) == 2
    assert await router.passes(3_600) == []


# -- a customer who was reached otherwise ---------------------------------------------------------------


@pytest.mark.parametrize(
    "again",
    [
        call("started", "CA2", handles=[phone(), mail()]),
        message("it is me", handles=[phone(), mail()]),
    ],
)
async def test_whoever_was_reached_otherwise_is_owed_no_call(
    router: InMemoryRouter, again: object
) -> None:
    """She called again, or came to the page, and an agent took her: nobody calls her back on top of it."""
    await router.happens(call("missed", handles=[phone(), mail()]))
    await router.on_duty("ewa")
    await router.happens(again)  # type: ignore[arg-type]
    await router.offers()
    types = await router.accepts()
    assert types[-2:] == ["contact.accepted", "callback.reached"]
    reached = await router.last(CallbackReached)
    (callback,) = (await router.conversation()).matter.callbacks.values()
    assert (callback.status, reached.open.agent) == ("reached", "ewa")
    it = (await router.conversation()).id
    code = await router.refused(
        "ewa",
        "attempt_callback",
        conversation=it,
        callback_id=callback.callback_id,
        outcome="reached",
    )
    assert code == "callback.not_open"
    assert await router.passes(901) == []
    await check(router)


async def lost_and_owed(router: InMemoryRouter) -> ConversationId:
    """Piotr owns her matter; she called again, hung up, and is owed a call."""
    hers = [phone(), mail(proof="proved")]
    it = await router.owned_by("piotr", message("hello", handles=hers))
    await router.happens(call("started", handles=hers), call("ended", handles=hers))
    return it


async def test_whoever_wrote_since_and_is_answered_is_owed_no_call(router: InMemoryRouter) -> None:
    """Her chat went straight to the owner, who answers it by mail."""
    it = await lost_and_owed(router)
    await router.happens(message("I tried to call", k=1, handles=[mail(proof="proved")]))
    answer = {"conversation": it, "channel": "email", "text": "it is on its way"}
    assert await router.does("piotr", "send_message", **answer) == [
        "message.requested",
        "callback.closed",
    ]
    assert (await router.last(CallbackClosed)).open.reason == "answered"
    assert await router.passes(901) == []


@pytest.mark.parametrize("third", [True, False])
async def test_whoever_is_only_written_to_is_still_owed_a_call(
    router: InMemoryRouter, *, third: bool
) -> None:
    """She did not write since; or somebody else did in her matter, and is answered."""
    it = await lost_and_owed(router)
    olek = [mail("olek@customer.example")]
    if third:
        await router.happens(
            message("I fetch it", "m2", channel="email", handles=olek, in_reply_to=it)
        )
    answer = {"conversation": it, "channel": "email", "text": "you called?"}
    assert await router.does("piotr", "send_message", **answer) == ["message.requested"]
    assert await router.passes(901) == ["callback.overdue"]


async def test_a_mail_that_an_agent_took_does_not_reach_her(router: InMemoryRouter) -> None:
    """She wrote, and nobody has talked with her: the call is owed still."""
    await router.happens(call("missed", handles=[phone(), mail()]))
    await router.on_duty("ewa")
    await router.happens(message("please call", "m2", channel="email", handles=[mail()]))
    await router.offers()
    await router.accepts()
    (callback,) = (await router.conversation()).matter.callbacks.values()
    assert callback.status == "open"


async def test_a_timer_of_a_server_whose_clock_is_ahead_waits_for_ours(
    router: InMemoryRouter,
) -> None:
    """Agents are told by our clock until when they are asked: nobody's offer lapses before that."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    (timer,) = [each for each in router.timers.armed if each.kind == "offer_expiry"]
    router.clock.time = timer.due - timedelta(seconds=25)
    before = await router.ledger.position()
    with pytest.raises(Later) as early:
        await router.fired_timers.ask(ArrivedMessage("fired.0.x", msgspec.json.encode(timer), 1, 1))
    assert (early.value.reason, early.value.delay_seconds) == ("timer_early", 25)
    assert await router.ledger.position() == before
    router.clock.time = timer.due
    await router.fire(timer, 2)
    assert (await router.conversation()).ownership.offer is None
