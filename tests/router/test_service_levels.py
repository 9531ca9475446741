"""Whoever waits for an answer has a clock: what starts and what ends it, and who is told of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from shared import events, policy, timers
from shared.policy import Policy
from tests.router.given import Given, Outcome
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import NOON, POLICY_TEXT, call, form, message

WARNING, DUE = timers.SLA_WARNING.name, timers.SLA_DUE.name
QUARTER, HOUR = 900, 3_600
SHOP_HOURS = b"""
calendars: {shop: {zone: Europe/Warsaw, open: {mon-fri: ["08:00-18:00"]}, holidays: PL}}
calendar: shop
"""
LEVELS = b"""
service_levels:
  - {name: mails, media: [mail], next_response_seconds: 60}
  - {name: vault, queues: [vault], first_response_seconds: 120}
  - {name: any, first_response_seconds: 1000, warn_percent: 50}
  - {name: ends, resolution_seconds: 7200}
"""


def measured(further: bytes = b"") -> Policy:
    """Return the policy with service levels: those that hold where none is said, or others."""
    return policy.parse(measured_text(further))


def measured_text(further: bytes) -> bytes:
    return POLICY_TEXT.replace(b"service_levels: []\n", b"") + further


def waiting(event: events.InboundEvent | None = None, further: bytes = b"") -> Given:
    """Somebody wrote, or calls; Piotr is on duty."""
    return Given(policy=measured(further)).on_duty("piotr").reports(event or message("hello"))


def owned(event: events.InboundEvent | None = None, further: bytes = b"") -> Given:
    """Piotr took what somebody wrote."""
    return waiting(event, further).offered().accepted()


def writes_on(given: Given, k: int = 1) -> Given:
    """She writes in the same chat again."""
    return given.reports(message("and?", k=k, at=given.now))


def answered(given: Given) -> Given:
    return given.does("piotr", "send_message", channel="email", text="it is on its way")


def with_open(event: Any, **changes: Any) -> Any:
    """Return an event with another open part."""
    opened = replace(event.open, **changes)
    return replace(event, data=replace(event.data, open=opened))


def clock(given: Given) -> Any:
    """Return the clock of the answer that she waits for."""
    return given.conversation.levels.response


# -- which clock runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "seconds", "rule"),
    [
        (message("hello"), QUARTER, "at_once"),
        (message("hello", channel="dove"), QUARTER, "at_once"),
        (message("hello", channel="email"), HOUR, "within_the_hour"),
        (form("hello"), HOUR, "within_the_hour"),
        (call("started"), HOUR, "within_the_hour"),
        (call("missed"), HOUR, "within_the_hour"),
    ],
    ids=["chat", "messenger", "mail", "form", "call", "missed-call"],
)
def test_a_customer_is_answered_within_what_the_policy_says(
    event: events.InboundEvent, seconds: int, rule: str
) -> None:
    """Without a word: chats and messengers in a quarter of an hour, all else in an hour; four fifths of it warn."""
    started = clock(waiting(event))
    assert (started.target, started.rule) == ("first_response", f"service_level.{rule}")
    assert (started.since, started.calendar) == (NOON, None)
    assert started.due == NOON + timedelta(seconds=seconds)
    assert started.warns == NOON + timedelta(seconds=seconds * 0.8)


def test_the_first_service_level_that_fits_and_says_so_holds() -> None:
    """One may give a queue or a medium another time, one the warning, and one when a matter ends."""
    it = waiting(message("hello", channel="email"), LEVELS)
    assert (clock(it).rule, clock(it).seconds, clock(it).warn_seconds) == (
        "service_level.any",
        1_000.0,
        500.0,
    )
    ends = it.conversation.levels.resolution
    assert ends is not None
    assert (ends.rule, ends.due) == ("service_level.ends", NOON + timedelta(hours=2))
    it = answered(it.offered().accepted())
    again = it.reports(message("and?", "m2", channel="email", at=it.now))
    assert (clock(again).rule, clock(again).target) == ("service_level.mails", "next_response")


def test_a_service_level_may_be_for_who_stands_ahead_or_for_a_team() -> None:
    """Ahead when she began to wait; the team where she waits, and her owner's as soon as she has one."""
    levels = b"""
service_levels:
  - {name: ahead, priority: [account, vip], first_response_seconds: 30, next_response_seconds: 40}
  - {name: store, teams: [store], first_response_seconds: 50, next_response_seconds: 60}
  - {name: desk, teams: [desk], first_response_seconds: 70, next_response_seconds: 80}
"""
    chat = b"  chat/shop: {queue: hotline"
    ahead = policy.parse(measured_text(levels).replace(chat, chat + b", priority_seconds: 9"))
    urgent = Given(policy=ahead).reports(message("hello"))
    assert clock(urgent).rule == "service_level.ahead"
    assert clock(waiting(further=levels)).rule == "service_level.desk"
    moved = b"rules: [{name: r, event: message.received, do: {queue: warehouse}}]\n"
    it = waiting(further=levels + moved).on_duty("marek").offered().accepted()
    it = it.does("marek", "send_message", channel="email", text="it is here")
    assert clock(writes_on(it)).rule == "service_level.store"


