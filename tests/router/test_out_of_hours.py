"""Who writes while nobody is there is told when somebody answers, once an evening; that is a promise, and is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import calendars, handles, policy
from shared.calendars import Calendar
from shared.errors import PolicyInvalid
from shared.events import (
    ConsentWithdrawn,
    ContactOffered,
    ConversationOpened,
    MessageRequested,
    PromiseKept,
    PromiseMade,
)
from tests.router.in_memory_router import InMemoryRouter
from tests.router.messaging import ACCOUNTS, consents, writes
from tests.router.samples import (
    ANNA_MAIL,
    NOON,
    OTHER_PARCEL,
    PARCEL,
    POLICY_TEXT,
    call,
    form,
    mail,
    message,
)

HOURS = b"""
calendars:
  office: {zone: Europe/Warsaw, open: {mon-fri: ["08:00-18:00"]}}
calendar: office
"""
SAID = b"""
out_of_hours:
  texts:
    en: "We are back at {opens}. A person answers you by {answer_by}."
    pl: "Odpowiemy do {answer_by}."
"""
MEASURED = POLICY_TEXT.replace(b"service_levels: []\n", b"")
TEXT = MEASURED.replace(b"patterns:\n", ACCOUNTS) + HOURS + SAID
MONDAY = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
"""When the office opens after NOON, which is a Sunday's."""
PROMISED = ["message.requested", "promise.made"]
PAGE = handles.account("chat", "page-1")


@pytest.fixture
def router() -> InMemoryRouter:
    return a_router()


def a_router(text: bytes = TEXT) -> InMemoryRouter:
    return InMemoryRouter(policy.parse(text))


def by_mail(text: str = "Where is it?", name: str = "m1", **told: Any) -> Any:
    return message(text, name, channel="email", **told)


def on_a_page(text: str = "hello", **told: Any) -> Any:
    """Somebody of whom nothing is known writes in the chat."""
    return message(text, handles=[PAGE], **told)


async def told(router: InMemoryRouter) -> list[str]:
    return [each.personal.text for each in await router.all(MessageRequested) if each.personal]


@pytest.mark.parametrize(
    ("event", "to", "named", "due"),
    [
        (by_mail(), ANNA_MAIL, "2026-11-23 09:00 CET", MONDAY + timedelta(hours=1)),
        (writes("hi"), "dove:7", "2026-11-23 08:15 CET", MONDAY + timedelta(minutes=15)),
        (on_a_page(), "chat:page-1", "2026-11-23 08:15 CET", MONDAY + timedelta(minutes=15)),
    ],
    ids=["mail", "message", "chat"],
)
async def test_whoever_writes_is_promised_an_answer(
    router: InMemoryRouter, event: Any, to: str, named: str, due: datetime
) -> None:
    """By when the policy says for the medium, in open time; in the words of the policy, where she wrote."""
    types = await router.happens(event)
    assert [each for each in types if each in PROMISED] == PROMISED
    (answer,) = await router.all(MessageRequested)
    assert answer.personal is not None
    assert (answer.personal.to, answer.open.agent) == (to, None)
    words = f"We are back at 2026-11-23 08:00 CET. A person answers you by {named}."
    assert answer.personal.text == words
    promise = await router.last(PromiseMade)
    assert (promise.open.due, promise.open.agent) == (due, "rule:out_of_hours")
    assert promise.open.queue == "hotline"
    by = f"rule:out_of_hours@{router.policy.version}"
    assert (answer.actor, promise.actor) == (by, by)
    assert promise.personal is not None
    assert promise.personal.text == words


async def test_a_machine_that_answers_ours_is_told_once(router: InMemoryRouter) -> None:
    """It says nothing of itself, and each of its mails opens a matter: which of two is meant, nobody can tell."""
    await router.happens(by_mail(PARCEL))
    await router.passes(3.5 * 86_400)
    night = router.clock.time
    await router.happens(by_mail(OTHER_PARCEL, "m2", at=night), by_mail(PARCEL, "m3", at=night))
    for n in range(3):
        await router.happens(by_mail("I am away.", f"away-{n}", at=night))
    opened = [each.open.rule for each in await router.all(ConversationOpened)]
    assert opened == ["join.none_open"] * 2 + ["join.several_active"] * 3
    assert len(await told(router)) == 2


async def test_once_an_evening(router: InMemoryRouter) -> None:
    """However often she writes, and again when it is closed again, if nobody has it by then."""
    await router.happens(by_mail(), by_mail("And?", "m2"))
    assert len(await told(router)) == 1
    await router.passes((MONDAY - NOON).total_seconds() + 7_200)
    await router.happens(by_mail("Hello?", "m3", at=router.clock.time))
    assert len(await told(router)) == 1, "it is open"
    await router.passes(36_000)
    await router.happens(by_mail("Anybody?", "m4", at=router.clock.time))
    assert [each[-21:] for each in await told(router)] == [
        "2026-11-23 09:00 CET.",
        "2026-11-24 09:00 CET.",
    ]


