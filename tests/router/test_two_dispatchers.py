"""Two routers dispatch and answer at once on a real server: one contact is one agent's, and within her room."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import hypothesis
import msgspec
from hypothesis import strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from services.router.cases import Cases
from services.router.commands import Commands
from services.router.dispatcher import Dispatcher
from services.router.domain import agent as agents
from services.router.intake import Intake
from services.router.parking import Parking
from services.router.timers import FiredTimers
from services.router.tolerant_codec import TolerantCodec
from shared import ensuring, policy, streams
from shared.bus import Bus, connect
from shared.clock import SystemClock
from shared.codec import PlainCodec
from shared.conversation import Conversation
from shared.conversation import fold as folded
from shared.deciding import Deciding
from shared.errors import TellonceError
from shared.events import (
    AgentReserved,
    ContactAccepted,
    ContactOffered,
    InboundEvent,
    OfferId,
)
from shared.ledger import Recorded
from shared.ledger.jetstream import NatsLedger
from shared.policies import Policies
from shared.policy import Policy
from shared.streams import LEDGER, WantedStreams
from shared.worker import opening
from tests.router.in_memory_router import SECRETS, VisitsOf
from tests.router.invariants import check_recorded
from tests.router.router_twins import KnownTo, StoredMessages
from tests.router.samples import TENANT, call, message, phone
from tests.support.memory_refusals import MemoryRefusals
from tests.support.memory_snapshots import MemorySnapshots
from tests.support.memory_timers import MemoryTimers

NAMES = ("ada", "bea")
POLICY = policy.parse(rb"""
tenant: demo
queues: {hotline: {title: Hotline}}
agents:
  ada: {name: Ada, queues: [hotline], slots: 2, slots_by_medium: {call: 1}}
  bea: {name: Bea, queues: [hotline], slots: 1}
accounts:
  twilio_voice/hotline: {queue: hotline}
  chat/shop: {queue: hotline, address: shop, reaches: account}
