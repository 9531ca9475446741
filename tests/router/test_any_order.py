"""What was told in another order than it happened comes to the same end, as where contacts move to other partitions."""

import itertools
from typing import Any

import pytest

from shared import events
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.messaging import a_router, answers, hands_over, later, reports, writes
from tests.router.samples import call

CALLS = [
    ("started", "menu", "answered", "ended"),
    ("started", "menu", "held", "missed"),
    ("started", "answered", "abandoned"),
    ("started", "answered", "voicemail"),
]


async def _call_ends(kinds: tuple[str, ...], order: tuple[int, ...]) -> Any:
    """Return what becomes of a call whose reports come in this order."""
    router, told = InMemoryRouter(), [call(kind, k=k) for k, kind in enumerate(kinds)]
    await router.happens(*(told[k] for k in order))
    await check(router)
    it = await router.conversation()
    (contact,) = it.contacts.by_id.values()
    owed = [(each.status, each.queue) for each in it.matter.callbacks.values()]
    return it.ownership.queue, it.waiting_contact, contact.status, owed


@pytest.mark.parametrize("kinds", CALLS, ids="-".join)
async def test_a_call_ends_as_it_ended(kinds: tuple[str, ...]) -> None:
    """No contact is left waiting, and whoever hung up is called back, once."""
    orders = list(itertools.permutations(range(len(kinds))))
    ends = [await _call_ends(kinds, order) for order in orders]
    assert ends == [("hotline", None, "lost", [("open", "hotline")])] * len(orders)


async def _message_ends(order: tuple[int, ...]) -> Any:
    router = a_router()
    await router.owned_by("piotr", writes("Where is it?"))
    request = await answers(router)
    told = [
        hands_over(request, "p-1"),
        reports(events.MessageDelivered, "d-1", refers_to="p-1", at=later(60)),
        reports(events.MessageRead, "r-1", refers_to="p-1", at=later(120)),
    ]
    await router.happens(*(told[k] for k in order))
    it = await router.conversation()
    return it.talk.outbound[request.open.message_id].status, it.talk.unanswered


async def test_of_a_message_the_last_that_was_reported_holds() -> None:
    """That it was handed over, came to her, and was read."""
    ends = {await _message_ends(order) for order in itertools.permutations(range(3))}
    assert len(ends) == 1


async def test_what_was_said_stands_in_the_order_in_which_it_was_said() -> None:
    """However late a part of it was heard; and she waits for one answer to all of it."""
    said = [
        writes(text, f"in-{k}", at=later(k - 60)) for k, text in enumerate(("a", "b", "c", "d"))
    ]
    for order in itertools.permutations(said):
        router = a_router()
        await router.happens(*order)
        it = await router.conversation()
        assert [each.text for each in it.talk.said] == ["a", "b", "c", "d"]
        assert (it.talk.unanswered, len(it.contacts.by_id)) == (4, 1)
