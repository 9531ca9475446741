"""Queues and owners are told once, wherever notify is killed, and nobody is forgotten."""

from typing import Any, cast

import pytest
from msgspec.structs import replace

from services.notify.domain.commands import Acknowledge
from services.notify.domain.notices import NotSent
from services.notify.notifying import ASK_AGAIN_SECONDS, Notifying
from services.notify.store import NotificationStore
from shared import aggregates, policy
from shared.arrivals import Later
from shared.errors import BusUnavailable, CommandForbidden, EventTypeUnknown
from shared.events import AgentId, AnyEvent, NotificationId, NotificationRequestedOpen
from shared.ledger import Recorded, Write
from shared.policies import Policies
from shared.settings import Settings
from shared.timers import NOTIFICATION_ESCALATION, Timer
from tests.notify.samples import (
    CONVERSATION,
    NOW,
    PACKET,
    TENANT,
    accepted,
    queued,
    reached,
    signed_in,
    transferred,
)
from tests.notify.twins import FixedClock, Fuse, FusedLedger, FusedTimers, Killed, MemoryTransport
from tests.support.memory_ledger import MemoryLedger

POLICY = policy.load(Settings().policy)
BOTH = replace(POLICY, transports=("screen", "push"))
"""A tenant whose agents are told on their screens and by push."""


class World:
    """What outlives notify."""

    def __init__(self, chosen: policy.Policy = POLICY) -> None:
        self.policy = chosen
        self.ledger = MemoryLedger()
        self.screens = MemoryTransport("screen")
        self.push = MemoryTransport("push")
        self.timers = FusedTimers()

    def notifying(self, fuse: Fuse | None = None) -> Notifying:
        """A newly started process."""
        fuse = fuse or Fuse()
        self.screens.fuse = self.push.fuse = self.timers.fuse = fuse
        ledger = FusedLedger(self.ledger, fuse)
        return Notifying(
            NotificationStore(ledger, self.timers, cached=16, retries=3),
            {each.NAME: each for each in (self.screens, self.push)},
            Policies(self.policy),
            FixedClock(),
        )

    async def happens(self, *events: AnyEvent) -> None:
        """The router has written these events; nobody has told anybody yet."""
        write = Write(aggregates.CONVERSATION.of(CONVERSATION), 0, events)
        await self.ledger.append(TENANT, [write])

    async def events(self) -> list[AnyEvent]:
        found = await self.ledger.read(TENANT, aggregates.NOTIFICATION.of(CONVERSATION))
        return [each.event for each in found]

    async def types(self) -> list[str]:
        return [event.type for event in await self.events()]

    async def first(self) -> NotificationId:
        return NotificationId((await self.events())[0].open.notification_id)  # type: ignore[union-attr]


REQUESTED, SENT = "notification.requested", "notification.sent"


def timer(known_as: str) -> Timer:
    return Timer(
        tenant=TENANT,
        aggregate=aggregates.NOTIFICATION.of(CONVERSATION),
        kind=NOTIFICATION_ESCALATION.name,
        id=known_as,
        due=NOW,
    )


def acknowledge(known_as: NotificationId, agent: str = "piotr") -> Acknowledge:
    return Acknowledge(
        tenant=TENANT,
        conversation=CONVERSATION,
        cause="cmd-1",
        cause_sha256="a",
        now=NOW,
        issued=NOW,
        notification_id=known_as,
        agent=AgentId(agent),
        policy=POLICY,
    )


async def test_a_request_is_armed_written_shown_and_recorded() -> None:
    """The timer goes before the append that needs it; what was shown is recorded after."""
    world, fuse = World(), Fuse()
    await world.notifying(fuse).on_event(queued("e1"))
    assert fuse.steps == [
        "before arm",
        "after arm",
        "before notification.requested",
        "after notification.requested",
        "before screen",
        "after screen",
        "before notification.sent",
        "after notification.sent",
    ]
    ((tenant, shown),) = world.screens.sent
    assert (tenant, shown.recipient, shown.reason) == (TENANT, "queue-hotline", "new_request")
    assert shown.about == queued("e1").id


@pytest.mark.parametrize("at", range(8))
async def test_killed_at_any_step_a_request_is_told(at: int) -> None:
    """After the restart: one notification, sent, its timer armed, shown at least once."""
    world = World()
    with pytest.raises(Killed):
        await world.notifying(Fuse(at)).on_event(queued("e1"))
    for _ in range(2):
        await world.notifying().on_event(queued("e1"))
    assert await world.types() == ["notification.requested", "notification.sent"]
    assert [each.id for each in world.timers.armed] == [await world.first()]
    assert {shown.notification_id for _, shown in world.screens.sent} == {await world.first()}


