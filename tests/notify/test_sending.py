"""A message to the customer leaves at most once, wherever notify is killed, and its outcome is never a guess."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace

from services.notify import app
from services.notify.carriers import NotTaken, Unanswered
from services.notify.channels import CHANNELS, email
from services.notify.domain.messages import SendingSettings
from services.notify.domain.outcomes import Outcome
from services.notify.sending import ATTEMPTS_MAX, Sending
from services.notify.store import NotificationStore
from shared import aggregates, events, policy
from shared.arrivals import Later
from shared.policies import Policies
from shared.settings import Settings
from tests.notify.samples import CONVERSATION, TENANT, message, queued
from tests.notify.twins import (
    FixedClock,
    Fuse,
    FusedLedger,
    Killed,
    MemoryCarrier,
    MemoryReports,
    PigeonPost,
)
from tests.support.memory_ledger import MemoryLedger
from tests.support.memory_timers import MemoryTimers

POLICY = policy.load(Settings().policy)
LOFT = policy.Account(queue="hotline", address="tower")
POLICIES = Policies(replace(POLICY, accounts={**POLICY.accounts, "pigeon/loft": LOFT}))
TAKEN = 250
TEMPLATE = events.MessageTemplate(name="parcel_waits", language="pl")
REFUSED, BUSY = NotTaken(550), NotTaken(451)
DOUBTFUL = {
    "after notification.requested",
    "before commit",
    "after commit",
    "before notification.sent",
}
"""The steps between the intent and the record of its end: whoever dies there leaves a doubt."""


class World:
    """What outlives notify: the ledger, the mail server, the lofts, CONTACTS."""

    def __init__(self, refusal: NotTaken | None = None) -> None:
        self.ledger = MemoryLedger()
        self.server = MemoryCarrier(TAKEN, refusal)
        self.lofts = MemoryCarrier("landed")
        self.reports = MemoryReports()
        self.together: asyncio.Barrier | None = None

    def sending(self, fuse: Fuse | None = None, adopted: datetime | None = None) -> Sending:
        """A newly started process. `adopted`: when an operator adopted this ledger."""
        fuse = fuse or Fuse()
        self.server.fuse = self.reports.fuse = fuse
        ledger = FusedLedger(self.ledger, fuse, self.together)
        return Sending(
            NotificationStore(ledger, MemoryTimers(), cached=16, retries=3),
            {**CHANNELS, PigeonPost.NAME: PigeonPost()},
            {email.CARRIER: self.server, PigeonPost.CARRIER: self.lofts},
            self.reports,
            POLICIES,
            FixedClock(),
            SendingSettings(),
            adopted,
        )

    def outcome(self) -> events.OutcomeEvent:
        (event,) = self.reports.stored.values()
        return event

    async def types(self) -> list[str]:
        found = await self.ledger.read(TENANT, aggregates.NOTIFICATION.of(CONVERSATION))
        return [each.event.type for each in found]


def by_pigeon(to: str = "krakow", account: str = "loft") -> events.MessageRequested:
    return message("e1", channel="pigeon", account=account, to=to, text="On its way")


def reason(event: events.OutcomeEvent) -> str | None:
    return event.open.reason


async def steps() -> list[str]:
    """All steps of an undisturbed delivery."""
    fuse = Fuse()
    await World().sending(fuse).on_event(message("e1"), 1)
    return fuse.steps


async def test_a_message_is_sent_and_reported() -> None:
    """Intent, hand-over, record, report: in this order, each once."""
    world = World()
    await world.sending().on_event(message("e1"), 1)
    assert len(world.server.taken) == 1
    assert await world.types() == ["notification.requested", "notification.sent"]
    outcome = world.outcome()
    assert outcome.type == "message.sent"
    assert outcome.conversation == CONVERSATION
    assert outcome.aggregate == "contact-out-m1"
    assert (outcome.open.medium, outcome.open.provider_id) == ("mail", "m1")
    assert outcome.open.parts is None
    assert await steps() == [
        "begin",
        "before notification.requested",
        "after notification.requested",
        "before commit",
        "after commit",
        "before notification.sent",
        "after notification.sent",
        "before report",
        "after report",
    ]


async def test_what_was_asked_for_before_the_ledger_was_adopted_is_not_sent_again() -> None:
    """The ledger that was lost may have held that it was sent; what is asked for later is sent."""
    world, asked = World(), message("e1")
    await world.sending(adopted=asked.recorded).on_event(asked, 1)
    await world.sending(adopted=asked.recorded).on_event(asked, 2)
    assert world.server.taken == []
    assert (world.outcome().type, reason(world.outcome())) == (
        "message.uncertain",
        "ledger_adopted",
    )
    later = World()
    before = asked.recorded - timedelta(seconds=1)
    await later.sending(adopted=before).on_event(asked, 1)
    assert later.outcome().type == "message.sent"


@pytest.mark.parametrize("at", range(9))
async def test_killed_at_any_step_the_mail_leaves_at_most_once(at: int) -> None:
    """After the restart the same delivery ends in one outcome, which says no more than is known."""
    world, fuse = World(), Fuse(at)
    with pytest.raises(Killed) as killed:
        await world.sending(fuse).on_event(message("e1"), 1)
    await world.sending().on_event(message("e1"), 2)
    await world.sending().on_event(message("e1"), 3)
    doubtful = str(killed.value) in DOUBTFUL
    assert world.outcome().type == ("message.uncertain" if doubtful else "message.sent")
    assert len(world.server.taken) <= 1
    assert doubtful or len(world.server.taken) == 1


@pytest.mark.parametrize("at", range(5))
async def test_killed_while_giving_up_nothing_leaves_afterwards(at: int) -> None:
    """A failure is final: even if the server would take the mail after the restart, it gets none twice."""
    world, fuse = World(REFUSED), Fuse(at)
    with pytest.raises(Killed) as killed:
        await world.sending(fuse).on_event(message("e1"), 1)
    world.server.refusal = None
    await world.sending().on_event(message("e1"), 2)
    kind = world.outcome().type
    assert len(world.server.taken) == (1 if kind == "message.sent" else 0)
    assert (kind == "message.sent") is (
        str(killed.value) in {"begin", "before notification.requested"}
    )


async def test_a_refused_recipient_fails_with_its_code() -> None:
    """5yz at RCPT: failed at once, with the code as reason."""
    world = World(REFUSED)
    await world.sending().on_event(message("e1"), 1)
    assert (world.outcome().type, reason(world.outcome())) == ("message.failed", "smtp_550")


async def test_a_refusal_for_a_while_is_tried_again() -> None:
    """4yz at RCPT: nothing is written, and the next try may succeed."""
    world = World(BUSY)
    with pytest.raises(Later):
        await world.sending().on_event(message("e1"), 1)
    world.server.refusal = None
    await world.sending().on_event(message("e1"), 2)
    assert world.outcome().type == "message.sent"


async def test_a_temporary_refusal_is_tried_again_with_growing_delays_and_then_fails() -> None:
    """Nothing is written while it may still succeed; after the last attempt the message has failed."""
    world = World(NotTaken())
    sending, delays = world.sending(), []
    for attempt in range(1, ATTEMPTS_MAX):
        with pytest.raises(Later) as later:
            await sending.on_event(message("e1"), attempt)
        delays.append(later.value.delay_seconds)
    assert await world.types() == []
    assert delays == sorted(delays)
    assert delays[0] < 1 < delays[-1] <= 60
    await sending.on_event(message("e1"), ATTEMPTS_MAX)
    assert (world.outcome().type, reason(world.outcome())) == ("message.failed", "unreachable")


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (message("e1", to="nobody"), "address_invalid"),
        (by_pigeon(to="anna@customer.example"), "address_invalid"),
        (by_pigeon(account="tower"), "sender_unknown"),
        (message("e1", channel="smoke"), "channel_unknown"),
        (message("e1", template=TEMPLATE), "template_unsupported"),
    ],
)
async def test_a_message_that_cannot_be_sent_fails(
    event: events.MessageRequested, why: str
) -> None:
    """It never reaches a provider, and the conversation learns why."""
    world = World()
    await world.sending().on_event(event, 1)
    outcome = world.outcome()
    assert (outcome.type, reason(outcome)) == ("message.failed", why)
    assert (outcome.open.channel, outcome.open.account) == (event.open.channel, event.open.account)
    assert world.server.fuse.steps.count("begin") == 0
    assert world.lofts.fuse.steps == []


async def test_a_message_goes_by_its_own_channel() -> None:
    """Its channel's file renders it, its channel's carrier takes it, and its outcome names the channel."""
    world = World()
    await world.sending().on_event(by_pigeon(), 1)
    assert world.lofts.taken == ["TOWER to KRAKOW: On its way"]
    assert world.server.taken == []
    outcome = world.outcome()
    opened = outcome.open
    assert (opened.medium, opened.channel, opened.account) == ("letter", "pigeon", "loft")
    assert opened.parts == 3
    assert outcome.type == "message.sent"
    notes = await world.ledger.read(TENANT, aggregates.NOTIFICATION.of(CONVERSATION))
    requested, sent = (each.event for each in notes)
    assert isinstance(requested, events.NotificationRequested)
    assert isinstance(sent, events.NotificationSent)
    assert (requested.open.transports, sent.open.transport) == (["pigeon"], "pigeon")


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        ("hawk", "message.failed", "hawk"),
        ("fog", "message.failed", "fog"),
        ("a word of next year", "message.uncertain", "unheard_of"),
        (NotTaken("hawk"), "message.failed", "hawk"),
        (NotTaken(), "message.failed", "unreachable"),
        (Unanswered(), "message.uncertain", "connection_lost"),
    ],
)
async def test_what_the_last_step_is_answered_is_final(answer: Any, kind: str, why: str) -> None:
    """One commit per intent: refused even for a while, it has failed; what nobody understands is a doubt."""
    world = World()
    world.lofts.answer = answer
    await world.sending().on_event(by_pigeon(), 1)
    assert (world.outcome().type, reason(world.outcome())) == (kind, why)


@pytest.mark.parametrize("named", ["x" * 200_000, "wamid.\0", "two\nlines"])
async def test_an_answer_without_measure_is_kept_by_nobody(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """What was taken was taken, whatever stands where its id belongs; a reason is a word."""
    monkeypatch.setattr(PigeonPost, "outcome", lambda *_: Outcome(kind="sent", provider_id=named))
    world = World()
    await world.sending().on_event(by_pigeon(), 1)
    assert (world.outcome().type, world.outcome().open.refers_to) == ("message.sent", None)
    failed = Outcome(kind="failed", reason="pigeon_" + "9" * 4_000)
    monkeypatch.setattr(PigeonPost, "outcome", lambda *_: failed)
    world = World()
    await world.sending().on_event(by_pigeon(), 1)
    assert reason(world.outcome()) == "pigeon_" + "9" * 57


@pytest.mark.parametrize(
    ("later", "kind", "why", "pauses"),
    [
        (["landed"], "message.sent", None, [1.0]),
        (["fog", "fog", "landed"], "message.sent", None, [1.0, 4.0, 16.0]),
        (["fog", "fog", "fog", "landed"], "message.failed", "fog", [1.0, 4.0, 16.0]),
        (["hawk"], "message.failed", "hawk", [1.0]),
        ([Unanswered()], "message.uncertain", "connection_lost", [1.0]),
        ([], "message.failed", "fog", [1.0]),
    ],
)
async def test_a_last_step_that_is_refused_for_a_while_is_taken_again(
    later: list[Any], kind: str, why: str | None, pauses: list[float]
) -> None:
    """A few times, with growing pauses, where the carrier can: what was refused was not taken, so nothing doubles."""
    world = World()
    world.lofts.answer, world.lofts.later = "fog", later
    await world.sending().on_event(by_pigeon(), 1)
    assert (world.outcome().type, reason(world.outcome())) == (kind, why)
    assert world.lofts.pauses == pauses
    assert world.lofts.taken.count("TOWER to KRAKOW: On its way") <= 1


@pytest.mark.parametrize("answer", ["hawk", "a word of next year"])
async def test_before_the_last_step_every_refusal_is_certain(answer: str) -> None:
    """Nothing has left yet: what is no reason to try again is a failure, and never a doubt."""
    world = World()
    world.lofts.refusal = NotTaken(answer)
    await world.sending().on_event(by_pigeon(), 1)
    assert world.outcome().type == "message.failed"


async def test_every_channel_has_a_carrier() -> None:
    """What a channel renders is taken by a carrier that the service has."""
    unconnected: Any = None
    wired = app.carriers(Settings(), unconnected)
    assert {channel.CARRIER for channel in CHANNELS.values()} <= set(wired)


async def test_a_message_that_our_own_fault_spoils_fails_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rendering needs nothing from outside: what fails once fails always, and is told instead of tried for ever."""

    def spoilt(*_: object) -> None:
        raise LookupError("nobody foresaw this")

    monkeypatch.setattr(email, "render", spoilt)
    world = World()
    await world.sending().on_event(message("e1"), 1)
    assert (world.outcome().type, reason(world.outcome())) == ("message.failed", "unrenderable")
    assert "begin" not in world.server.fuse.steps


