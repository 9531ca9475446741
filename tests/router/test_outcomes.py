"""What providers report of our messages: each is news once, whatever comes first, and finds what it is about."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.domain import folds
from services.router.domain.outcomes import RANK
from services.router.intake import on_account
from shared import aggregates, events, handles
from shared.errors import NotAnEvent
from shared.events import (
    MessageDelivered,
    MessageFailed,
    MessageRead,
    MessageRequested,
    MessageSent,
    MessageUncertain,
)
from tests.fakes.disturbed import Disturbance, disturbed
from tests.router.in_memory_router import InMemoryRouter
from tests.router.messaging import OLEK_ID, a_router, answers, hands_over, later, reports, writes

PROVIDER_ID = "out-77"
KINDS = (MessageSent, MessageDelivered, MessageRead, MessageFailed)
IN_TIME = later(60)


async def answered() -> tuple[InMemoryRouter, MessageRequested]:
    """She wrote, and Piotr has answered."""
    router = a_router()
    await router.owned_by("piotr", writes("Where is it?"))
    return router, await answers(router)


async def status(router: InMemoryRouter, request: MessageRequested) -> str:
    """Return what is known of a message by now."""
    found = await router.conversations()
    (outbound,) = [
        each.talk.outbound[request.open.message_id]
        for each in found
        if request.open.message_id in each.talk.outbound
    ]
    return outbound.status


async def waiting(router: InMemoryRouter) -> Sequence[events.OutcomeEvent]:
    """Return the reports that stand on the account and may find their message yet."""
    name = aggregates.split(aggregates.account("dove", "cote"))[1]
    return (await router.load(folds.ACCOUNT, name)).early


def by_provider_id(kind: type[Any], k: int = 0) -> Any:
    return reports(kind, f"{kind.__name__}-{k}", refers_to=PROVIDER_ID)


def by_our_reference(kind: type[Any], request: MessageRequested, **told: Any) -> Any:
    named = {"message_id": request.open.message_id, "conversation": request.conversation}
    return reports(kind, f"own-{kind.__name__}", **named, **told)


def until(kind: type[Any], **told: Any) -> Any:
    return reports(kind, f"until-{kind.__name__}", **{"until": IN_TIME, **told})


# -- one report -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MessageDelivered, MessageRead, MessageFailed])
async def test_a_report_finds_its_message_by_the_providers_id(kind: type[Any]) -> None:
    """Notify said under which id it went; the report stands in the conversation, with our name of the message."""
    router, request = await answered()
    assert await router.happens(hands_over(request, PROVIDER_ID)) == ["message.sent"]
    report = by_provider_id(kind)
    assert await router.happens(report) == [report.type]
    recorded = await router.last(kind)
    assert recorded.open.message_id == request.open.message_id
    assert recorded.aggregate == aggregates.CONVERSATION.of(str(request.conversation))
    assert await status(router, request) == report.type.partition(".")[2]


@pytest.mark.parametrize("kind", [MessageDelivered, MessageRead, MessageFailed])
async def test_a_report_that_comes_first_waits_for_its_message(kind: type[Any]) -> None:
    """It stands on the account, and in the conversation as soon as notify has said which message that is."""
    router, request = await answered()
    report = by_provider_id(kind)
    assert await router.happens(report) == [report.type]
    assert (await router.last(kind)).aggregate == aggregates.account("dove", "cote")
    assert await router.happens(hands_over(request, PROVIDER_ID)) == ["message.sent", report.type]
    assert await status(router, request) == report.type.partition(".")[2]


@pytest.mark.parametrize("first", [True, False])
async def test_a_report_that_names_our_message_needs_nobody_else(first: bool) -> None:
    """What the provider gives back leads to it, before notify has reported and after."""
    router, request = await answered()
    if not first:
        await router.happens(hands_over(request, PROVIDER_ID))
    report = by_our_reference(MessageDelivered, request)
    assert await router.happens(report) == ["message.delivered"]
    assert await router.happens(hands_over(request, PROVIDER_ID)) == []
    assert await status(router, request) == "delivered"


async def test_the_providers_id_is_learned_from_whoever_says_it_first() -> None:
    """A report that names both leads the next one, which knows the provider's id alone; so do those that waited."""
    router, request = await answered()
    await router.happens(by_provider_id(MessageRead))
    both = by_our_reference(MessageSent, request, refers_to=PROVIDER_ID)
    assert await router.happens(both) == ["message.sent", "message.read"]
    await router.happens(hands_over(request, PROVIDER_ID))
    assert await status(router, request) == "read"