@pytest.mark.parametrize("event", [accepted("e2"), transferred("e2"), reached("e2")])
@pytest.mark.parametrize("at", range(8))
async def test_killed_at_any_step_a_new_owner_is_told(event: AnyEvent, at: int) -> None:
    """However ownership moves: the request is acknowledged once and the owner told once, with her packet."""
    world = World()
    await world.happens(queued("e1"), event)
    await world.notifying().on_event(queued("e1"))
    with pytest.raises(Killed):
        await world.notifying(Fuse(at)).on_event(event)
    for _ in range(2):
        await world.notifying().on_event(event)
    assert (await world.types())[2:] == [
        "notification.acknowledged",
        "notification.requested",
        "notification.sent",
    ]
    _, shown = world.screens.sent[-1]
    assert (shown.reason, shown.packet_id) == ("owner_changed", PACKET)
    assert shown.recipient == f"agent-{cast('Any', event.open).agent}"


@pytest.mark.parametrize("at", range(4))
async def test_killed_at_any_step_an_escalation_reaches_the_supervisor(at: int) -> None:
    """The timer's question is asked again after the restart: one escalation, the supervisor's screen told."""
    world = World()
    await world.notifying().on_event(queued("e1", queue="branch-krakow"))
    known_as, before = await world.first(), len(world.screens.sent)
    with pytest.raises(Killed):
        await world.notifying(Fuse(at)).on_timer(timer(known_as), 1)
    await world.notifying().on_timer(timer(known_as), 2)
    assert (await world.types())[2:] == ["notification.escalated"]
    assert {shown.escalated for _, shown in world.screens.sent[before:]} == {"agent-ewa"}


async def test_one_notification_goes_out_by_several_transports() -> None:
    """One intent and one timer; what each transport took is recorded for itself."""
    world = World(BOTH)
    await world.notifying().on_event(queued("e1"))
    requested, *sent = [each.open for each in await world.events()]
    assert isinstance(requested, NotificationRequestedOpen)
    assert requested.transports == ["screen", "push"]
    assert [getattr(each, "transport", None) for each in sent] == ["screen", "push"]
    assert len(world.timers.armed) == 1
    (screen,), (push,) = world.screens.sent, world.push.sent
    assert screen == push


@pytest.mark.parametrize("at", range(12))
async def test_killed_at_any_step_every_transport_tells(at: int) -> None:
    """After the restart: one notification, taken by both, and neither told again by what the other does."""
    world = World(BOTH)
    with pytest.raises(Killed):
        await world.notifying(Fuse(at)).on_event(queued("e1"))
    for _ in range(2):
        await world.notifying().on_event(queued("e1"))
    assert await world.types() == [REQUESTED, SENT, SENT]
    for transport in (world.screens, world.push):
        assert 1 <= len(transport.sent) <= 2
    assert len(world.screens.sent) + len(world.push.sent) <= 3


