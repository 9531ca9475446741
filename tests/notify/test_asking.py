"""A doubt is resolved by asking the provider: never by sending again, once, and no person is told of what it knows."""

import contextlib
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from deploy.story.providers.api_server import listening
from services.notify.carriers import Unanswered, http
from services.notify.channels import CHANNELS
from services.notify.domain.asking import ASK_AFTER, ASK_UNTIL, HAND_OVER
from services.notify.domain.messages import SendingSettings
from services.notify.sending import Sending
from services.notify.store import NotificationStore
from shared import aggregates, events, policy
from shared.arrivals import Later
from shared.ledger import Write
from shared.policies import Policies
from shared.settings import Settings
from tests.fakes.faulty_api import FaultyApi
from tests.fakes.smsapi_api import smsapi
from tests.fakes.twilio_api import TwilioApi
from tests.ingest.running_ingest import parsed, raw
from tests.notify.samples import CONVERSATION, NOW, TENANT, failed, message
from tests.notify.twins import (
    Fuse,
    FusedLedger,
    HomingLoft,
    HomingPost,
    Killed,
    MemoryReports,
    SetClock,
)
from tests.support.memory_ledger import MemoryLedger
from tests.support.memory_timers import MemoryTimers

POLICY = policy.load(Settings().policy)
SHOP = policy.Account(
    queue="hotline", address="+48732000111", secrets={"signing": "KEY", "account_sid": "SID"}
)
SKLEP = policy.Account(
    queue="hotline", address="Sklep", secrets={"signing": "KEY", "api_token": "BEARER"}
)
LOFT = policy.Account(queue="hotline", address="tower")
POLICIES = Policies(
    replace(
        POLICY,
        accounts={**POLICY.accounts, "homing/loft": LOFT, "sms/shop": SHOP, "sms/sklep": SKLEP},
    )
)
AROUND = SendingSettings(secrets={"KEY": "auth-token", "SID": "AC1", "BEARER": "bearer"})
EVENT = message("e1", channel="homing", account="loft", to="krakow", text="On its way")


class World:
    """What outlives notify."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.loft = HomingLoft()
        self.reports = MemoryReports()
        self.clock = SetClock()

    def sending(self, fuse: Fuse | None = None, carriers: Any = None) -> Sending:
        """A newly started process."""
        fuse = fuse or Fuse()
        self.loft.fuse = self.reports.fuse = fuse
        return Sending(
            NotificationStore(FusedLedger(self.ledger, fuse), MemoryTimers(), cached=64, retries=3),
            {**CHANNELS, HomingPost.NAME: HomingPost()},
            {HomingPost.CARRIER: self.loft, **(carriers or {})},
            self.reports,
            POLICIES,
            self.clock,
            AROUND,
        )

    async def in_doubt(self, *, taken: bool) -> None:
        """Have a process killed around the hand-over."""
        with pytest.raises(Killed):
            await self.sending(Fuse(4 if taken else 3)).on_event(EVENT, 1)
        assert self.loft.taken == ["TOWER to KRAKOW: On its way"] * taken

    def outcome(self) -> events.OutcomeEvent:
        (event,) = self.reports.stored.values()
        return event

    async def types(self) -> list[str]:
        found = await self.ledger.read(TENANT, aggregates.NOTIFICATION.of(CONVERSATION))
        return [each.event.type for each in found]


@pytest.mark.parametrize(
    ("taken", "kind", "why"), [(True, "sent", None), (False, "failed", "not_taken")]
)
async def test_a_restarted_process_asks_when_the_answer_counts(
    taken: bool, kind: str, why: str | None
) -> None:
    """Not while somebody may still hand it over; then the provider's word is the outcome, with its id."""
    world = World()
    await world.in_doubt(taken=taken)
    with pytest.raises(Later) as later:
        await world.sending().on_event(EVENT, 2)
    assert (later.value.delay_seconds, world.loft.asked) == (ASK_AFTER.total_seconds(), 0)
    assert world.reports.stored == {}
    world.clock.time += ASK_AFTER
    await world.sending().on_event(EVENT, 3)
    outcome = world.outcome()
    assert (outcome.type, outcome.open.reason) == (f"message.{kind}", why)
    assert outcome.open.refers_to == ("ring-7" if taken else None)
    assert await world.types() == ["notification.requested", *["notification.sent"] * taken]
    await world.sending().on_event(EVENT, 4)
    assert (world.loft.taken, world.outcome()) == (world.loft.taken[:1], outcome)


