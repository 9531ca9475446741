"""What she told is known in any spelling, and an agent who asks for it hears so."""

import pytest

from shared import events, policy
from shared.policy import Policy
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import POLICY_TEXT, message

TELEPHONE = "12 345 67-89"
SPELLINGS = rb"""
  - {fact: locker, pattern: '(locker [A-Z0-9-]+)', compare: characters, asks: 'which locker|what locker'}
  - {fact: telephone, pattern: '(\d[\d -]{6,}\d)', compare: digits, asks: 'your (phone|telephone)'}
never_identifies:
"""


def a_policy() -> Policy:
    """Return the policy of the other tests, with patterns that know spellings and questions."""
    return policy.parse(POLICY_TEXT.replace(b"\nnever_identifies:\n", SPELLINGS, 1))


@pytest.fixture
def router() -> InMemoryRouter:
    return InMemoryRouter(a_policy())


async def told(router: InMemoryRouter) -> events.ConversationId:
    """She told Piotr her locker and telephone on the chat; Marek has her now."""
    it = await router.owned_by("piotr", message(f"locker WAW-12A, call {TELEPHONE}", "s1"))
    await router.on_duty("marek")
    await router.hands_on("piotr", "warm", agent="marek")
    await router.offers()
    transfer_id = (await router.transfer()).transfer_id
    await router.does("marek", "accept_transfer", conversation=it, transfer_id=transfer_id)
    return it


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("it is LOCKER waw12a", None),
        ("it is locker waw12a", None),
        ("locker WAW12A!", "locker"),
        ("locker WAW-12-A", "locker"),
        ("123 456 789", "telephone"),
        ("12-34-56-78-9", "telephone"),
        ("123 456 780", None),
        ("locker WAW-12B", None),
    ],
)
async def test_another_spelling_is_the_same_fact(
    router: InMemoryRouter, words: str, name: str | None
) -> None:
    """Told again after the hand-over: repeated; another value is another fact, and what no pattern finds is none."""
    await told(router)
    await router.happens(message(words, "s1", k=1))
    repeated = await router.all(events.FactRepeated)
    assert [each.open.name for each in repeated] == ([] if name is None else [name])


async def test_a_question_for_what_she_told_is_noted_and_may_be_refused(
    router: InMemoryRouter,
) -> None:
    """The event of the reply names what it asks for; nothing is named that she did not tell."""
    it = await told(router)
    asks = {"channel": "email", "text": "Which Locker is it, and your telephone, and colour?"}
    assert (
        await router.refused("marek", "send_message", conversation=it, unless_told=True, **asks)
        == "message.asks_again"
    )
    await router.does("marek", "send_message", conversation=it, **asks)
    (summary,) = [each for each in router.done.events if each.type == "message.requested"]
    assert summary.open["told_already"] == ["locker", "telephone"]
    other = {"channel": "email", "text": "Which colour is it?", "unless_told": True}
    await router.does("marek", "send_message", conversation=it, **other)
    assert (await router.last(events.MessageRequested)).open.told_already == []


async def test_before_she_tells_it_the_question_is_a_good_one(router: InMemoryRouter) -> None:
    """Nobody is warned of what nobody knows."""
    it = await router.owned_by("piotr", message("hello", "s1"))
    told = {"channel": "email", "text": "Which locker is it?", "unless_told": True}
    assert "message.requested" in await router.does(
        "piotr", "send_message", conversation=it, **told
    )