# -- what is no news ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "late"),
    [
        (MessageRead, MessageDelivered),
        (MessageRead, MessageFailed),
        (MessageDelivered, MessageFailed),
        (MessageDelivered, MessageSent),
        (MessageFailed, MessageSent),
    ],
)
async def test_what_says_less_than_is_known_stands_on_the_account(
    known: type[Any], late: type[Any]
) -> None:
    """A message that was read has not failed; what was told all the same is kept."""
    router, request = await answered()
    await router.happens(hands_over(request, PROVIDER_ID), by_provider_id(known))
    before = await status(router, request)
    report = by_provider_id(late)
    assert await router.happens(report) == [report.type]
    assert (await router.last(late)).aggregate == aggregates.account("dove", "cote")
    assert await status(router, request) == before


@pytest.mark.parametrize(
    "told",
    [
        {"refers_to": "of-a-newsletter"},
        {"message_id": "nobodys", "conversation": "c-of-nobody"},
        {"message_id": "nobodys"},
        {"until": IN_TIME, "who": OLEK_ID},
        {},
    ],
    ids=["provider's id", "our form", "without its conversation", "watermark", "nothing at all"],
)
async def test_a_report_on_nobodys_message_stands_on_its_account(told: dict[str, Any]) -> None:
    """The same account sends newsletters, too: nothing is parked because of them."""
    router, request = await answered()
    await router.happens(hands_over(request, PROVIDER_ID))
    assert await router.happens(reports(MessageRead, "x", **told)) == ["message.read"]
    assert (await router.last(MessageRead)).aggregate == aggregates.account("dove", "cote")
    assert await status(router, request) == "sent"


async def test_a_report_is_about_the_channel_that_the_message_went_by() -> None:
    """Another provider may use the same ids."""
    router, request = await answered()
    await router.happens(hands_over(request, PROVIDER_ID))
    for told in (
        {"refers_to": PROVIDER_ID},
        {"message_id": request.open.message_id, "conversation": request.conversation},
    ):
        await router.happens(reports(MessageRead, f"r{len(told)}", channel="raven", **told))
    assert await status(router, request) == "sent"


async def test_notify_may_not_report_on_nothing() -> None:
    """A report of our own without any name is a fault of ours, and is parked."""
    router, request = await answered()
    named = hands_over(request, None)
    nameless = type(named)(
        **{field: getattr(named, field) for field in named.__struct_fields__}
        | {"conversation": None}
    )
    with pytest.raises(NotAnEvent):
        await router.happens(nameless)


# -- watermarks -------------------------------------------------------------------------------------------


async def test_a_watermark_is_about_all_that_was_sent_to_her_before() -> None:
    """Each message gets its report, once; what was asked for later, or never left, gets none."""
    router, first = await answered()
    second = await answers(router, "It is at the door")
    failed = await answers(router, "It is in your hands")
    router.clock.time = later(120)
    after = await answers(router, "Are you happy with it?")
    for k, each in enumerate((first, second, after)):
        await router.happens(hands_over(each, f"out-{k}"))
    await router.happens(hands_over(failed, None, MessageFailed))
    assert await router.happens(until(MessageRead)) == ["message.read", "message.read"]
    assert [await status(router, each) for each in (first, second, failed, after)] == [
        "read",
        "read",
        "failed",
        "sent",
    ]
    assert len({each.id for each in await router.all(MessageRead)}) == 2


async def test_a_watermark_of_a_session_finds_the_conversation_that_it_leads_to() -> None:
    """A provider that names its sessions brings a reference; a contact of it leads to its conversation by that."""

    def of_a_session(event: Any) -> Any:
        personal = event.personal
        named = [handles.reference("dove", "cote", "session-1"), *personal.handles]
        told = msgspec.structs.replace(personal, handles=named)
        data = msgspec.structs.replace(event.data, personal=told)
        return msgspec.structs.replace(event, data=data)

    router = a_router()
    await router.owned_by("piotr", of_a_session(writes("Where is it?")))
    request = await answers(router)
    await router.happens(hands_over(request, PROVIDER_ID))
    assert await router.happens(of_a_session(until(MessageRead))) == ["message.read"]
    assert await status(router, request) == "read"


async def test_a_watermark_that_comes_first_waits_too() -> None:
    """She read it before notify has reported that it was sent; so do those of two kinds."""
    router, request = await answered()
    await router.happens(until(MessageDelivered), until(MessageRead))
    assert await status(router, request) == "requested"
    await router.happens(hands_over(request, PROVIDER_ID))
    assert await status(router, request) == "read"


async def test_a_watermark_reaches_what_is_reported_sent_after_it_told_of_another() -> None:
    """The one that had been reported has its mark; the other one gets its own later."""
    router, first = await answered()
    second = await answers(router, "It is at the door")
    await router.happens(hands_over(first, "out-1"))
    await router.happens(until(MessageRead))
    assert [await status(router, each) for each in (first, second)] == ["read", "requested"]
    await router.happens(hands_over(second, "out-2"))
    assert [await status(router, each) for each in (first, second)] == ["read", "read"]


