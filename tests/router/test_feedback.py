"""One short question after a contact: asked once, answered by a number, and nobody has to work because of it."""

from datetime import timedelta

import pytest

from shared import policy
from shared.events import (
    ContactCompleted,
    FeedbackAsked,
    FeedbackGiven,
    Handle,
    MessageReceived,
    MessageRequested,
)
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import POLICY_TEXT, call, mail, message

ASKS = b"""
feedback:
  texts: {en: "How was it, 1 to 5?", pl: "Jak bylo, od 1 do 5?"}
  after_seconds: 60
  words: {five: 5, dwa: 2}
"""
POLICY = policy.parse(POLICY_TEXT + ASKS)
PAGE = Handle(kind="account", value="chat:anna", proof="proved")
ANSWERED = ["feedback.given", "message.received"]


@pytest.fixture
def router() -> InMemoryRouter:
    """A shop that asks."""
    return InMemoryRouter(POLICY)


async def ends(router: InMemoryRouter, *, name: str = "m1", resolved: bool = True) -> str:
    """Anna writes on her page, is answered by Ewa, and it is over; return the conversation."""
    await router.on_duty("ewa")
    await router.happens(message("Where is it?", name, handles=[PAGE], at=router.clock.time))
    conversation = await router.taken("ewa")
    said = {"conversation": conversation, "channel": "chat", "text": "It comes tomorrow."}
    await router.does("ewa", "send_message", **said)
    wrapped = {"disposition": "solved", "summary": "told"}
    await router.does("ewa", "wrap_up", conversation=conversation, **wrapped)
    if resolved:
        await router.does("ewa", "resolve", conversation=conversation)
    return conversation


async def says(router: InMemoryRouter, text: str, k: int = 1, name: str = "m1") -> list[str]:
    return await router.happens(message(text, name, handles=[PAGE], at=router.clock.time, k=k))


async def test_she_is_asked_once_a_while_after(router: InMemoryRouter) -> None:
    """Where she wrote, in the rule's name, and it is no answer of a person."""
    await ends(router)
    assert await router.passes(59) == []
    assert await router.passes(1) == ["message.requested", "feedback.asked"]
    asked, sent = await router.last(FeedbackAsked), await router.last(MessageRequested)
    assert (asked.open.message_id, asked.open.agent) == (sent.open.message_id, "ewa")
    assert (asked.open.queue, asked.open.channel) == ("hotline", "chat")
    assert asked.open.until == router.clock.time + timedelta(days=3)
    assert asked.actor == sent.actor == f"rule:feedback@{POLICY.version}"
    assert sent.personal is not None
    assert (sent.personal.to, sent.personal.text) == ("chat:anna", "How was it, 1 to 5?")
    assert sent.open.agent is None
    assert await router.passes(3_600) == []
    await check(router)


@pytest.mark.parametrize(
    ("text", "score", "low"),
    [("5", 5, False), (" 4. ", 4, False), ("2/5", 2, True), ("Five!", 5, False), ("dwa", 2, True)],
)
async def test_a_number_answers_it_and_asks_for_nothing(
    router: InMemoryRouter, text: str, score: int, low: bool
) -> None:
    """The matter stays closed, nobody waits, and a second number is a message like any other."""
    conversation = await ends(router)
    await router.passes(60)
    assert await says(router, text) == ANSWERED
    given = await router.last(FeedbackGiven)
    assert (given.open.score, given.open.low, given.open.agent) == (score, low, "ewa")
    assert given.open.event == (await router.last(MessageReceived)).id
    assert given.personal is not None
    assert given.personal.text == text
    (it,) = await router.conversations()
    assert (it.id, it.resolved, it.talk.unanswered) == (conversation, True, 0)
    assert it.talk.said[-1].text == text
    await check(router)
    assert "conversation.opened" in await says(router, "5", k=2)


@pytest.mark.parametrize("text", ["6", "5 stars, and where is my lamp?", "thanks", ""])
async def test_any_other_text_is_a_message_like_any_other(
    router: InMemoryRouter, text: str
) -> None:
    """What says more than a number wants to be read by a person."""
    await ends(router)
    await router.passes(60)
    types = await says(router, text)
    assert "conversation.opened" in types
    assert "contact.queued" in types
    assert await router.all(FeedbackGiven) == []


async def test_a_number_that_answers_a_person_is_for_that_person(router: InMemoryRouter) -> None:
    """Whoever was asked for a number since means that one, in whichever matter of hers."""
    conversation = await ends(router, resolved=False)
    await router.passes(60)
    asks = {"conversation": conversation, "channel": "chat", "text": "How many do you need?"}
    await router.does("ewa", "send_message", **asks)
    assert await says(router, "5") == ["message.received"]
    (it,) = await router.conversations()
    assert it.talk.unanswered == 1


async def test_a_number_that_goes_on_with_what_waits_is_no_answer(router: InMemoryRouter) -> None:
    """Who chats says one thing in several messages."""
    await ends(router)
    await router.passes(60)
    assert "conversation.opened" in await says(router, "I would like lamps")
    assert "feedback.given" not in await says(router, "5", k=2)
    assert await router.all(FeedbackGiven) == []


async def test_a_matter_that_goes_on_is_not_touched(router: InMemoryRouter) -> None:
    """Her contact stays wrapped up, so that its owner can close it."""
    conversation = await ends(router, resolved=False)
    await router.passes(60)
    assert await says(router, "3") == ANSWERED
    assert "conversation.resolved" in await router.does("ewa", "resolve", conversation=conversation)


async def test_the_same_delivery_twice_is_one_answer(router: InMemoryRouter) -> None:
    """However often the provider tells it."""
    await ends(router)
    await router.passes(60)
    answer = message("1", handles=[PAGE], at=router.clock.time, k=1)
    assert await router.happens(answer) == ANSWERED
    assert await router.happens(answer) == []


async def test_after_its_time_a_number_is_a_message(router: InMemoryRouter) -> None:
    """Three days later nobody knows what five means."""
    await ends(router)
    await router.passes(60)
    await router.passes(3 * 86_400)
    assert "feedback.given" not in await says(router, "5")


async def test_the_same_person_is_left_in_peace(router: InMemoryRouter) -> None:
    """Another matter within the quiet days ends without a question, a later one with one."""
    await ends(router)
    await router.passes(60)
    await says(router, "5")
    await router.passes(86_400)
    await ends(router, name="m2")
    assert await router.passes(60) == []
    await router.passes(30 * 86_400)
    await ends(router, name="m3")
    assert await router.passes(60) == ["message.requested", "feedback.asked"]


async def test_who_wrote_on_is_not_asked(router: InMemoryRouter) -> None:
    """She wants an answer, not a question; when that contact is over she is asked."""
    conversation = await ends(router, resolved=False)
    await says(router, "And the bill?")
    assert "feedback.asked" not in await router.passes(60)
    said = {"conversation": conversation, "channel": "chat", "text": "It comes with it."}
    await router.does("ewa", "send_message", **said)
    wrapped = {"disposition": "solved", "summary": "told"}
    await router.does("ewa", "wrap_up", conversation=conversation, **wrapped)
    assert "feedback.asked" in await router.passes(60)


async def test_calls_and_addresses_that_are_only_claimed_are_not_asked(
    router: InMemoryRouter,
) -> None:
    """A call cannot be written to, and what somebody typed may be anybody's address."""
    owned = await router.owned_by("ewa", call("started"))
    await router.happens(call("ended", k=1))
    wrapped = {"disposition": "solved", "summary": "told"}
    await router.does("ewa", "wrap_up", conversation=owned, **wrapped)
    assert (await router.last(ContactCompleted)).open.asks is None
    claimed = mail("somebody@mail.example", "claimed")
    letter = message("Hello", "l1", channel="email", handles=[claimed], at=router.clock.time)
    await router.happens(letter)
    owned = await router.taken("ewa")
    await router.does("ewa", "wrap_up", conversation=owned, **wrapped)
    assert "feedback.asked" not in await router.passes(60)


async def test_without_a_policy_nobody_is_asked() -> None:
    """Off unless it is asked for; a share of the contacts by their ids."""
    for text in (POLICY_TEXT, POLICY_TEXT + ASKS + b"  percent: 0\n"):
        router = InMemoryRouter(policy.parse(text))
        await ends(router)
        assert (await router.last(ContactCompleted)).open.asks is None
        assert await router.passes(600) == []