times: {offer_seconds: 3600}
""")


class Half:
    """One of two routers: what it remembers is its own, the ledger is not."""

    def __init__(self, bus: Bus, rules: Policy) -> None:
        self.ledger = NatsLedger(bus, PlainCodec())
        self._reader = NatsLedger(bus, TolerantCodec())
        deciding = Deciding(self.ledger, MemoryTimers(), cached=1_000, retries=20)
        cases = Cases(deciding, Policies(rules), SECRETS, SystemClock())
        self.intake = Intake(cases, KnownTo(), VisitsOf())
        contacts = opening(PlainCodec(), lambda event, _: self.intake.take(event))
        parking = Parking(cases, StoredMessages(), contacts, FiredTimers(cases).ask)
        self.commands = Commands(cases, parking, MemoryRefusals())
        self.dispatcher = Dispatcher(cases, self._reader, MemorySnapshots())

    async def follow(self) -> None:
        """See what was recorded up to now."""
        end = await self._reader.position()
        batches = self._reader.follow(self.dispatcher.position)
        while self.dispatcher.position < end:
            self.dispatcher.see(await anext(batches))
        await batches.aclose()  # type: ignore[attr-defined]

    async def recorded(self) -> list[Recorded]:
        """Return all that the ledger holds."""
        found, end = list[Recorded](), await self.ledger.position()
        batches = self.ledger.follow(0)
        while not found or found[-1].sequence < end:
            found += await anext(batches) if end else []
            if not end:
                break
        await batches.aclose()  # type: ignore[attr-defined]
        return found


class TwoRouters(RuleBasedStateMachine):
    """What people do, at one router or the other, and both dispatching at the same time."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.count = 0
        self.calls: list[str] = []
        self.run(self._begin())

    def run(self, doing: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(doing)

    async def _begin(self) -> None:
        self.bus = await connect(self.url, "test")
        config = next(each for each in streams.stream_configs() if each["name"] == LEDGER)
        await ensuring.ensure(self.bus, WantedStreams(streams=[config]))
        self.halves = (Half(self.bus, POLICY), Half(self.bus, POLICY))
        for name in NAMES:
            await self._gives(0, name, "sign_in")

    def teardown(self) -> None:
        self.run(self._end())
        self.runner.close()

    async def _end(self) -> None:
        await self.bus.api(f"STREAM.DELETE.{LEDGER}")
        await self.bus.close()

    async def _gives(self, half: int, agent: str, verb: str, **fields: Any) -> bool:
        """Give a command; tell whether it was carried out."""
        self.count += 1
        given = {
            "command_id": f"c-{self.count}",
            "issued_at": datetime.now(UTC),
            "actor": f"agent:{agent}",
            **fields,
        }
        try:
            await self.halves[half].commands.handle(verb, TENANT, msgspec.json.encode(given))
        except TellonceError as error:
            if error.http_status >= 500:
                raise
            return False
        return True

    async def _conversations(self) -> list[Conversation]:
        histories: dict[str, list[Any]] = {}
        for each in await self.halves[0].recorded():
            histories.setdefault(each.aggregate, []).append((each.sequence, each.event))
        found = [folded(pairs) for name, pairs in histories.items() if name.startswith("conv-")]
        return [it for it in found if it.id is not None and not it.resolved]

    # -- what happens --------------------------------------------------------------------------------

    @initialize(kinds=strategies.lists(strategies.booleans(), min_size=3, max_size=6))
    def some_wait_already(self, kinds: list[bool]) -> None:
        for calls in kinds:
            self.somebody_comes(half=0, calls=calls)
        self.both_dispatch(late=False)

    @rule(half=strategies.integers(0, 1), calls=strategies.booleans())
    def somebody_comes(self, half: int, calls: bool) -> None:
        self.count += 1
        name, now = f"n{self.count}", datetime.now(UTC)
        handles = [phone(f"+4860{self.count:07}")]
        event: InboundEvent = (
            call("started", name, handles=handles, at=now)
            if calls
            else message("hello", name, handles=handles, at=now)
        )
        self.calls += [name] if calls else []
        self.run(self.halves[half].intake.take(event))

    @rule(half=strategies.integers(0, 1))
    def a_call_ends(self, half: int) -> None:
        if self.calls:
            self.count += 1
            name, now = self.calls.pop(0), datetime.now(UTC)
            event = call("ended", name, handles=[], at=now, k=self.count)
            self.run(self.halves[half].intake.take(event))

    @rule(late=strategies.booleans())
    def both_dispatch(self, late: bool) -> None:
        """At the same time; `late`: one of them has not seen what happened last."""

        async def offer() -> None:
            one, other = self.halves
            await asyncio.gather(one.follow(), *([] if late else [other.follow()]))
            await asyncio.gather(
                one.dispatcher.offering.offer_all(), other.dispatcher.offering.offer_all()
            )

        self.run(offer())

    @rule(takes=strategies.booleans())
    def the_first_offer_is_answered(self, takes: bool) -> None:
        """At both routers at once, by her twice and by a colleague: one answer counts at most."""

        async def answer() -> None:
            asked = [it for it in await self._conversations() if it.ownership.offer]
            if not asked or asked[0].ownership.offer is None:
                return
            offer = asked[0].ownership.offer
            fields = {"conversation": asked[0].id, "offer_id": offer.offer_id}
            verb = "accept_offer" if takes else "reject_offer"
            done = await asyncio.gather(
                *(self._gives(half, offer.agent, verb, **fields) for half in (0, 1)),
                *(
                    self._gives(half, name, "accept_offer", **fields)
                    for half, name in enumerate(NAMES)
                ),
            )
            assert sum(done) == 1, done

        self.run(answer())

    @rule(half=strategies.integers(0, 1))
    def the_first_owner_ends_it(self, half: int) -> None:
        async def ends() -> None:
            owned = [it for it in await self._conversations() if it.ownership.owner]
            for it in owned[:1]:
                said = {"disposition": "solved", "summary": "."}
                owner = it.ownership.owner or ""
                await self._gives(half, owner, "wrap_up", conversation=it.id, **said)
                await self._gives(half, owner, "resolve", conversation=it.id)

        self.run(ends())
        self.both_dispatch(late=False)

    # -- what holds ----------------------------------------------------------------------------------

    @invariant()
    def one_contact_is_one_agents_within_her_room(self) -> None:
        recorded = self.run(self.halves[0].recorded())
        check_recorded(recorded)
        open_offers: dict[str, OfferId] = {}
        for each in recorded:
            event = each.event
            if isinstance(event, ContactOffered):
                assert each.aggregate not in open_offers
                open_offers[each.aggregate] = event.open.offer_id
            elif isinstance(event, ContactAccepted):
                assert open_offers.pop(each.aggregate) == event.open.offer_id
            elif event.type in {"contact.rejected", "contact.abandoned", "contact.offer_expired"}:
                open_offers.pop(each.aggregate, None)
        for name in NAMES:
            _is_within_her_room(name, recorded)


def _is_within_her_room(name: str, recorded: list[Recorded]) -> None:
    state, limits = agents.ABSENT, POLICY.agents[name]
    for each in recorded:
        if each.aggregate == f"agent-{name}":
            state = agents.evolve_parts(state, each.sequence, each.event)
        if isinstance(each.event, AgentReserved):
            assert len(state.working_on) <= limits.slots
            calls = [medium for medium in state.media.values() if medium == "call"]
            assert len(calls) <= limits.slots_by_medium.get("call", limits.slots)


def test_two_routers_at_once(nats_url: str) -> None:
    """Fifteen things happen, a few times over; what fails is printed as a program that does it again."""
    machine = type("Machine", (TwoRouters,), {"url": nats_url})
    run_state_machine_as_test(
        machine,
        settings=hypothesis.settings(
            max_examples=6,
            stateful_step_count=15,
            deadline=None,
            database=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )
