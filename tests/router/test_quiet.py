"""What asks for nothing opens nothing and wakes nobody; a message written anew counts once, by its new words."""

from typing import Any

import pytest

from services.router.domain import folds
from shared import aggregates, events
from shared.events import CustomerCreated, FactStated
from tests.router.in_memory_router import InMemoryRouter
from tests.router.messaging import (
    ANNA_ID,
    OLEK_ID,
    a_router,
    answers,
    deletes,
    echoes,
    edits,
    hands_over,
    later,
    reacts,
    writes,
)
from tests.router.proved import registered
from tests.router.samples import NOON, TENANT

QUIET = [
    pytest.param(lambda **told: deletes("in-1", **told), id="deleted"),
    pytest.param(lambda **told: reacts("out-1", **told), id="reacted"),
    pytest.param(lambda **told: echoes("I have called her.", **told), id="echoed"),
]


async def resolved(router: InMemoryRouter, conversation: str) -> None:
    """Piotr has solved it."""
    done = {"disposition": "solved", "summary": "It is there."}
    await router.does("piotr", "wrap_up", conversation=conversation, **done)
    await router.does("piotr", "resolve", conversation=conversation)


@pytest.mark.parametrize("quiet", QUIET)
async def test_it_stands_in_the_open_conversation_and_nothing_else_happens(quiet: Any) -> None:
    """No offer, no queue, no switch: it is told, and that is all."""
    router = a_router()
    await router.happens(writes("Where is it?"))
    event = quiet()
    assert await router.happens(event) == [event.type]
    assert (await router.last(type(event))).aggregate.startswith("conv-")
    assert len(await router.conversations()) == 1


@pytest.mark.parametrize("quiet", QUIET)
async def test_without_a_conversation_it_stands_on_the_account(quiet: Any) -> None:
    """Nobody is created for it."""
    router = a_router()
    event = quiet()
    assert await router.happens(event) == [event.type]
    assert (await router.last(type(event))).aggregate == aggregates.account("dove", "cote")
    assert await router.conversations() == []
    assert await router.all(CustomerCreated) == []


@pytest.mark.parametrize("quiet", QUIET)
async def test_it_wakes_nobody_in_a_resolved_matter(quiet: Any) -> None:
    """It belongs there; the matter stays resolved."""
    router = a_router()
    it = await router.owned_by("piotr", writes("Where is it?"))
    await resolved(router, it)
    event = quiet(at=later(60))
    assert await router.happens(event) == [event.type]
    assert (await router.conversation()).resolved
    assert await router.offers() == []


@pytest.mark.parametrize("quiet", QUIET)
async def test_somebody_elses_stands_not_in_her_matter(quiet: Any) -> None:
    """Another account of the same provider is another person."""
    router = a_router()
    await router.happens(writes("Where is it?"))
    event = quiet(who=OLEK_ID)
    await router.happens(event)
    assert (await router.last(type(event))).aggregate == aggregates.account("dove", "cote")


async def test_a_gap_of_a_channel_stands_on_its_account_once() -> None:
    """Two who listened anew, or one delivery parsed twice: nobody's matter changes."""
    router = a_router()
    await router.happens(writes("Where is it?"))
    opened = events.ChannelInterruptedOpen(
        channel="dove", account="cote", since=NOON, until=later(60)
    )
    origin = events.Origin(
        tenant=TENANT, service="ingest", actor="channel:dove/cote", occurred=NOON, recorded=NOON
    )
    account = aggregates.account("dove", "cote")
    event = events.make(events.ChannelInterrupted, origin, "gap-1", account, opened)
    for _ in range(2):
        await router.intake.take(event)
    (noted,) = await router.all(events.ChannelInterrupted)
    assert (noted.aggregate, noted.open) == (account, opened)


async def test_what_was_answered_by_the_providers_own_program_awaits_no_answer() -> None:
    """A colleague has written on the telephone: the packet has the words, and nothing is unanswered."""
    router = a_router()
    await router.happens(writes("Where is it?"), echoes("At your neighbour's."))
    talk = (await router.conversation()).talk
    assert (talk.unanswered, [each.text for each in talk.said]) == (
        0,
        ["Where is it?", "At your neighbour's."],
    )


# -- written anew ---------------------------------------------------------------------------------------


async def test_a_message_written_anew_states_its_facts_and_is_one_message() -> None:
    """Its number is a fact of the matter; Piotr, who has the matter, is not told twice, and owes one answer."""
    router = a_router()
    await router.owned_by("piotr", writes("Where is my parcel?"))
    told = await router.happens(edits("Where is ORD-1234?", "in-2", "in-1", at=later(10)))
    assert told == ["message.edited", "fact.stated"]
    fact = await router.last(FactStated)
    assert (fact.open.name, fact.personal and fact.personal.value) == ("order_number", "ORD-1234")
    assert (await router.conversation()).talk.unanswered == 1
    assert await router.offers() == []


async def test_a_message_written_anew_after_the_answer_awaits_one() -> None:
    """What she changed may change the answer."""
    router = a_router()
    await router.owned_by("piotr", writes("Where is my parcel?"))
    request = await answers(router)
    await router.happens(hands_over(request, "out-1"))
    await router.happens(edits("Where is my lamp?", "in-2", "in-1", at=later(60)))
    assert (await router.conversation()).talk.unanswered == 1


async def test_a_message_of_which_only_the_new_form_came_opens_a_conversation() -> None:
    """The first one was lost: somebody answers her all the same."""
    router = a_router()
    await router.happens(edits("Where is my lamp?", "in-2", "in-1"))
    assert (await router.conversation()).ownership.queue == "hotline"


# -- whom a provider knows by an id of its own ------------------------------------------------------------


async def test_a_stranger_is_known_by_the_providers_id() -> None:
    """She is the same one when she comes again, and the answer goes to that id on that channel alone."""
    router = a_router()
    it = await router.owned_by("piotr", writes("Where is it?"))
    customer = await router.customer()
    assert customer.provisional
    assert [(each.kind, each.value) for each in customer.handles] == [("account", "dove:7")]
    request = await answers(router)
    assert request.personal is not None
    assert request.personal.to == f"dove:{ANNA_ID}"
    refused = {"conversation": it, "text": "Hello"}
    code = await router.refused("piotr", "send_message", channel="raven", **refused)
    assert code == "message.no_address"
    await resolved(router, it)
    await router.happens(writes("And my lamp?", "in-9", at=later(7_200)))
    again = (await router.conversations())[-1]
    assert again.id != it
    assert again.customer == customer.id


async def test_the_right_one_of_her_ids_is_written_to() -> None:
    """Two providers know her by the same number; she wrote by one of them last."""
    router = a_router()
    handles = [
        {"kind": "account", "value": f"{name}:7", "verified": True} for name in ("dove", "raven")
    ]
    await router.does("service:shop", "register_customer", name="Anna", handles=handles)
    await router.owned_by("piotr", writes("Where is it?", channel="raven"))
    for channel in ("dove", "raven"):
        request = await answers(router, channel=channel)
        assert request.personal is not None
        assert request.personal.to == f"{channel}:7"


async def test_another_providers_id_that_looks_the_same_is_somebody_else() -> None:
    """Ids are a provider's own."""
    router = a_router()
    anna = await registered(router, "Anna", account="dove:7")
    await router.happens(writes("Where is it?", channel="raven"))
    assert (await router.conversation()).customer != anna
    assert (await router.load(folds.CUSTOMER, anna)).conversations == ()