async def test_an_answer_that_never_came_is_asked_for_by_the_same_process() -> None:
    """It was not killed: it saw its connection end."""
    world = World()
    world.loft.loses = True
    sending = world.sending()
    with pytest.raises(Later):
        await sending.on_event(EVENT, 1)
    world.clock.time += ASK_AFTER
    await sending.on_event(EVENT, 2)
    assert (world.outcome().type, len(world.loft.taken)) == ("message.sent", 1)


async def resolving_steps(taken: bool) -> int:
    world, fuse = World(), Fuse()
    await world.in_doubt(taken=taken)
    world.clock.time += ASK_AFTER
    await world.sending(fuse).on_event(EVENT, 2)
    return len(fuse.steps)


@pytest.mark.parametrize("taken", [True, False])
async def test_killed_at_any_step_of_asking_the_end_is_the_same(taken: bool) -> None:
    """Nothing is handed over, and one outcome is reported, which is true."""
    steps = await resolving_steps(taken)
    assert steps == (7 if taken else 5)
    for at in range(steps):
        world = World()
        await world.in_doubt(taken=taken)
        world.clock.time += ASK_AFTER
        with pytest.raises(Killed):
            await world.sending(Fuse(at)).on_event(EVENT, 2)
        await world.sending().on_event(EVENT, 3)
        assert world.outcome().type == ("message.sent" if taken else "message.failed")
        assert len(world.loft.taken) == taken
        assert (await world.types()).count("notification.sent") == taken


@pytest.mark.parametrize("word", ["two", "asleep"])
async def test_what_the_provider_cannot_tell_a_person_is_told_of(word: str) -> None:
    """Two at once; no answer, when it was asked for half an hour."""
    world = World()
    await world.in_doubt(taken=True)
    world.loft.word = word
    world.clock.time += ASK_AFTER
    if word == "asleep":
        with pytest.raises(Later):
            await world.sending().on_event(EVENT, 2)
        world.clock.time += ASK_UNTIL
    await world.sending().on_event(EVENT, 3)
    assert world.outcome().type == "message.uncertain"
    assert await world.types() == ["notification.requested"]


async def test_a_provider_that_is_away_is_asked_again() -> None:
    """An answer that does not come says nothing of the message."""
    world = World()
    await world.in_doubt(taken=True)
    world.clock.time += ASK_AFTER

    def away(*_: Any) -> str:
        raise Unanswered

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HomingLoft, "answer", away)
        with pytest.raises(Later):
            await world.sending().on_event(EVENT, 2)
    await world.sending().on_event(EVENT, 3)
    assert world.outcome().type == "message.sent"


async def test_a_process_that_thaws_after_its_intent_hands_nothing_over() -> None:
    """Another one may have asked by then, and have told that it was not sent."""
    world = World()
    appended = FusedLedger.append

    async def frozen(self: FusedLedger, *given: Any) -> Any:
        written = await appended(self, *given)
        world.clock.time += HAND_OVER
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FusedLedger, "append", frozen)
        await world.sending().on_event(EVENT, 1)
    assert world.loft.taken == []
    assert (world.outcome().type, world.outcome().open.reason) == ("message.failed", "too_late")