@pytest.mark.parametrize(
    ("fault", "hangs"),
    [(NotSent("away"), False), (LookupError("nobody foresaw this"), False), (None, True)],
)
async def test_a_transport_that_fails_keeps_no_other_waiting(
    fault: Exception | None, hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, broken, without an answer or unheard of: the others tell, and the escalation stands."""
    monkeypatch.setattr("services.notify.notifying.SEND_TIMEOUT_SECONDS", 0.01)
    world = World(replace(POLICY, transports=("pigeon", "push", "screen")))
    world.push.fault, world.push.hangs = fault, hangs
    await world.notifying().on_event(queued("e1"))
    assert await world.types() == [REQUESTED, SENT]
    assert (len(world.screens.sent), world.push.sent) == (1, [])
    assert len(world.timers.armed) == 1


async def test_what_nothing_can_be_told_without_is_waited_for() -> None:
    """No bus, no screen: the event is handled again, and told once the bus is back."""
    world = World()
    world.screens.fault = BusUnavailable()
    with pytest.raises(BusUnavailable):
        await world.notifying().on_event(queued("e1"))
    world.screens.fault = None
    await world.notifying().on_event(queued("e1"))
    assert await world.types() == [REQUESTED, SENT]


async def test_the_next_person_is_told_by_her_own_transports() -> None:
    """The branch is told on its screens, its supervisor on her telephone too."""
    ewa = replace(POLICY.agents["ewa"], transports=("push", "screen"))
    world = World(replace(POLICY, agents={**POLICY.agents, "ewa": ewa}))
    await world.notifying().on_event(queued("e1", queue="branch-krakow"))
    assert world.push.sent == []
    await world.notifying().on_timer(timer(await world.first()), 1)
    assert [notice.to for _, notice in world.push.sent] == ["agent-ewa"]
    assert [notice.to for _, notice in world.screens.sent] == ["queue-branch-krakow", "agent-ewa"]


async def test_whoever_is_there_is_told_next() -> None:
    """A supervisor who has gone home sees nothing: then the queue is, where somebody is at work."""
    chosen = replace(
        POLICY,
        queues={**POLICY.queues, "hotline": replace(POLICY.queues["hotline"], supervisor="ewa")},
    )
    for there, told in (("ewa", "agent-ewa"), ("piotr", "queue-hotline"), ("marek", "agent-ewa")):
        world = World(chosen)
        await world.ledger.append(
            TENANT, [Write(aggregates.AGENT.of(there), 0, [signed_in("e0", there)])]
        )
        await world.notifying().on_event(queued("e1"))
        await world.notifying().on_timer(timer(await world.first()), 1)
        assert world.screens.sent[-1][1].to == told, there


async def test_an_acknowledged_request_does_not_escalate() -> None:
    """The answer to the timer is no, and nobody's screen is disturbed."""
    world = World()
    notifying = world.notifying()
    await notifying.on_event(queued("e1"))
    await notifying.acknowledge(acknowledge(await world.first()))
    shown = len(world.screens.sent)
    await notifying.on_timer(timer(await world.first()), 1)
    assert (await world.types())[2:] == ["notification.acknowledged"]
    assert len(world.screens.sent) == shown


async def test_a_timer_that_finds_nothing_is_asked_once_more() -> None:
    """Its append may still be under way; the second time the answer is no."""
    world = World()
    with pytest.raises(Later) as later:
        await world.notifying().on_timer(timer("absent"), 1)
    assert later.value.delay_seconds == ASK_AGAIN_SECONDS
    await world.notifying().on_timer(timer("absent"), 2)
    assert await world.types() == []


async def test_only_who_was_told_may_acknowledge() -> None:
    """An agent of another queue is refused, and nothing is written."""
    world = World()
    notifying = world.notifying()
    await notifying.on_event(queued("e1"))
    with pytest.raises(CommandForbidden):
        await notifying.acknowledge(acknowledge(await world.first(), "marek"))
    assert (await world.types())[2:] == []


async def test_two_processes_that_tell_the_same_request_write_it_once() -> None:
    """The second one's fold is behind: its append conflicts, and decided again there is nothing to do."""
    world = World()
    behind, ahead = world.notifying(), world.notifying()
    await behind.store.load(TENANT, CONVERSATION)
    await ahead.on_event(queued("e1"))
    await behind.on_event(queued("e1"))
    assert await world.types() == ["notification.requested", "notification.sent"]


async def test_what_was_shown_is_not_shown_again() -> None:
    """A delivery that comes again after all was done disturbs nobody."""
    world = World()
    for _ in range(3):
        await world.notifying().on_event(queued("e1"))
    assert len(world.screens.sent) == 1


async def test_a_refusal_is_not_given_on_a_stale_read() -> None:
    """A replica that lags knows no notification; the leader does, and the command is carried out."""

    class LaggingLedger(MemoryLedger):
        async def read(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
            return []

        async def read_leader(
            self, tenant: str, aggregate: str, *, after: int = 0
        ) -> list[Recorded]:
            return await MemoryLedger.read(self, tenant, aggregate, after=after)

    world = World()
    world.ledger = LaggingLedger()
    await world.notifying().on_event(queued("e1"))
    (requested, *_) = await world.ledger.read_leader(
        TENANT, aggregates.NOTIFICATION.of(CONVERSATION)
    )
    known_as = NotificationId(requested.event.open.notification_id)  # type: ignore[union-attr]
    decided = await world.notifying().acknowledge(acknowledge(known_as))
    assert [event.type for event in decided.events] == ["notification.acknowledged"]


async def test_an_aggregate_with_an_unknown_type_is_not_decided_upon() -> None:
    """A newer version wrote there: refuse, retryable, instead of deciding on half of the truth."""

    class NewerLedger(MemoryLedger):
        async def read(self, tenant: str, aggregate: str, *, after: int = 0) -> Any:
            raise EventTypeUnknown(type="notification.delivered")

    world = World()
    world.ledger = NewerLedger()
    with pytest.raises(EventTypeUnknown) as unknown:
        await world.notifying().on_event(queued("e1"))
    assert unknown.value.retryable
    assert world.screens.sent == []
