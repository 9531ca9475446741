"""A call that is owed: by when, to whom, how often it is tried, and what becomes of it at last."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import policy
from shared.events import (
    CallbackAttempted,
    CallbackClosed,
    CallbackEscalated,
    CallbackRequested,
    ContactAbandoned,
    ContactMissed,
    ContactQueued,
)
from shared.policy import Policy
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import POLICY_TEXT, call, mail, message, phone

HOURS = b"""
calendar: office
calendars:
  office:
    zone: Europe/Warsaw
    open: {mon-fri: ['08:00-18:00']}
    exceptions: [{day: 2026-11-24}]
"""
SUNDAY_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def office() -> Policy:
    """Return the policy of these tests with opening hours, in winter an hour before UTC."""
    return policy.parse(POLICY_TEXT + HOURS)


@pytest.fixture
def at_work() -> InMemoryRouter:
    """A tenant with opening hours."""
    return InMemoryRouter(office())


# -- by when -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("called", "due", "reason"),
    [
        ("2026-11-23T10:00", "2026-11-23T10:15", "missed"),
        ("2026-11-22T12:00", "2026-11-23T07:15", "after_hours"),
        ("2026-11-23T16:50", "2026-11-25T07:05", "missed"),
        ("2026-11-23T17:00", "2026-11-25T07:15", "after_hours"),
    ],
    ids=["at work", "on a Sunday", "ten minutes before a day off", "in the evening before it"],
)
async def test_a_lost_call_is_owed_within_opening_hours(
    at_work: InMemoryRouter, called: str, due: str, reason: str
) -> None:
    """Fifteen minutes in which somebody is there; what comes at night is the morning's."""
    at_work.clock.time = datetime.fromisoformat(called).replace(tzinfo=UTC)
    await at_work.happens(call("missed", at=at_work.clock.time))
    owed = (await at_work.last(CallbackRequested)).open
    assert (owed.due, owed.reason) == (datetime.fromisoformat(due).replace(tzinfo=UTC), reason)
    assert owed.policy_version == at_work.policy.version
    assert (await at_work.last(ContactMissed)).open.reason == reason
    before = owed.due - at_work.clock.time - timedelta(seconds=1)
    assert await at_work.passes(before.total_seconds()) == []
    assert await at_work.passes(1) == ["callback.overdue"]


async def test_the_hours_of_a_queue_are_its_own() -> None:
    """The hotline takes calls on Sundays, whenever the office opens."""
    text = POLICY_TEXT.replace(
        b"hotline: {title: Hotline,", b"hotline: {title: Hotline, calendars: {call: sunday},"
    )
    sunday = b"  sunday: {open: {sun: ['00:00-24:00']}}\n"
    router = InMemoryRouter(policy.parse(text + HOURS + sunday))
    await router.happens(call("missed"))
    owed = (await router.last(CallbackRequested)).open
    assert (owed.due, owed.reason) == (SUNDAY_NOON + timedelta(minutes=15), "missed")


async def test_a_call_that_was_handed_on_and_not_taken_says_so(router: InMemoryRouter) -> None:
    """She hung up while nobody of the warehouse took her: that is no common loss."""
    await router.owned_by("piotr", call("started"), call("answered"))
    await router.hands_on("piotr", "cold", queue="warehouse")
    await router.happens(call("ended"))
    assert (await router.last(ContactAbandoned)).open.reason == "transfer_failed"
    assert (await router.last(CallbackRequested)).open.reason == "transfer_failed"


# -- to whom -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rang", [True, False])
async def test_no_call_is_owed_to_a_number_that_is_not_known(
    router: InMemoryRouter, *, rang: bool
) -> None:
    """Withheld: it is counted, it stands in the queue where somebody looks at it once, and it can be ended."""
    if rang:
        await router.happens(call("started", handles=[]))
    types = await router.happens(call("missed", handles=[]))
    assert types[-1] == "contact.missed"
    assert len(await router.all(ContactQueued)) == 1
    assert (await router.last(ContactMissed)).open.unreachable
    assert await router.passes(86_400) == []
    await router.on_duty("piotr")
    it = await router.taken("piotr")
    await router.does("piotr", "resolve", conversation=it)
    await check(router)


async def test_a_number_that_is_told_later_is_owed_a_call(router: InMemoryRouter) -> None:
    """Its end was heard first: in whatever order reports come, she is called back once."""
    await router.happens(call("missed", handles=[]))
    types = await router.happens(call("started", handles=[phone()]))
    assert types == ["call.started", "callback.requested"]
    lost, owed = await router.last(ContactMissed), await router.last(CallbackRequested)
    assert lost.open.callback_id == owed.open.callback_id
    assert await router.happens(call("answered", handles=[phone()])) == ["call.answered"]
    await check(router)


async def test_a_known_customer_is_called_back_whatever_her_telephone_shows(
    router: InMemoryRouter,
) -> None:
    """The provider's later reports name nobody; the call began with her number."""
    await router.happens(call("started"), call("ended", handles=[]))
    assert not (await router.last(ContactAbandoned)).open.unreachable
    assert len(await router.all(CallbackRequested)) == 1


@pytest.mark.parametrize("again", ["call", "chat"])
async def test_tries_of_one_person_meet_whatever_else_she_has_open(
    router: InMemoryRouter, again: str
) -> None:
    """Her other matters say nothing of where a call goes: it goes where a call is owed to her, by whatever way."""
    hers = [phone(), mail(proof="proved")]
    await router.happens(call("missed", "CA1", handles=hers))
    router.clock.time += timedelta(hours=2)
    await router.happens(call("started", "CA2", handles=hers))
    (only,) = await router.conversations()
    if again == "call":
        await router.happens(call("ended", "CA2", handles=hers))
    else:
        await router.happens(message("it is me", handles=hers))
    assert [each.id for each in await router.conversations()] == [only.id]
    assert len(await router.all(CallbackRequested)) == 1


# -- how often -----------------------------------------------------------------------------------------


async def tries(router: InMemoryRouter, outcome: str) -> list[str]:
    """Ewa calls back."""
    (it,) = await router.conversations()
    owed: Any = it.matter.owed
    return await router.does(
        "ewa",
        "attempt_callback",
        conversation=it.id,
        callback_id=owed.callback_id,
        outcome=outcome,
    )


async def test_the_tries_of_a_call_are_the_policys_and_then_its_supervisor_decides(
    at_work: InMemoryRouter,
) -> None:
    """After 15 minutes, after an hour, each in opening hours; the third in vain is told, once; it stays owed."""
    at_work.clock.time = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
    await at_work.happens(call("missed", at=at_work.clock.time))
    await at_work.on_duty("ewa")
    due = []
    for outcome in ("no_answer", "busy", "voicemail", "no_answer"):
        await tries(at_work, outcome)
        due.append((await at_work.last(CallbackAttempted)).open.due)
    assert [f"{each:%d %H:%M}" for each in due if each] == [
        "23 16:15",
        "23 17:00",
        "23 17:00",
        "23 17:00",
    ]
    (escalated,) = await at_work.all(CallbackEscalated)
    assert (escalated.open.attempts, escalated.open.to) == (3, "queue-hotline")
    it = await at_work.conversation()
    assert it.matter.owed is not None
    assert (it.matter.owed.attempts, it.matter.owed.outcome) == (4, "no_answer")
    assert await at_work.passes(3_600) == ["callback.overdue"]


async def test_a_wrong_number_ends_it(router: InMemoryRouter) -> None:
    """Nobody reaches her there: no time is set for another try, and the reason is stated."""
    await router.happens(call("missed"))
    await router.on_duty("ewa")
    assert await tries(router, "wrong_number") == ["callback.attempted", "callback.closed"]
    assert (await router.last(CallbackAttempted)).open.due is None
    assert (await router.last(CallbackClosed)).open.reason == "wrong_number"
    assert await router.passes(86_400) == []
    await check(router)