def test_only_open_time_counts() -> None:
    """She wrote on a Sunday: Monday's first quarter of an hour is hers."""
    started = clock(waiting(further=SHOP_HOURS))
    assert (started.calendar, started.due) == ("shop", datetime(2026, 11, 23, 7, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    "event",
    [message("I am out of office", automatic=True), message("hello", channel="email")],
    ids=["machine", "no-service-level"],
)
def test_nobody_waits_where_nothing_is_to_be_answered_or_measured(
    event: events.InboundEvent,
) -> None:
    """A machine waits for nobody; a policy may measure nothing, or not this."""
    further = b"service_levels: [{name: chats, media: [chat], first_response_seconds: 60}]\n"
    assert clock(waiting(event, further)) is None


def test_who_waits_already_is_not_waiting_anew() -> None:
    """The clock began with the first thing that she said, and goes on whatever else she says."""
    first = waiting()
    later = writes_on(first.passes(60)).reports(call("started", at=first.now))
    assert clock(later) == clock(first)


# -- what ends it -------------------------------------------------------------------------------------------


def test_an_answer_in_time_meets_it_and_her_next_message_starts_the_next() -> None:
    """Written by a person, on whatever channel; accepting a chat answers nobody."""
    it = owned()
    assert clock(it) is not None
    outcome = it.when("piotr", "send_message", channel="email", text="soon")
    assert outcome.types == ["message.requested", "sla.met"]
    met = outcome.of(events.SlaMet)
    assert (met.clock_id, met.target) == (clock(it).clock_id, "first_response")
    it = it.after(outcome).passes(600)
    assert clock(it) is None
    it = writes_on(it)
    assert (clock(it).target, clock(it).since) == ("next_response", it.now)
    assert clock(it).clock_id != met.clock_id


def test_who_accepts_a_call_answers_it() -> None:
    """They talk. One that is over by then is answered by the call that is owed."""
    ringing = waiting(call("started")).offered()
    taken = ringing.when("piotr", "accept_offer", offer_id=ringing.offer.offer_id)
    assert taken.types[-2:] == ["contact.accepted", "sla.met"]
    lost = waiting(call("missed")).passes(60)
    (owed,) = lost.conversation.matter.callbacks
    said = {"callback_id": owed, "outcome": "reached"}
    reached = lost.when("piotr", "attempt_callback", **said)
    assert reached.types[-1] == "sla.met"
    assert clock(lost.does("piotr", "attempt_callback", **{**said, "outcome": "no_answer"}))


def test_whoever_takes_the_chat_of_who_is_owed_a_call_has_not_answered_her_yet() -> None:
    """The call is owed no more, for she is there; her question is answered by what the agent writes."""
    lost = waiting(call("started")).reports(call("missed"))
    both = lost.reports(message("I rang you", k=1)).offered()
    taken = both.when("piotr", "accept_offer", offer_id=both.offer.offer_id)
    assert "callback.reached" in taken.types
    assert "sla.met" not in taken.types
    assert (
        "sla.met"
        in both.after(taken).when("piotr", "send_message", channel="email", text="yes").types
    )


def test_who_comes_to_the_counter_is_being_answered() -> None:
    """Whom an agent records as a visitor he talks with; nothing is measured of that."""
    visit = with_open(message("where is it", "v1", channel="email"), medium="visit")
    assert clock(waiting(visit)) is None
    here = waiting().reports(visit)
    assert clock(here) is None
    assert here.conversation.levels.answered


@pytest.mark.parametrize("changes", [{"agent": None}, {"instead_of": ["m0"]}])
def test_an_automatic_message_is_no_answer(changes: dict[str, Any]) -> None:
    """Nor is one that brings by another way what was said."""
    it = owned()
    (written,) = [
        each
        for each in it.when("piotr", "send_message", channel="email", text="soon").events
        if isinstance(each, events.MessageRequested)
    ]
    told = it.after(Outcome([with_open(written, **changes)]))
    assert clock(told) == clock(it)
    assert not told.conversation.levels.answered


def test_what_somebody_wrote_by_the_providers_own_program_is_an_answer() -> None:
    """A person of ours did, whoever it was."""
    heard = message("hello", channel="dove")
    echo: Any = events.MessageEchoed(**{**asdict(heard), "id": events.EventId("echo")})
    assert clock(waiting(heard).reports(echo)) is None


def test_whoever_resolves_a_matter_ends_its_clocks() -> None:
    """Nobody answers any more: neither in time nor too late."""
    it = owned().does("piotr", "wrap_up", disposition="spam", summary="spam")
    outcome = it.when("piotr", "resolve")
    assert "conversation.resolved" in outcome.types
    assert not [each for each in outcome.types if each.startswith("sla.")]
    assert clock(it.after(outcome)) is None


# -- time passes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("early", "types"), [(1, []), (0, ["sla.warned"])])
def test_whoever_can_still_answer_is_warned(early: int, types: list[str]) -> None:
    """The owner who is there, else the queue; once."""
    for it, to in ((waiting(), "queue-hotline"), (owned(), "agent-piotr")):
        late = it.passes(720 - early)
        outcome = late.fires(WARNING, clock(it).clock_id)
        assert outcome.types == types
        if types:
            assert outcome.of(events.SlaWarned).to == to
            assert late.after(outcome).fires(WARNING, clock(it).clock_id).events == []


@pytest.mark.parametrize(("early", "types"), [(1, []), (0, ["sla.breached"])])
def test_a_time_that_passes_is_breached_once(early: int, types: list[str]) -> None:
    """The timer says so; an answer afterwards ends the wait, and says nothing of it again."""
    it = owned().passes(QUARTER - early)
    outcome = it.fires(DUE, clock(it).clock_id)
    assert outcome.types == types
    if types:
        after = it.after(outcome)
        assert outcome.of(events.SlaBreached).queue == "hotline"
        assert after.fires(DUE, clock(it).clock_id).events == []
        assert clock(writes_on(after)).clock_id == clock(it).clock_id
        late = after.when("piotr", "send_message", channel="email", text="sorry")
        assert late.types == ["message.requested"]
        assert clock(writes_on(after.after(late))).target == "next_response"


def test_an_answer_that_is_faster_than_the_timer_and_late_is_a_breach() -> None:
    """The timer that comes then finds nothing."""
    it = owned().passes(QUARTER)
    outcome = it.when("piotr", "send_message", channel="email", text="sorry")
    assert outcome.types == ["message.requested", "sla.breached"]
    assert outcome.of(events.SlaBreached).answered
    assert it.after(outcome).fires(DUE, clock(it).clock_id).events == []


def test_a_matter_that_waits_for_her_takes_none_of_the_time_until_it_is_resolved() -> None:
    """Paused by an answer, resumed by what she says; the pause comes on top of the time."""
    it = owned(further=LEVELS).passes(1_000 - 1)
    outcome = it.when("piotr", "send_message", channel="email", text="which one?")
    assert outcome.types == ["message.requested", "sla.met", "sla.paused"]
    it = it.after(outcome).passes(1_800)
    ends = it.conversation.levels.resolution
    assert ends is not None
    assert it.fires(DUE, ends.clock_id).events == it.fires(WARNING, ends.clock_id).events == []
    asked = it.reports(message("the blue one", k=1, at=it.now))
    goes_on = asked.conversation.levels.resolution
    assert goes_on is not None
    assert goes_on.due == ends.due + timedelta(seconds=1_800)
    wrapped = answered(asked).does("piotr", "wrap_up", disposition="solved", summary="done")
    outcome = wrapped.passes(86_400).when("piotr", "resolve")
    assert outcome.of(events.SlaMet).target == "resolution"
    late = asked.passes(7_200).does("piotr", "wrap_up", disposition="solved", summary="done")
    assert late.when("piotr", "resolve").of(events.SlaBreached).target == "resolution"


def test_a_matter_that_is_opened_again_has_its_time_anew() -> None:
    """Since then, not since she came: whoever closed it too early has not gained by it, nor lost."""
    it = answered(owned(further=LEVELS)).does(
        "piotr", "wrap_up", disposition="solved", summary="sent"
    )
    it = it.does("piotr", "resolve").passes(86_400).does("piotr", "reopen", reason="not solved")
    resolution = it.conversation.levels.resolution
    assert resolution is not None
    assert (resolution.since, resolution.due) == (it.now, it.now + timedelta(hours=2))
    assert clock(it) is None


async def test_the_timers_are_armed_by_what_they_ask_about() -> None:
    """A clock arms its warning, and the warning what comes after it: most clocks need no second timer."""
    router = InMemoryRouter(measured())
    await router.happens(message("hello", channel="dove"))
    assert await router.passes(719) == []
    assert await router.passes(1) == ["sla.warned"]
    assert await router.passes(179) == []
    assert await router.passes(1) == ["sla.breached"]
    assert await router.passes(HOUR) == []
    router = InMemoryRouter(measured())
    owned = await router.owned_by("piotr", message("hello", channel="dove"))
    await router.does("piotr", "send_message", conversation=owned, channel="email", text="soon")
    assert await router.passes(HOUR) == []
