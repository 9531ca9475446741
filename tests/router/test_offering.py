"""Several offers stand in one decision, as if they had been made one after another."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from services.router import offering
from services.router.domain import agent as agents
from services.router.domain.decide import decide_offer
from services.router.domain.decision import Loaded, Origin
from services.router.picture import SHORTLIST_MAX
from shared import aggregates
from shared.errors import LedgerConflict
from shared.events import AgentId, AnyEvent, ContactOffered, ContextPackaged
from shared.ledger import Appended, Guard, Write
from shared.policy import Agent, Policy, parse
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check_recorded
from tests.router.running_router import RunningRouter
from tests.router.samples import POLICY_TEXT, TENANT, a_policy, call, phone
from tests.router.test_dispatching import crowd

SLOTS = {"ewa": 2, "piotr": 3}


class Appends:
    """Notes how many aggregates each append writes; `refuse` says which one the ledger does not take."""

    def __init__(self, router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch) -> None:
        self._append = router.ledger.append
        self.written: list[set[str]] = []
        self.refused: set[str] = set()
        monkeypatch.setattr(router.ledger, "append", self.append)

    async def append(
        self, tenant: str, writes: Sequence[Write], guards: Sequence[Guard] = ()
    ) -> Appended:
        written = {each.aggregate for each in writes}
        self.written.append(written)
        if self.refused & written:
            raise LedgerConflict(aggregate=min(self.refused), expected=0, actual=1)
        return await self._append(tenant, writes, guards)


async def offered(router: InMemoryRouter) -> list[tuple[str, str | None]]:
    return [(each.open.agent, each.conversation) for each in await router.all(ContactOffered)]


async def waiting_in_order(router: InMemoryRouter) -> list[str | None]:
    return [it.id for it in await router.conversations()]


async def test_whoever_can_be_offered_now_is_offered_in_one_append(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two slots and three: the five who waited longest, by turns, and nobody beyond her room."""
    await router.on_duty("ewa")
    router.clock.time += timedelta(seconds=1)
    await router.on_duty("piotr")
    await crowd(router, 8)
    appends = Appends(router, monkeypatch)
    await router.dispatch()
    first = (await waiting_in_order(router))[:5]
    turns = ["ewa", "piotr", "ewa", "piotr", "piotr"]
    assert await offered(router) == list(zip(turns, first, strict=True))
    assert [len(each) for each in appends.written] == [5 + 2]


async def test_no_agent_has_more_than_her_slots_at_any_moment(router: InMemoryRouter) -> None:
    """Forty wait for two agents with five slots in all: what is reserved is counted event by event."""
    await router.on_duty("ewa", "piotr")
    await crowd(router)
    await router.dispatch()
    for name, slots in SLOTS.items():
        history = [
            (each.sequence, each.event)
            for each in await router.recorded()
            if each.aggregate == aggregates.AGENT.of(name)
        ]
        taken = [len(agents.fold(history[: n + 1]).working_on) for n in range(len(history))]
        assert max(taken) == slots


