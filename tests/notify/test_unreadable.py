"""What could not be read and may be a customer's tells a person: once, until she has seen it, however much comes."""

from datetime import timedelta
from typing import Any

import pytest

from services.notify.domain.commands import Acknowledge
from shared import aggregates
from shared.errors import CommandForbidden
from shared.events import AgentId, AnyEvent, Data, NotificationId, PayloadQuarantined
from shared.events.contact import PayloadQuarantinedOpen
from shared.events.envelope import Nothing
from shared.timers import NOTIFICATION_ESCALATION, Timer
from tests.notify.samples import NOW, TENANT, envelope
from tests.notify.test_occasions import POLICIES, World

ACCOUNT = aggregates.account("email", "shop")
NOTIFICATIONS = aggregates.NOTIFICATION.of(ACCOUNT)


def quarantined(number: int, *, words: bool = True, account: str = "shop", hours: int = 0) -> Any:
    """One more delivery that could not be read."""
    opened = PayloadQuarantinedOpen(
        channel="email", account=account, code="payload.unreadable", words=words
    )
    about = envelope(f"q{number}") | {"aggregate": aggregates.account("email", account)}
    about |= {"conversation": None, "customer": None, "recorded": NOW + timedelta(hours=hours)}
    return PayloadQuarantined(**about, data=Data(open=opened, personal=Nothing()))


async def told(world: World) -> list[AnyEvent]:
    return [each.event for each in await world.ledger.read_leader(TENANT, NOTIFICATIONS)]


async def sees(world: World, notification: str, agent: str = "piotr") -> None:
    """An agent acknowledges what she was told, by the account's name."""
    command = Acknowledge(
        tenant=TENANT,
        conversation=ACCOUNT,  # type: ignore[arg-type]
        cause=f"seen-{notification}",
        cause_sha256="a",
        now=NOW,
        issued=NOW,
        notification_id=NotificationId(notification),
        agent=AgentId(agent),
        policy=POLICIES.of(TENANT),
    )
    await world.notifying().acknowledge(command)


async def test_the_queue_of_the_account_is_told() -> None:
    """On its screens, with the event that is meant; the notification is of no conversation."""
    world = World()
    await world.happens(quarantined(1))
    ((tenant, notice),) = world.screens.sent
    assert (tenant, notice.to, notice.reason) == (TENANT, "queue-hotline", "unreadable")
    assert (notice.conversation, notice.about) == (ACCOUNT, quarantined(1).id)
    found = await told(world)
    assert [each.type for each in found] == ["notification.requested", "notification.sent"]
    assert {each.conversation for each in found} == {None}


async def test_a_thousand_tell_once() -> None:
    """Who floods a door rings no bell a thousand times: one waits, and `parked` lists the others."""
    world = World()
    await world.happens(*(quarantined(number, hours=number // 100) for number in range(1_000)))
    assert len(world.screens.sent) == 1
    assert len(await told(world)) == 2


async def test_whoever_has_seen_one_is_told_of_the_next_hours() -> None:
    """Within the hour it is the same trouble; afterwards it may be another customer's."""
    world = World()
    await world.happens(quarantined(1))
    await sees(world, world.screens.sent[0][1].notification_id)
    await world.happens(quarantined(2))
    assert len(world.screens.sent) == 1
    await world.happens(quarantined(3, hours=1), quarantined(4, hours=1))
    assert [each.about for _, each in world.screens.sent] == [
        quarantined(1).id,
        quarantined(3).id,
    ]


async def test_what_nobody_sees_goes_to_the_next_in_line() -> None:
    """As any other notification: the supervisor of the queue."""
    world = World()
    await world.happens(quarantined(1))
    known_as = world.screens.sent[0][1].notification_id
    due = Timer(
        tenant=TENANT,
        aggregate=NOTIFICATIONS,
        kind=NOTIFICATION_ESCALATION.name,
        id=known_as,
        due=NOW,
    )
    await world.notifying().on_timer(due, 1)
    notice = world.screens.sent[-1][1]
    assert (notice.to, notice.conversation) == ("agent-piotr", ACCOUNT)
    assert (await told(world))[-1].conversation is None


async def test_who_was_not_told_does_not_acknowledge() -> None:
    """Nobody takes it off the screens of another queue."""
    world = World()
    await world.happens(quarantined(1))
    with pytest.raises(CommandForbidden):
        await sees(world, world.screens.sent[0][1].notification_id, "marek")


async def test_a_notice_that_was_not_sent_is_sent_when_it_is_handled_again() -> None:
    """A kill between the append and the screen loses nobody's notice, and doubles no notification."""
    world = World()
    await world.happens(quarantined(1))
    await world.notifying().on_event(quarantined(1))
    assert [each.type for each in await told(world)] == [
        "notification.requested",
        "notification.sent",
    ]
    assert len(world.screens.sent) == 1


@pytest.mark.parametrize(
    "event",
    [
        quarantined(1, words=False),
        quarantined(1, account="gone"),
    ],
)
async def test_nobody_is_told_of_what_a_machine_said(event: PayloadQuarantined) -> None:
    """Nor of an account that the policy has no longer: whose queue would it be?"""
    world = World()
    await world.happens(event)
    assert world.screens.sent == []