@pytest.mark.parametrize("first", [True, False])
async def test_a_watermark_is_not_about_what_left_after_it(first: bool) -> None:
    """She had read all that there was; the answer that was asked for by then left minutes later."""
    router, request = await answered()
    router.clock.time = later(600)
    told = [until(MessageRead), hands_over(request, PROVIDER_ID, at=later(600))]
    await router.happens(*(told if first else reversed(told)))
    assert await status(router, request) == "sent"


async def test_a_watermark_of_another_account_marks_nothing() -> None:
    """She writes to two pages of the shop: what she has read on the one says nothing of the other."""
    router, request = await answered()
    await router.happens(hands_over(request, PROVIDER_ID))
    other = until(MessageRead)
    opened = msgspec.structs.replace(other.open, account="other")
    data = msgspec.structs.replace(other.data, open=opened)
    await router.happens(msgspec.structs.replace(other, data=data))
    assert await status(router, request) == "sent"


async def test_a_watermark_of_somebody_else_marks_nothing() -> None:
    """Neither at once nor for what is sent later."""
    router, request = await answered()
    await router.happens(until(MessageRead, who=OLEK_ID))
    await router.happens(hands_over(request, PROVIDER_ID))
    assert await status(router, request) == "sent"


# -- any order ----------------------------------------------------------------------------------------------


def expected(told: Sequence[Any]) -> str:
    """Return the most that was told."""
    ranks = {each.type.partition(".")[2] for each in told}
    return str(max(ranks, key=lambda each: RANK[each]))


async def state_after(seed: int, kinds: Sequence[type[Any]], own: bool, lost: float) -> None:
    router, request = await answered()
    told = [hands_over(request, PROVIDER_ID)]
    told += [by_our_reference(kind, request) if own else by_provider_id(kind) for kind in kinds]
    day = Disturbance(twice=0.5, late=0.9, lost=lost)
    arrived = disturbed(told, seed, day)
    for each in arrived:
        await router.happens(each)
    if arrived:
        heard = arrived if own or told[0] in arrived else []
        assert await status(router, request) == (expected(heard) if heard else "requested")
    timeline = [each for each in await router.recorded() if each.aggregate.startswith("conv-")]
    outcomes = [e.event.type for e in timeline if isinstance(e.event, events.OutcomeEvent)]
    assert len(outcomes) == len(set(outcomes)), "each is told once"
    ranks = [RANK[each.partition(".")[2]] for each in outcomes]
    assert ranks == sorted(ranks)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kinds=st.lists(st.sampled_from(KINDS), unique=True),
    own=st.booleans(),
    lost=st.sampled_from([0.0, 0.3]),
)
def test_whatever_comes_first_and_how_often_the_same_is_known(
    seed: int, kinds: Sequence[type[Any]], own: bool, lost: float
) -> None:
    """Out of order, twice, late, some never: what is known is the most that was told, and each is told once."""
    asyncio.run(state_after(seed, kinds, own, lost))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 3))
def test_watermarks_in_any_order_mark_all_of_it(seed: int, count: int) -> None:
    """Reports that they were sent, and two watermarks after all of them."""

    async def history() -> None:
        router, first = await answered()
        requests = [first, *[await answers(router, f"{k}") for k in range(1, count)]]
        told = [hands_over(each, f"out-{k}") for k, each in enumerate(requests)]
        told += [until(MessageDelivered), until(MessageRead)]
        for each in disturbed(told, seed, Disturbance(twice=0.5, late=0.9)):
            await router.happens(each)
        assert [await status(router, each) for each in requests] == ["read"] * count

    asyncio.run(history())


# -- the race -----------------------------------------------------------------------------------------------


async def test_two_routers_at_once_lose_no_report() -> None:
    """The report and `message.sent` are on two partitions: whoever writes second finds the other."""
    for seed in range(20):
        router, request = await answered()
        both = [hands_over(request, PROVIDER_ID), by_provider_id(MessageRead)]
        await asyncio.gather(*map(router.intake.take, both if seed % 2 else reversed(both)))
        assert await status(router, request) == "read"


async def test_a_router_that_died_between_the_two_finds_the_report_again() -> None:
    """`message.sent` stands in the conversation already, its delivery comes again: those that wait are told now."""
    router, request = await answered()
    sent, read = hands_over(request, PROVIDER_ID), by_provider_id(MessageRead)
    await router.happens(sent)
    await on_account(router.cases, read)
    assert [each.id for each in await waiting(router)] == [read.id]
    await router.happens(sent)
    assert await status(router, request) == "read"


async def test_an_uncertain_message_is_cleared_up_by_the_provider() -> None:
    """The process died after the request; what the provider then reports, with our reference, says how it ended."""
    router, request = await answered()
    assert await router.happens(hands_over(request, None, MessageUncertain)) == [
        "message.uncertain"
    ]
    assert await router.happens(by_our_reference(MessageDelivered, request)) == [
        "message.delivered"
    ]
    assert await status(router, request) == "delivered"