async def test_what_one_of_several_is_refused_for_does_not_keep_the_others(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger never takes the second one's: the others are offered, and it is tried again later."""
    await router.on_duty("ewa", "piotr")
    await crowd(router, 4)
    one, two, three, four = await waiting_in_order(router)
    appends = Appends(router, monkeypatch)
    appends.refused = {aggregates.CONVERSATION.of(two or "")}
    await router.dispatch()
    assert {conversation for _, conversation in await offered(router)} == {one, three, four}
    appends.refused.clear()
    await router.does("ewa", "reject_offer", conversation=one, offer_id=await offer_of(router, one))
    router.clock.time += timedelta(seconds=10)
    await router.dispatch()
    assert (await offered(router))[-1][1] == two


async def offer_of(router: InMemoryRouter, conversation: str | None) -> str:
    (found,) = [it for it in await router.conversations() if it.id == conversation]
    assert found.ownership.offer is not None
    return found.ownership.offer.offer_id


async def test_what_this_router_decided_itself_is_not_read_for_an_offer(
    router: InMemoryRouter,
) -> None:
    """The conversation, its customer and the agent stand in memory; what was announced is looked for once."""
    await router.on_duty("ewa")
    await router.intake.take(call("started", "CA1", handles=[]))
    await router.follow()
    await router.dispatcher.offering.offer_all()
    await router.intake.take(call("started", "CA2", handles=[]))
    before = router.ledger.reads
    await router.follow()
    await router.dispatcher.offering.offer_all()
    assert len(await offered(router)) == 2
    assert router.ledger.reads == before


async def test_what_another_router_wrote_is_read_again(router: InMemoryRouter) -> None:
    """An announcement of which only the ledger tells stands in the next packet."""
    await router.on_duty("ewa")
    await router.intake.take(call("started", "CA1", handles=[]))
    await router.follow()
    await router.dispatcher.offering.offer_all()
    await router.intake.take(call("started", "CA2", handles=[]))
    await router.does("service:shop", "announce", kind="outage", text="The lockers are down.")
    await router.follow()
    await router.dispatcher.offering.offer_all()
    packaged = await router.last(ContextPackaged)
    assert packaged.personal is not None
    (shown,) = packaged.personal.packet.around.announcements
    assert shown.text == "The lockers are down."


async def test_of_very_many_the_longest_idle_is_asked_and_a_few_are_told_of() -> None:
    """Forty of a queue: whoever has rested longest is asked, whoever refused comes after all others, and the event says
    of no more than thirty-one why they were not asked."""
    small = a_policy()
    names = [f"x{number:02}" for number in range(40)]
    many = {name: Agent(name=name, queues=["hotline"], slots=1) for name in names}
    router = InMemoryRouter(replace(small, agents=many))
    for name in reversed(names):
        router.clock.time += timedelta(seconds=1)
        await router.on_duty(name)
    await crowd(router, 2)
    await router.dispatch()
    assert [agent for agent, _ in await offered(router)] == ["x39", "x38"]
    one, _ = await waiting_in_order(router)
    await router.does("x39", "reject_offer", conversation=one, offer_id=await offer_of(router, one))
    router.clock.time += timedelta(days=1)
    await router.dispatch()
    last = await router.last(ContactOffered)
    assert (last.open.agent, last.conversation) == ("x37", one)
    assert len(last.open.passed_over) == SHORTLIST_MAX - 1


async def test_of_very_many_who_all_refused_those_who_refused_least_are_asked() -> None:
    """Whoever has rested longest and answers no offer is not asked for ever, while others would take it."""
    names = [f"x{number:02}" for number in range(40)]
    many = {name: Agent(name=name, queues=["hotline"], slots=1) for name in names}
    router = InMemoryRouter(replace(a_policy(), agents=many))
    for name in names:
        router.clock.time += timedelta(seconds=1)
        await router.on_duty(name)
    await crowd(router, 1)
    (waiting,) = await router.conversations()
    refused = {AgentId(name): 2 if name < "x30" else 1 for name in names}
    waiting = replace(waiting, ownership=replace(waiting.ownership, passed_over=refused))
    await router.follow()
    asked = router.dispatcher.picture.shortlist(TENANT, waiting, router.clock.time)
    assert asked == [*names[30:], *names[: SHORTLIST_MAX - 10]]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningRouter]:
    """Real servers and two routers."""
    opened = RunningRouter(tmp_path)
    await opened.open()
    await opened.two_routers()
    yield opened
    await opened.close()


async def test_many_who_wait_at_once_are_shared_out_within_the_slots(
    running: RunningRouter,
) -> None:
    """Two routers offer twelve calls to two agents, who finish them: nobody ever has more than her slots, or is asked
    for what somebody else is asked for."""
    numbers = range(12)
    calls = [
        call("started", f"Q{n}", handles=[phone(f"+4860500{n:04}")], at=datetime.now(UTC))
        for n in numbers
    ]
    await running.happens(*calls)
    await running.until_recorded(*calls)
    for name in SLOTS:
        await running.does(name, "sign_in")
    ours = {running.holds(each)[0].event.conversation for each in calls}
    done = set[str]()

    def asked() -> list[Any]:
        return [e for e in running.events("contact.offered") if e.conversation not in done]

    while done != ours:
        await running.until(asked)
        offer = asked()[0]
        fields = {"conversation": offer.conversation, "offer_id": offer.open.offer_id}
        await running.does(offer.open.agent, "accept_offer", **fields)
        for verb, more in (("wrap_up", {"disposition": "solved", "summary": "."}), ("resolve", {})):
            given = {"conversation": offer.conversation, **more}
            await running.does(offer.open.agent, verb, **given)
        done.add(offer.conversation)
    offered = [e.conversation for e in running.events("contact.offered")]
    assert (len(offered), set(offered)) == (len(calls), ours)
    for name, slots in SLOTS.items():
        pairs = [
            (e.sequence, e.event) for e in running.readable() if e.aggregate == f"agent-{name}"
        ]
        taken = [len(agents.fold(pairs[: n + 1]).working_on) for n in range(len(pairs))]
        assert max(taken) == slots
    check_recorded(running.book)


async def _policy_comes_while_it_is_loaded(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch, *policies: Policy
) -> None:
    """The dispatcher makes its offers, and meanwhile these policies take the place of the one in force."""
    load = router.cases.load

    async def loading(*args: Any, **named: Any) -> Any:
        loaded = await load(*args, **named)
        router.dispatcher.take_up(router.cases.policies.take(policies))
        return loaded

    monkeypatch.setattr(router.cases, "load", loading)
    await router.dispatch()
    monkeypatch.undo()


@pytest.mark.parametrize(
    "left", [b"  ewa: {name: Ewa, queues: [hotline], teams: [desk], slots: 2}\n", b""]
)
async def test_whoever_leaves_the_policy_while_she_is_chosen_ends_no_router(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch, left: bytes
) -> None:
    """She is asked by the policy by which she was chosen, or not at all; then it goes back to the queue."""
    await router.on_duty("ewa")
    await router.happens(call("started"))
    await router.follow()
    other = parse(POLICY_TEXT.replace(left, b"", 1) + b"loop_after: 3\n")
    await _policy_comes_while_it_is_loaded(router, monkeypatch, other)
    await router.dispatch()
    there = "ewa" in other.agents
    assert ((await router.conversation()).ownership.offer is not None) == there


async def test_a_tenant_who_leaves_while_somebody_waits_ends_no_router(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked until the policy is there again."""
    await router.on_duty("ewa")
    await router.happens(call("started"))
    await router.follow()
    await _policy_comes_while_it_is_loaded(router, monkeypatch)
    assert (await router.types())[-1] == "contact.queued"
    router.dispatcher.take_up(router.cases.policies.take([router.policy]))
    router.clock.time += timedelta(seconds=1)
    await router.dispatch()
    assert (await router.offer()).agent == "ewa"


async def test_what_one_conversation_breaks_stops_no_other(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours in one decision is told in the log; whoever waits beside is offered, and she is tried again."""
    await router.on_duty("ewa")
    await crowd(router, 2)
    broken, whole = await waiting_in_order(router)

    def decide(loaded: Loaded, origin: Origin) -> list[AnyEvent]:
        if loaded.conversation.id == broken:
            raise ZeroDivisionError
        return decide_offer(loaded, origin)

    monkeypatch.setattr(offering, "decide_offer", decide)
    await router.dispatch()
    assert await offered(router) == [("ewa", whole)]
    monkeypatch.undo()
    router.clock.time += timedelta(seconds=1)
    await router.dispatch()
    assert ("ewa", broken) in await offered(router)