async def test_a_fault_in_asking_leaves_the_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody foresaw it: a person is told instead of nobody."""

    def spoilt(*_: object) -> None:
        raise LookupError("nobody foresaw this")

    world = World()
    await world.in_doubt(taken=True)
    monkeypatch.setattr(HomingPost, "ask", spoilt)
    await world.sending().on_event(EVENT, 2)
    assert world.outcome().type == "message.uncertain"


async def test_what_has_ended_is_not_asked_for_again() -> None:
    """Its failure was reported, and whoever reported it died before it was acknowledged: an agent has been told."""
    world = World()
    await world.in_doubt(taken=False)
    told = failed("e2")
    await world.ledger.append(TENANT, [Write(EVENT.aggregate, 0, [EVENT, told])])
    world.clock.time += ASK_AFTER
    await world.sending().on_event(EVENT, 2)
    assert (world.loft.asked, world.loft.taken, world.reports.stored) == (0, [], {})


TEXTS = 20


ROUNDS = 8


async def on_a_bad_day(world: World, api: FaultyApi, account: str = "shop") -> None:
    """Have notify killed and started between each delivery of each request, until each has its end."""
    carriers = {http.NAME: http.HttpCarrier(api.url)}
    for attempt in range(1, ROUNDS + 1):
        for number in range(TEXTS):
            asked = message(
                f"e{number}",
                message_id=f"m{number}",
                channel="sms",
                account=account,
                to="+48601234567",
                text=f"Text {number}",
            )
            with contextlib.suppress(Later):
                await world.sending(carriers=carriers).on_event(asked, attempt)
        if len(world.reports.stored) == TEXTS:
            return
        world.clock.time += ASK_AFTER


@pytest.mark.parametrize("seed", range(3))
async def test_twilio_is_asked_over_the_wire(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs up, cuts its answers and times out after it took a message: each has an end, and it is the true one."""
    monkeypatch.setattr(http, "ANSWER_TIMEOUT_SECONDS", 0.2)
    world = World()
    api = TwilioApi(
        NOW + timedelta(seconds=3), seed, {"hangs_up": 0.2, "cuts": 0.1, "times_out": 0.1}
    )
    async with listening(api):
        await on_a_bad_day(world, api)
    arrived = {each.text: each.provider_id for each in api.arrived}
    assert set(Counter(each.text for each in api.arrived).values()) == {1}
    ended = {str(each.open.message_id): each for each in world.reports.stored.values()}
    assert len(ended) == TEXTS == len(arrived)
    for number in range(TEXTS):
        outcome = ended[f"m{number}"]
        assert outcome.type == "message.sent"
        assert outcome.open.refers_to == arrived[f"Text {number}"]
    assert any(each.method == "GET" for each in api.requests)


@pytest.mark.parametrize("seed", range(3))
async def test_smsapi_gets_it_again_and_takes_it_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever became of the first answer: each message has arrived once, and is known to be sent."""
    monkeypatch.setattr(http, "ANSWER_TIMEOUT_SECONDS", 0.2)
    world = World()
    api = FaultyApi(smsapi(), seed, {"hangs_up": 0.2, "cuts": 0.1, "times_out": 0.1})
    async with listening(api):
        await on_a_bad_day(world, api, "sklep")
    assert Counter(each.text for each in api.arrived) == {f"Text {k}": 1 for k in range(TEXTS)}
    assert {each.type for each in world.reports.stored.values()} == {"message.sent"}
    assert len(world.reports.stored) == TEXTS < len(api.requests)


async def test_what_arrived_by_smsapi_is_what_the_agent_wrote() -> None:
    """Through notify: words, number, sender, and its report names what it took."""
    world = World()
    api = FaultyApi(smsapi(), 1, {})
    text = "Paczka czeka. Zażółć gęślą jaźń 😀"
    asked = message("e1", channel="sms", account="sklep", to="+48601234567", text=text)
    async with listening(api):
        await world.sending(carriers={http.NAME: http.HttpCarrier(api.url)}).on_event(asked, 1)
    (arrived,) = api.arrived
    assert (arrived.to, arrived.text) == ("48601234567", text)
    assert arrived.request.content["from"] == "Sklep"
    outcome = world.outcome()
    assert (outcome.type, outcome.open.refers_to) == ("message.sent", arrived.provider_id)
    assert outcome.open.parts == 1
    told = {"MsgId": arrived.provider_id, "idx": arrived.request.content["idx"]}
    query = urlencode({**told, "status": "404", "donedate": "1795340000", "to": arrived.to})
    (report,) = parsed(raw("sms", query.encode(), headers=[]))
    assert (report.type, report.open.refers_to) == ("message.delivered", outcome.open.refers_to)
