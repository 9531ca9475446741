"""An agent records a visit or a letter: the same contact as any other, with the agent as the channel."""

from datetime import timedelta
from typing import Any

import pytest

from shared.events import ContactQueued, ConversationJoined, FactStated, MessageReceived
from tests.router.in_memory_router import InMemoryRouter
from tests.router.proved import registered
from tests.router.samples import ANNA, NOON, call

PROVED = {"kind": "phone", "value": "600 100 200", "verified": True}
VISIT: dict[str, Any] = {"medium": "visit", "text": "She brings back ORD-1234."}


async def test_a_visit_opens_a_conversation_in_the_agents_queue(router: InMemoryRouter) -> None:
    """Its words state facts; the reply says where it belongs."""
    told = await router.does("marek", "record_contact", **VISIT, name="Anna", handles=[PROVED])
    assert told[:1] == ["conversation.opened"]
    said, queued = await router.last(MessageReceived), await router.last(ContactQueued)
    it = await router.conversation()
    assert (said.open.medium, said.open.channel, said.open.account) == ("visit", "agent", "marek")
    assert (said.actor, said.occurred, said.conversation) == ("agent:marek", NOON, it.id)
    assert (queued.open.queue, queued.open.rule) == ("warehouse", "entry.agent")
    fact = await router.last(FactStated)
    assert fact.personal is not None
    assert fact.personal.value == "ORD-1234"
    (event,) = router.done.events
    assert event.open == {"command": "record_contact", "conversation": it.id}


async def test_a_visit_of_a_known_customer_joins_her_matter(router: InMemoryRouter) -> None:
    """She called before; whoever has her matter has the visit, too."""
    await registered(router, "Anna", phone=ANNA)
    it = await router.owned_by("piotr", call("started"))
    await router.does("marek", "record_contact", **VISIT, handles=[PROVED])
    joined = await router.last(ConversationJoined)
    assert (joined.conversation, joined.open.to_owner) == (it, "piotr")
    assert (await router.conversation()).ownership.owner == "piotr"


async def test_what_was_only_said_at_the_counter_says_not_who_it_is(router: InMemoryRouter) -> None:
    """A number that somebody names is a claim: Anna's matter stays hers."""
    await registered(router, "Anna", phone=ANNA)
    await router.happens(call("started"))
    await router.does("marek", "record_contact", **VISIT, handles=[{**PROVED, "verified": False}])
    first, second = await router.conversations()
    assert first.customer != second.customer


async def test_a_letter_is_of_the_day_it_was_written(router: InMemoryRouter) -> None:
    """At most a year ago."""
    letter = {"medium": "letter", "text": "Dear Sirs", "at": NOON - timedelta(days=3)}
    await router.does("marek", "record_contact", **letter)
    assert (await router.last(MessageReceived)).occurred == NOON - timedelta(days=3)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"at": NOON + timedelta(seconds=1)}, "contact.time_invalid"),
        ({"at": NOON - timedelta(days=367)}, "contact.time_invalid"),
        ({"text": "a\0b"}, "text.has_nul"),
        ({"handles": [{"kind": "phone", "value": "none"}]}, "handle.invalid"),
        ({"medium": "call"}, "command.unreadable"),
    ],
)
async def test_what_cannot_be_recorded_is_refused(
    router: InMemoryRouter, wrong: dict[str, Any], code: str
) -> None:
    """Nothing is written."""
    assert await router.refused("marek", "record_contact", **{**VISIT, **wrong}) == code


async def test_only_an_agent_records(router: InMemoryRouter) -> None:
    """A shop's program has a form, or a channel of its own."""
    assert await router.refused("service:shop", "record_contact", **VISIT) == "command.forbidden"


async def test_two_visits_with_the_same_words_are_two(router: InMemoryRouter) -> None:
    """The command's id tells them apart."""
    for _ in range(2):
        await router.does("marek", "record_contact", **VISIT, handles=[PROVED])
    assert len(await router.all(MessageReceived)) == 2
    assert len(await router.conversations()) == 1
