"""Whoever waits on the line, or in a chat, is not forgotten: each limit of her wait that passes is recorded, once."""

from datetime import timedelta
from typing import Any

import pytest

from shared import handles, policy, timers
from shared.errors import PolicyInvalid
from shared.events import ContactQueued, ContactWaitExceeded, MessageRequested
from tests.router.given import Given
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import POLICY_TEXT, call, form, message

EXCEEDED = ["contact.wait_exceeded"]
SHORT = POLICY_TEXT.replace(
    b"{title: Hotline, supervisor: piotr}", b"{title: Hotline, wait_seconds: [5]}"
)


@pytest.fixture
def router() -> InMemoryRouter:
    return InMemoryRouter()


@pytest.mark.parametrize("waits", [call("started"), message("hello")], ids=["call", "chat"])
async def test_each_limit_is_passed_once(router: InMemoryRouter, waits: Any) -> None:
    """At 46, 60 and 120 s after she came, and never before; the event says which, where, since when and by what."""
    await router.happens(waits)
    since = router.clock.time
    passed = [await router.passes(seconds) for seconds in (45, 1, 13, 1, 59, 1, 3_600)]
    assert passed == [[], EXCEEDED, [], EXCEEDED, [], EXCEEDED, []]
    found = [each.open for each in await router.all(ContactWaitExceeded)]
    assert [each.limit_seconds for each in found] == [46, 60, 120]
    ends = [each.exceeds and (each.exceeds - since).total_seconds() for each in found]
    assert ends == [60, 120, None]
    assert {(each.queue, each.since, each.rule) for each in found} == {
        ("hotline", since, "wait.limit")
    }
    assert {each.policy_version for each in found} == {router.policy.version}


async def test_after_a_stop_every_limit_is_made_up_for(router: InMemoryRouter) -> None:
    """Nothing ran for ten minutes: each limit is recorded all the same, in order, once."""
    await router.happens(call("started"))
    assert await router.passes(600) == 3 * EXCEEDED
    limits = [each.open.limit_seconds for each in await router.all(ContactWaitExceeded)]
    assert limits == [46, 60, 120]


@pytest.mark.parametrize("ends", ["taken", "hung up", "missed"])
async def test_a_wait_that_is_over_passes_nothing(router: InMemoryRouter, ends: str) -> None:
    """An agent has her, or she is gone and is owed a call."""
    await router.happens(call("started"))
    if ends == "taken":
        await router.on_duty("ewa")
        await router.offers()
        await router.accepts()
    else:
        await router.happens(call("ended" if ends == "hung up" else "missed"))
    assert await router.passes(600) == []


async def test_an_offer_that_nobody_answers_ends_no_wait(router: InMemoryRouter) -> None:
    """She still hears the music."""
    await router.on_duty("ewa")
    await router.happens(call("started"))
    await router.passes(40)
    await router.offers()
    assert await router.passes(6) == EXCEEDED
    await check(router)


@pytest.mark.parametrize("event", [form("Where is it?"), message("hello", channel="email")])
async def test_nobody_counts_the_seconds_of_a_letter(router: InMemoryRouter, event: Any) -> None:
    """A mail or a form has its own targets: not a timer more."""
    await router.happens(event)
    assert (await router.last(ContactQueued)).open.exceeds is None
    assert await router.passes(600) == []


async def test_one_timer_of_a_wait_is_armed_at_a_time(router: InMemoryRouter) -> None:
    """The next limit is armed by the event of the one before: whoever is taken at once costs one message."""
    await router.happens(call("started"))
    queued = await router.last(ContactQueued)
    (timer,) = timers.asked_by(queued)
    assert (timer.kind, timer.due) == ("wait_exceeded", queued.recorded + timedelta(seconds=46))
    await router.passes(46)
    (timer,) = timers.asked_by(await router.last(ContactWaitExceeded))
    assert timer.due == queued.recorded + timedelta(seconds=60)


async def test_a_queue_may_have_limits_of_its_own() -> None:
    """And none at all, where nobody is to count."""
    router = InMemoryRouter(policy.parse(SHORT))
    await router.happens(call("started"))
    assert await router.passes(5) == EXCEEDED
    assert await router.passes(600) == []
    router = InMemoryRouter(policy.parse(SHORT.replace(b"[5]", b"[]")))
    await router.happens(call("started"))
    assert await router.passes(600) == []


def test_an_orphaned_timer_asks_too_early_and_is_told_no() -> None:
    """One that was armed for a try that was never written has the same id, and an earlier time."""
    waiting = Given().reports(call("started")).passes(20)
    (contact_id,) = waiting.conversation.contacts.by_id
    assert waiting.fires("wait_exceeded", contact_id).types == []
    assert waiting.fires("wait_exceeded", "another").types == []
    late = waiting.passes(26)
    passed = late.fires("wait_exceeded", contact_id)
    assert passed.types == EXCEEDED
    assert late.after(passed).fires("wait_exceeded", contact_id).types == []


def test_limits_that_go_back_are_refused() -> None:
    """They are a list of times, the shortest first."""
    with pytest.raises(PolicyInvalid, match="queue hotline: wait_seconds are not in order"):
        policy.parse(SHORT.replace(b"[5]", b"[9, 5]"))


OFFER = b"""
wait_offer:
  texts:
    en: Leave your number or address here, and you need not stay. Your place is kept.
"""


async def test_who_waits_in_a_chat_need_not_stay() -> None:
    """After the last limit she is told so, once, on her page; her place is that of who came when she came."""
    router = InMemoryRouter(policy.parse(POLICY_TEXT + OFFER))
    await router.happens(message("hello", handles=[handles.account("chat", "page-1")]))
    since = router.clock.time
    assert await router.passes(60) == 2 * EXCEEDED
    assert await router.passes(60) == [*EXCEEDED, "message.requested"]
    assert await router.passes(3_600) == []
    told = await router.last(MessageRequested)
    assert (told.actor, told.open.agent) == (f"rule:wait.offer@{router.policy.version}", None)
    assert told.personal is not None
    assert told.personal.to == "chat:page-1"
    it = await router.conversation()
    assert (it.ownership.waiting_since, it.talk.unanswered) == (since, 1)


@pytest.mark.parametrize(
    ("waits", "said"),
    [
        (call("started"), OFFER),
        (message("hello"), OFFER),
        (message("hello", handles=[handles.account("chat", "page-1")]), b""),
    ],
    ids=["call", "mail address alone", "no words"],
)
async def test_nobody_else_is_told_to_leave(waits: Any, said: bytes) -> None:
    """A call has its menu; an address that she typed may be another's; a shop that says nothing offers nothing."""
    router = InMemoryRouter(policy.parse(POLICY_TEXT + said))
    await router.happens(waits)
    assert await router.passes(600) == 3 * EXCEEDED