@pytest.mark.parametrize(
    "event",
    [
        by_mail(automatic=True),
        by_mail(handles=[mail(proof="claimed")]),
        by_mail(handles=[mail("no-reply@shop.example")]),
        form("Where is it?"),
        call("started"),
    ],
    ids=["machine", "forged", "never", "form", "call"],
)
async def test_nobody_else_is_told(router: InMemoryRouter, event: Any) -> None:
    """No machine, lest two answer each other; nobody whose address anybody may have typed; nobody who calls."""
    types = await router.happens(event)
    assert not set(PROMISED) & set(types)


@pytest.mark.parametrize("left_out", [SAID, HOURS], ids=["no words", "no hours"])
async def test_without_words_or_hours_nothing_is_said(left_out: bytes) -> None:
    """A policy that says nothing of it works as before."""
    router = a_router(TEXT.replace(left_out, b""))
    assert not set(PROMISED) & set(await router.happens(by_mail()))


async def test_while_it_is_open_nothing_is_promised(router: InMemoryRouter) -> None:
    """From the minute on in which it opens."""
    router.clock.time = MONDAY
    assert not set(PROMISED) & set(await router.happens(by_mail(at=MONDAY)))
    router.clock.time = MONDAY - timedelta(seconds=1)
    assert set(PROMISED) <= set(await router.happens(writes("hi", at=router.clock.time)))


async def test_who_has_an_agent_is_told_nothing(router: InMemoryRouter) -> None:
    """A person who is there in the evening answers herself."""
    await router.owned_by("piotr", on_a_page(), on_a_page("and", k=1))
    assert len(await told(router)) == 1
    await router.happens(on_a_page("really", k=2))
    assert len(await told(router)) == 1


async def test_who_wants_no_messages_is_promised_nothing(router: InMemoryRouter) -> None:
    """What nobody was told is no promise."""
    await router.happens(consents(ConsentWithdrawn))
    await router.happens(writes("hello"))
    assert await told(router) == []
    assert await router.all(PromiseMade) == []


async def test_an_answer_keeps_it_and_nothing_else_does(router: InMemoryRouter) -> None:
    """Neither her own words, nor that an agent has it; in time or late. Without an answer it is overdue, and told."""
    it = await router.owned_by("piotr", by_mail())
    await router.happens(by_mail("Thank you", "m2"))
    assert await router.all(PromiseKept) == []
    assert "promise.overdue" in await router.passes((MONDAY - NOON).total_seconds() + 3_600)
    await router.does("piotr", "send_message", conversation=it, channel="email", text="Here it is")
    (kept,) = await router.all(PromiseKept)
    assert (kept.open.agent, kept.open.late) == ("piotr", False)
    await router.does("piotr", "send_message", conversation=it, channel="email", text="And more")
    assert len(await router.all(PromiseKept)) == 1


async def test_the_morning_begins_with_what_was_promised_first(router: InMemoryRouter) -> None:
    """One wrote on Thursday evening, and nobody has answered her; another one on Friday evening."""
    router.clock.time = NOON - timedelta(days=2, hours=15)
    for name in ("thursday", "friday"):
        address = [mail(f"{name}@customer.example")]
        await router.happens(by_mail(name=name, handles=address, at=router.clock.time))
        await router.passes(86_400)
    promised = [(each.open.due, each.conversation) for each in await router.all(PromiseMade)]
    assert promised[1][0] - promised[0][0] == timedelta(days=3)
    router.clock.time = MONDAY
    await router.on_duty("piotr")
    await router.offers()
    offered = [each.conversation for each in await router.all(ContactOffered)]
    assert offered == [conversation for _, conversation in sorted(promised)]


@given(
    st.timedeltas(timedelta(0), timedelta(days=14)),
    st.timedeltas(timedelta(0), timedelta(days=14)),
    st.timedeltas(timedelta(minutes=1), timedelta(hours=30)),
)
def test_who_came_first_is_never_promised_a_later_time(
    first: timedelta, later: timedelta, answer: timedelta
) -> None:
    """So the order in which people wait is the order of what they were promised, and needs no other."""
    calendar = Calendar(zone="Europe/Warsaw", open={"mon-fri": ("08:00-12:00", "13:00-18:00")})
    came = datetime(2026, 10, 20, tzinfo=UTC) + first
    due = [calendars.after_open(calendar, at, answer) for at in (came, came + later)]
    assert due == sorted(due)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (b"We will answer soon.", "en: it does not say {answer_by}"),
        (b"By {answer_by}, {name}.", "en: nothing stands for {name}"),
    ],
)
def test_words_that_promise_nothing_are_refused(words: bytes, complaint: str) -> None:
    """An automatic answer names a time."""
    said = SAID.replace(b"We are back at {opens}. A person answers you by {answer_by}.", words)
    with pytest.raises(PolicyInvalid, match=complaint.replace("{", r"\{")):
        policy.parse(TEXT.replace(SAID, said))
