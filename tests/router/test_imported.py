"""An exported history: over before it came, told to nobody, in its order whatever comes first, and not told twice."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.router.domain import folds
from shared import events, handles
from tests.router.in_memory_router import InMemoryRouter
from tests.router.messaging import a_router, made, writes
from tests.router.samples import NOON

LONG_AGO = NOON - timedelta(days=400)
PHONE = handles.of("phone", "+48600100200", "delivered")
QUIET = {"conversation.opened", "message.received", "message.echoed", "conversation.resolved"}
"""What an import decides about conversations."""


def imported(
    text: str,
    name: str,
    talk: str = "t-1",
    kind: type[Any] = events.MessageReceived,
    days: float = 0,
    who: str = "7",
) -> Any:
    """What stands in a talk of an export, so many days after its beginning."""
    known = [
        handles.reference("dove", "cote", talk),
        handles.account("dove", who),
        *([PHONE] if who == "7" else []),
    ]
    personal = events.MessageReceivedPersonal(handles=known, name="Anna", text=text)
    opened = events.MessageReceivedOpen
    event = made(kind, opened, personal, name, who=talk, at=LONG_AGO + timedelta(days=days))
    return replace(event, actor="import:dove/cote", recorded=NOON)


HISTORY = [
    imported("Hello. How may I help?", "1-1", kind=events.MessageEchoed),
    imported("My locker KRA01M stays shut, ORD-1234", "1-2", days=0.1),
    imported("It is open now", "1-3", kind=events.MessageEchoed, days=0.2),
    imported("Where is my refund?", "2-1", "t-2", days=30),
    imported("It is on its way", "2-2", "t-2", events.MessageEchoed, days=30.1),
    imported("I am somebody else", "3-1", "t-3", days=31, who="8"),
]
TALKS = [HISTORY[:3], HISTORY[3:5], HISTORY[5:]]


async def all_of(router: InMemoryRouter, *talks: list[Any]) -> None:
    for talk in talks:
        for event in talk:
            await router.happens(event)


async def told(router: InMemoryRouter) -> list[list[tuple[Any, ...]]]:
    """What stands on each customer's timeline, in the order in which it happened; how her talks stand to each other."""
    found = []
    for each in await router.conversations():
        said = [(one.at, one.by, one.text) for one in each.talk.said]
        found.append([(each.opened, each.resolved, each.imported), *said])
    return sorted(found)


async def test_what_is_imported_is_over_and_nobody_hears_of_it() -> None:
    """A talk is a conversation of its time, resolved in the batch that opens it: nothing waits, nothing is offered."""
    router = a_router()
    await router.does("piotr", "sign_in")
    decided = [one for event in HISTORY for one in await router.happens(event)]
    assert set(decided) == QUIET
    first, second, third = sorted(await router.conversations(), key=lambda each: str(each.opened))
    assert [each.resolved for each in (first, second, third)] == [True] * 3
    assert (first.opened, first.contacts.last_activity) == (
        LONG_AGO,
        LONG_AGO + timedelta(days=0.1),
    )
    assert [each.text for each in first.talk.said][1] == "My locker KRA01M stays shut, ORD-1234"
    assert first.talk.unanswered == 0
    assert first.customer == second.customer != third.customer
    assert await router.offers() == []


async def test_a_repeat_adds_nothing() -> None:
    """The same export once more, or a file of it."""
    router = a_router()
    await all_of(router, *TALKS)
    before = await told(router)
    assert [await router.happens(event) for event in HISTORY] == [[] for _ in HISTORY]
    assert await told(router) == before


@given(order=st.permutations(range(3)), again=st.lists(st.integers(0, 2), max_size=2))
async def test_any_order_of_talks_gives_the_same_timelines(
    order: list[int], again: list[int]
) -> None:
    """Pages of an export may come from its end, overlap, or come twice."""
    straight, mixed = a_router(), a_router()
    await all_of(straight, *TALKS)
    await all_of(mixed, *(TALKS[each] for each in [*order, *again]))
    assert await told(mixed) == await told(straight)
    for each in await mixed.conversations():
        latest = [
            one.last for one in (await mixed.load(folds.CUSTOMER, str(each.customer))).conversations
        ]
        assert latest == sorted(latest)


async def test_who_comes_for_the_first_time_comes_back_to_the_newest_of_it() -> None:
    """The agent's packet shows her first words there, and leads to the rest."""
    router = a_router()
    await all_of(router, *reversed(TALKS))
    await router.happens(writes("Hello again", "in-1"))
    (ours,) = [each for each in await router.conversations() if not each.resolved]
    assert ours.after is not None
    assert ours.after.matter == "Where is my refund?"


async def test_an_open_matter_is_not_touched_by_the_import() -> None:
    """Her matter stays the one that the next contact joins, however much of her past is imported behind it."""
    router = a_router()
    await router.happens(writes("Where is it?", "in-1"))
    (ours,) = await router.conversations()
    many = [imported("Hello", f"{n}-1", f"old-{n}", days=n) for n in range(12)]
    await all_of(router, many)
    assert await router.happens(writes("Please answer", "in-2")) == ["message.received"]
    (still,) = [each for each in await router.conversations() if not each.resolved]
    assert (still.id, still.after, still.talk.unanswered) == (ours.id, None, 2)


@pytest.mark.parametrize("resolved", [False, True])
async def test_what_was_told_live_is_not_told_again(resolved: bool) -> None:
    """A talk that came by webhook, too, stays one; what the webhooks missed stands beside it and wakes nobody."""
    router = a_router()
    it = await router.owned_by("piotr", replace(HISTORY[1], actor="channel:dove/cote"))
    if resolved:
        done = {"disposition": "solved", "summary": "It is there."}
        await router.does("piotr", "wrap_up", conversation=it, **done)
        await router.does("piotr", "resolve", conversation=it)
    assert [await router.happens(event) for event in HISTORY[:3]] == [
        ["message.echoed"],
        [],
        ["message.echoed"],
    ]
    (still,) = await router.conversations()
    assert (still.resolved, len(still.talk.said)) == (resolved, 3)
