"""Somebody is told that contacts come faster than they are decided: one notice of a lane at a time."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.notify.domain.commands import Acknowledge, TellRequest
from services.notify.domain.decisions import decide
from services.notify.domain.occasions import NOTHING_BEFORE, command_on
from shared import aggregates
from shared.events import AgentId, Data, LaneDelayed, LaneRecovered, NotificationId
from shared.events.envelope import Nothing
from shared.events.lanes import LaneDelayedOpen, LaneRecoveredOpen
from shared.overload import Overload
from tests.notify.samples import NOW, TENANT, envelope
from tests.notify.test_occasions import POLICIES, World

LANE = aggregates.LANE.of("live")
NOTIFICATIONS = aggregates.NOTIFICATION.of(LANE)
FACTS: dict[str, Any] = {"lane": "live", "undecided": 7, "policy_version": "p"}


def delayed(number: int, limit_seconds: float = 10.0) -> Any:
    """The lane has passed a limit."""
    opened = LaneDelayedOpen(**FACTS, waited_seconds=12.0, limit_seconds=limit_seconds)
    return LaneDelayed(**_about(number), data=Data(open=opened, personal=Nothing()))


def recovered(number: int) -> Any:
    opened = LaneRecoveredOpen(**FACTS, waited_seconds=1.0)
    return LaneRecovered(**_about(number), data=Data(open=opened, personal=Nothing()))


def _about(number: int) -> dict[str, Any]:
    return envelope(f"l{number}") | {"aggregate": LANE, "conversation": None, "customer": None}


async def sees(world: World, notification: str) -> None:
    """An agent acknowledges what she was told, by the lane's name."""
    command = Acknowledge(
        tenant=TENANT,
        conversation=LANE,  # type: ignore[arg-type]
        cause=f"seen-{notification}",
        cause_sha256="a",
        now=NOW,
        issued=NOW,
        notification_id=NotificationId(notification),
        agent=AgentId("piotr"),
        policy=POLICIES.of(TENANT),
    )
    await world.notifying().acknowledge(command)


async def test_the_first_queue_is_told_where_the_policy_names_none() -> None:
    """On its screens, with the event that is meant; the notification is of no conversation."""
    world = World()
    await world.happens(delayed(1))
    ((tenant, notice),) = world.screens.sent
    first = next(iter(POLICIES.of(TENANT).queues))
    assert (tenant, notice.to, notice.reason) == (TENANT, f"queue-{first}", "overload")
    assert (notice.conversation, notice.about) == (LANE, delayed(1).id)
    found = [each.event for each in await world.ledger.read_leader(TENANT, NOTIFICATIONS)]
    assert [each.type for each in found] == ["notification.requested", "notification.sent"]
    assert {each.conversation for each in found} == {None}


async def test_one_notice_is_open_and_whoever_has_seen_it_is_told_of_the_next() -> None:
    """A lane that is behind, in time, and behind again rings no bell twice; a further limit does, once it was seen."""
    world = World()
    await world.happens(delayed(1), recovered(2), delayed(3))
    assert [each.about for _, each in world.screens.sent] == [delayed(1).id]
    await sees(world, world.screens.sent[0][1].notification_id)
    await world.happens(delayed(4, 60.0))
    assert [each.about for _, each in world.screens.sent] == [delayed(1).id, delayed(4).id]


async def test_a_notice_that_nobody_has_seen_for_a_day_silences_no_other() -> None:
    """The lane was in time long ago, and nobody acknowledges what is over: next week somebody is told all the same."""
    world = World()
    await world.happens(delayed(1), recovered(2))
    state = await world.notifying().store.load(TENANT, LANE)
    for later, told in ((timedelta(hours=23), 0), (timedelta(days=7), 1)):
        command = command_on(delayed(3), NOTHING_BEFORE, NOW + later, lambda: POLICIES.of(TENANT))
        assert isinstance(command, TellRequest)
        assert len(decide(state, command)) == told


@pytest.mark.parametrize("queue", list(POLICIES.of(TENANT).queues))
def test_the_queue_of_the_policy_is_told(queue: str) -> None:
    """Whoever has it is on duty for that."""
    chosen = replace(POLICIES.of(TENANT), overload=Overload(tell=queue))
    command = command_on(delayed(1), NOTHING_BEFORE, NOW, lambda: chosen)
    assert isinstance(command, TellRequest)
    assert command.recipient == f"queue-{queue}"
