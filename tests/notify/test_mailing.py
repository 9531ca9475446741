"""Mail to the customer leaves at most once, wherever notify is killed, and its outcome is never a guess."""

from __future__ import annotations

import asyncio

import pytest

from services.notify.channels.smtp import MailRefused
from services.notify.domain.outcomes import OutcomeEvent
from services.notify.mailing import ATTEMPTS_MAX, Mailing
from services.notify.store import NotificationStore
from shared import aggregates, policy
from shared.arming import MemoryTimers
from shared.deciding import Deciding
from shared.events import MessageOutcomeOpen, MessageRequested
from shared.ledger.twin import MemoryLedger
from shared.serving import Later
from shared.settings import Settings
from tests.notify.samples import CONVERSATION, TENANT, message, queued
from tests.notify.twins import (
    FixedClock,
    Fuse,
    FusedLedger,
    Killed,
    MemoryMailServer,
    MemoryReports,
)

POLICIES = policy.Policies(policy.load(Settings().policy))
DOUBTFUL = {
    "after notification.requested",
    "before dot",
    "after dot",
    "before notification.sent",
}
"""The steps between the intent and the record of its end: whoever dies there leaves a doubt."""


class World:
    """What outlives notify: the ledger, the mail server, CONTACTS."""

    def __init__(self, refusal: MailRefused | None = None) -> None:
        self.ledger = MemoryLedger()
        self.server = MemoryMailServer(refusal)
        self.reports = MemoryReports()
        self.together: asyncio.Barrier | None = None

    def mailing(self, fuse: Fuse | None = None) -> Mailing:
        """A newly started process."""
        fuse = fuse or Fuse()
        self.server.fuse = self.reports.fuse = fuse
        ledger = FusedLedger(self.ledger, fuse, self.together)
        store = NotificationStore(Deciding(ledger, MemoryTimers(), cached=16, retries=3))
        return Mailing(store, self.server, self.reports, POLICIES, FixedClock())

    def outcome(self) -> OutcomeEvent:
        (event,) = self.reports.stored.values()
        return event

    async def types(self) -> list[str]:
        found = await self.ledger.read(TENANT, aggregates.NOTIFICATION.of(CONVERSATION))
        return [each.event.type for each in found]


def reason(event: OutcomeEvent) -> str | None:
    assert isinstance(event.open, MessageOutcomeOpen)
    return event.open.reason


async def steps() -> list[str]:
    """All steps of an undisturbed delivery."""
    fuse = Fuse()
    await World().mailing(fuse).on_event(message("e1"), 1)
    return fuse.steps


async def test_a_message_is_sent_and_reported() -> None:
    """Intent, hand-over, record, report: in this order, each once."""
    world = World()
    await world.mailing().on_event(message("e1"), 1)
    assert len(world.server.taken) == 1
    assert await world.types() == ["notification.requested", "notification.sent"]
    outcome = world.outcome()
    assert outcome.type == "message.sent"
    assert outcome.conversation == CONVERSATION
    assert outcome.aggregate == "contact-out-m1"
    assert outcome.open.provider_id == "m1"
    assert await steps() == [
        "begin",
        "before notification.requested",
        "after notification.requested",
        "before dot",
        "after dot",
        "before notification.sent",
        "after notification.sent",
        "before report",
        "after report",
    ]


@pytest.mark.parametrize("at", range(9))
async def test_killed_at_any_step_the_mail_leaves_at_most_once(at: int) -> None:
    """After the restart the same delivery ends in one outcome, which says no more than is known."""
    world, fuse = World(), Fuse(at)
    with pytest.raises(Killed) as killed:
        await world.mailing(fuse).on_event(message("e1"), 1)
    await world.mailing().on_event(message("e1"), 2)
    await world.mailing().on_event(message("e1"), 3)
    doubtful = str(killed.value) in DOUBTFUL
    assert world.outcome().type == ("message.uncertain" if doubtful else "message.sent")
    assert len(world.server.taken) <= 1
    assert doubtful or len(world.server.taken) == 1


@pytest.mark.parametrize("at", range(5))
async def test_killed_while_giving_up_nothing_leaves_afterwards(at: int) -> None:
    """A failure is final: even if the server would take the mail after the restart, it gets none twice."""
    world, fuse = World(MailRefused("smtp_550", temporary=False)), Fuse(at)
    with pytest.raises(Killed) as killed:
        await world.mailing(fuse).on_event(message("e1"), 1)
    world.server.refusal = None
    await world.mailing().on_event(message("e1"), 2)
    kind = world.outcome().type
    assert len(world.server.taken) == (1 if kind == "message.sent" else 0)
    assert (kind == "message.sent") is (
        str(killed.value) in {"begin", "before notification.requested"}
    )


async def test_a_refused_recipient_fails_with_its_code() -> None:
    """5yz at RCPT: failed at once, with the code as reason."""
    world = World(MailRefused("smtp_550", temporary=False))
    await world.mailing().on_event(message("e1"), 1)
    assert (world.outcome().type, reason(world.outcome())) == ("message.failed", "smtp_550")


async def test_a_temporary_refusal_is_tried_again_with_growing_delays_and_then_fails() -> None:
    """Nothing is written while it may still succeed; after the last attempt the message has failed."""
    world = World(MailRefused("unreachable", temporary=True))
    mailing, delays = world.mailing(), []
    for attempt in range(1, ATTEMPTS_MAX):
        with pytest.raises(Later) as later:
            await mailing.on_event(message("e1"), attempt)
        delays.append(later.value.delay_seconds)
    assert await world.types() == []
    assert delays == sorted(delays)
    assert delays[0] < 1 < delays[-1] <= 60
    await mailing.on_event(message("e1"), ATTEMPTS_MAX)
    assert (world.outcome().type, reason(world.outcome())) == ("message.failed", "unreachable")


async def test_a_message_without_a_usable_address_fails() -> None:
    """It never reaches the server."""
    world = World()
    await world.mailing().on_event(message("e1", to="nobody"), 1)
    assert (world.outcome().type, reason(world.outcome())) == ("message.failed", "address_invalid")
    assert "begin" not in world.server.fuse.steps


async def test_a_message_that_our_own_fault_spoils_fails_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rendering needs nothing from outside: what fails once fails always, and is told instead of tried for ever."""

    def spoilt(*_: object) -> None:
        raise LookupError("nobody foresaw this")

    monkeypatch.setattr("services.notify.mailing.render", spoilt)
    world = World()
    await world.mailing().on_event(message("e1"), 1)
    assert (world.outcome().type, reason(world.outcome())) == ("message.failed", "unrenderable")
    assert "begin" not in world.server.fuse.steps


async def test_what_this_process_saw_is_not_forgotten_when_the_ledger_is_away() -> None:
    """The mail was taken and the record of it failed: on redelivery to the same process it is sent, not uncertain."""
    world, fuse = World(), Fuse(5)
    mailing = world.mailing(fuse)
    with pytest.raises(Killed):
        await mailing.on_event(message("e1"), 1)
    await mailing.on_event(message("e1"), 2)
    assert world.outcome().type == "message.sent"
    assert len(world.server.taken) == 1


async def test_a_doubt_is_reported_without_asking_the_mail_server() -> None:
    """What was intended before is never offered again, so that a server that is away delays no report."""
    world = World()
    with pytest.raises(Killed):
        await world.mailing(Fuse(3)).on_event(message("e1"), 1)
    world.server.refusal = MailRefused("unreachable", temporary=True)
    restarted = Fuse()
    await world.mailing(restarted).on_event(message("e1"), 2)
    assert "begin" not in restarted.steps
    assert (world.outcome().type, reason(world.outcome())) == ("message.uncertain", "interrupted")


async def test_a_process_that_thaws_finds_the_intent_of_another() -> None:
    """It was frozen before its own intent: it hands nothing over."""
    world = World()
    event: MessageRequested = message("e1")
    frozen = world.mailing()
    await frozen.on_event(queued("e0"), 1)
    await frozen.store.load(TENANT, CONVERSATION)
    await world.mailing().on_event(event, 1)
    await frozen.on_event(event, 1)
    assert len(world.server.taken) == 1
    assert world.outcome().type == "message.sent"


async def test_two_processes_at_the_same_instant_hand_over_one_mail() -> None:
    """Each has loaded what stands before either appends its intent: the ledger takes one."""
    world = World()
    await two_at_once(world)
    assert len(world.server.taken) == 1
    assert await world.types() == ["notification.requested", "notification.sent"]


async def test_only_the_attempt_tells_two_processes_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: if it were not of each try alone, both would believe that the intent is theirs, and both send."""
    monkeypatch.setattr("services.notify.mailing.new_attempt", lambda: "the same")
    world = World()
    await two_at_once(world)
    assert len(world.server.taken) == 2


async def two_at_once(world: World) -> None:
    """Two processes handle the same delivery at the same time of the clock, neither ahead of the other."""
    world.together = asyncio.Barrier(2)
    await asyncio.gather(*(world.mailing().on_event(message("e1"), 1) for _ in range(2)))