async def test_what_this_process_saw_is_not_forgotten_when_the_ledger_is_away() -> None:
    """The mail was taken and the record of it failed: on redelivery to the same process it is sent, not uncertain."""
    world, fuse = World(), Fuse(5)
    sending = world.sending(fuse)
    with pytest.raises(Killed):
        await sending.on_event(message("e1"), 1)
    await sending.on_event(message("e1"), 2)
    assert world.outcome().type == "message.sent"
    assert len(world.server.taken) == 1


async def test_a_doubt_is_reported_without_asking_the_mail_server() -> None:
    """What was intended before is never offered again, so that a server that is away delays no report."""
    world = World()
    with pytest.raises(Killed):
        await world.sending(Fuse(3)).on_event(message("e1"), 1)
    world.server.refusal = NotTaken()
    restarted = Fuse()
    await world.sending(restarted).on_event(message("e1"), 2)
    assert "begin" not in restarted.steps
    assert (world.outcome().type, reason(world.outcome())) == ("message.uncertain", "interrupted")


async def test_a_process_that_thaws_finds_the_intent_of_another() -> None:
    """It was frozen before its own intent: it hands nothing over."""
    world = World()
    event = message("e1")
    frozen = world.sending()
    await frozen.on_event(queued("e0"), 1)
    await frozen.store.load(TENANT, CONVERSATION)
    await world.sending().on_event(event, 1)
    await frozen.on_event(event, 1)
    assert len(world.server.taken) == 1
    assert world.outcome().type == "message.sent"


@pytest.mark.parametrize(
    "traceparent", [None, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
)
async def test_two_processes_at_the_same_instant_hand_over_one_mail(
    traceparent: str | None,
) -> None:
    """Each has loaded what stands before either appends its intent: the ledger takes one, also within one trace."""
    world = World()
    await two_at_once(world, traceparent)
    assert len(world.server.taken) == 1
    assert await world.types() == ["notification.requested", "notification.sent"]
    assert world.outcome().traceparent == traceparent


async def test_only_the_attempt_tells_two_processes_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: if it were not of each try alone, both would believe that the intent is theirs, and both send."""
    monkeypatch.setattr("services.notify.sending.new_attempt", lambda: "the same")
    world = World()
    await two_at_once(world)
    assert len(world.server.taken) == 2


async def two_at_once(world: World, traceparent: str | None = None) -> None:
    """Two processes handle the same delivery at the same time of the clock, neither ahead of the other."""
    world.together = asyncio.Barrier(2)
    event = structs.replace(message("e1"), traceparent=traceparent)
    await asyncio.gather(*(world.sending().on_event(event, 1) for _ in range(2)))
