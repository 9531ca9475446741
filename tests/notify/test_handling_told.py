"""Who is told of what comes back, and of what a rule wants looked at."""

import pytest

from shared.events import (
    AgentId,
    AnyEvent,
    AttentionRequested,
    AttentionRequestedOpen,
    ContactId,
    ConversationSnoozed,
    ConversationSnoozedOpen,
    ConversationWoken,
    ConversationWokenOpen,
    Data,
    DiscontentNoticed,
    DiscontentNoticedOpen,
    EventId,
    FeedbackGiven,
    FeedbackGivenOpen,
    FeedbackGivenPersonal,
    MessageId,
    Nothing,
    SnoozeId,
)
from tests.notify.samples import NOW, accepted, envelope, queued, received
from tests.notify.test_occasions import World

SNOOZE = SnoozeId("snooze-1")


def woken(event_id: str, to_owner: str | None = "piotr") -> AnyEvent:
    told = ConversationWokenOpen(
        snooze_id=SNOOZE,
        by="customer",
        contact_id=ContactId("chat-1"),
        to_owner=None if to_owner is None else AgentId(to_owner),
    )
    return ConversationWoken(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def snoozed(event_id: str) -> AnyEvent:
    told = ConversationSnoozedOpen(snooze_id=SNOOZE, agent=AgentId("piotr"), until=NOW)
    return ConversationSnoozed(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def wanted(event_id: str, to: str) -> AnyEvent:
    told = AttentionRequestedOpen(to=to, about=EventId("e1"), rule="complaint", policy_version="v")
    return AttentionRequested(**envelope(event_id), data=Data(open=told, personal=Nothing()))


def said(event_id: str, score: int) -> AnyEvent:
    told = FeedbackGivenOpen(
        contact_id=ContactId("chat-1"),
        message_id=MessageId("question-1"),
        event=EventId("e1"),
        channel="chat",
        agent=AgentId("piotr"),
        queue="branch-krakow",
        score=score,
        low=score <= 2,
        policy_version="v",
    )
    personal = FeedbackGivenPersonal(text=str(score))
    return FeedbackGiven(**envelope(event_id), data=Data(open=told, personal=personal))


def noticed(event_id: str, queue: str) -> AnyEvent:
    told = DiscontentNoticedOpen(
        signs={"waits": 1, "repeats": 2}, queue=queue, rule="discontent", policy_version="v"
    )
    return DiscontentNoticed(**envelope(event_id), data=Data(open=told, personal=Nothing()))


@pytest.fixture
async def world() -> World:
    """A conversation waits in the hotline's queue."""
    world = World()
    await world.happens(received("e1", "chat-1"), queued("e2", "chat-1"))
    return world


async def test_an_owner_is_told_that_it_is_back_until_she_puts_it_aside_again(world: World) -> None:
    """Once; where something else tells her, not at all."""
    await world.happens(accepted("e3"), woken("e4", None), woken("e5"))
    assert (await world.told())[-1] == ("agent-piotr", "woken")
    assert [reason for _, reason in await world.told()].count("woken") == 1
    still_open = await world.open()
    await world.happens(snoozed("e6"))
    assert still_open == [*await world.open(), "agent-piotr"]


async def test_whom_a_rule_tells_has_not_seen_it_because_somebody_else_takes_it(
    world: World,
) -> None:
    """The hotline's request is acknowledged by taking it, the warehouse's is not."""
    await world.happens(wanted("e3", "queue-warehouse"), accepted("e4"))
    assert ("queue-warehouse", "rule") in await world.told()
    assert sorted(await world.open()) == ["agent-piotr", "queue-warehouse"]


async def test_what_was_not_good_is_told_to_the_supervisor_once(world: World) -> None:
    """A low answer, and a matter in which too much went wrong; a good answer is nobody's work."""
    await world.happens(said("e3", 5))
    before = await world.told()
    await world.happens(said("e4", 2), noticed("e5", "branch-krakow"))
    new = [("agent-ewa", "low_feedback"), ("agent-ewa", "discontent")]
    assert await world.told() == [*before, *new]
    await world.everything_again()
    assert await world.told() == [*before, *new]
