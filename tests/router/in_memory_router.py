"""The router in memory: its own wiring over the twin of the ledger, and a clock that stands still.

What happens is given to it, and whatever is decided is played once more: a repetition must add nothing.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
import pytest
from msgspec.structs import replace

from services.router.cases import Cases
from services.router.commands import Commands
from services.router.dispatcher import Dispatcher
from services.router.domain import folds
from services.router.domain.agent import Agent
from services.router.intake import Intake
from services.router.parking import Parking
from services.router.timers import FiredTimers
from services.router.tolerant_codec import is_unreadable
from shared import aggregates
from shared.aggregates import Folded, S
from shared.arrivals import ArrivedMessage, Later
from shared.codec import PlainCodec, encode
from shared.commands import Done
from shared.conversation import Conversation, Offer, OpenTransfer
from shared.customer import Customer
from shared.deciding import Deciding
from shared.errors import TellonceError
from shared.events import (
    AnyEvent,
    CommandNoted,
    ContactEvent,
    ConversationId,
    EventId,
    Handle,
    InboundEvent,
)
from shared.events.packet import Visit
from shared.ledger import Recorded, Write
from shared.policies import Policies
from shared.policy import Policy
from shared.timers import Timer
from shared.worker import opening
from tests.router.router_twins import (
    HandClock,
    KnownTo,
    LaggingLedger,
    OpenCodec,
    StoredMessages,
    TolerantReader,
)
from tests.router.samples import TENANT, a_policy
from tests.support.memory_refusals import MemoryRefusals
from tests.support.memory_snapshots import MemorySnapshots
from tests.support.memory_timers import MemoryTimers

SECRETS = {
    "LOOKUP_KEY": "a key of these tests",
    "REPLY_KEY": "their key of today",
    "REPLY_KEY_BEFORE": "their key of yesterday",
}
E = TypeVar("E", bound=AnyEvent)


class VisitsOf:
    """VISITS' twin: `found` by the value of a handle; `asked`: the handles of each question."""

    def __init__(self) -> None:
        self.found: dict[str, Visit] = {}
        self.asked: list[list[str]] = []

    async def of(self, policy: Policy, handles: Sequence[Handle]) -> Visit | None:  # noqa: ARG002  the shared shape
        self.asked.append([each.value for each in handles])
        return next((self.found[each.value] for each in handles if each.value in self.found), None)


class InMemoryRouter:
    """One tenant, its customers and agents. What happens returns the types of the new events, but those that only
    say who somebody is, or that a command changed nothing."""

    def __init__(
        self, policy: Policy | None = None, lack: Callable[[str], int] | None = None
    ) -> None:
        self.clock = HandClock()
        self.codec = OpenCodec()
        self.lags = lack is not None
        self.ledger = LaggingLedger(self.codec, self.clock, lack or (lambda _: 0))
        self.timers = MemoryTimers()
        self.history = KnownTo()
        self.visits = VisitsOf()
        self.streams = StoredMessages()
        self.refusals = MemoryRefusals()
        self.snapshots = MemorySnapshots()
        self.policy = policy or a_policy()
        self.restart()
        self._commands_given = 0
        self._fired: list[Timer] = []

    def restart(self) -> None:
        """Forget everything that is not in the ledger, as a new process does."""
        self.cases = self.new_cases()
        self.intake = Intake(self.cases, self.history, self.visits)
        self.fired_timers = FiredTimers(self.cases)
        self.parking = self._new_parking(self.cases)
        self.commands = Commands(self.cases, self.parking, self.refusals)
        reader: Any = TolerantReader(self.ledger, self.codec)
        self.dispatcher = Dispatcher(self.cases, reader, self.snapshots)

    def new_cases(self) -> Cases:
        """Return the cases of another process."""
        deciding = Deciding(self.ledger, self.timers, cached=1_000, retries=20)
        return Cases(deciding, Policies(self.policy), SECRETS, self.clock)

    def _new_parking(self, cases: Cases) -> Parking:
        contacts = opening(PlainCodec(), lambda event, _: self.intake.take(event))
        return Parking(cases, self.streams, contacts, self.fired_timers.ask)

    # -- what happens ---------------------------------------------------------------------------------

    async def happens(self, *events: ContactEvent) -> list[str]:
        """The channels report these events, each of them twice."""
        self._forget()
        before = await self.ledger.position()
        for event in events:
            (arrived,) = await PlainCodec().unseal([encode(event)])
            await self.intake.take(arrived)
            position = await self.ledger.position()
            await self.intake.take(arrived)
            assert await self.ledger.position() == position, "the same event again decided anew"
        return await self.types(after=before)

    async def does(self, actor: str, verb: str, **fields: Any) -> list[str]:
        """An agent gives a command, twice, the second time to a router that was started in between."""
        self._forget()
        before = await self.ledger.position()
        body = self.body(actor, verb, **fields)
        first = await self.commands.handle(verb, TENANT, body)
        position = await self.ledger.position()
        self._restart_commands()
        again = await self.commands.handle(verb, TENANT, body)
        assert await self.ledger.position() == position, "the same command again decided anew"
        assert again == first
        self.done: Done = first
        return await self.types(after=before)

    def _forget(self) -> None:
        """On a replica that lags every act is a new process's: what it cached would hide the lag."""
        if self.lags:
            self.restart()

    def _restart_commands(self) -> None:
        cases = self.new_cases()
        self.commands = Commands(cases, self._new_parking(cases), self.refusals)

    async def refused(self, actor: str, verb: str, **fields: Any) -> str:
        """An agent gives a command that is refused, twice; return the code. Nothing may have been written."""
        before = await self.ledger.position()
        body = self.body(actor, verb, **fields)
        with pytest.raises(TellonceError) as refusal:
            await self.commands.handle(verb, TENANT, body)
        self._restart_commands()
        with pytest.raises(TellonceError) as again:
            await self.commands.handle(verb, TENANT, body)
        assert again.value.problem() == refusal.value.problem()
        assert await self.ledger.position() == before
        return refusal.value.code

    def body(self, actor: str, verb: str, **fields: Any) -> bytes:
        """Return a command's body; `id` and `issued_at` may be given."""
        self._commands_given += 1
        return msgspec.json.encode(
            {
                "command_id": fields.pop("id", f"c-{self._commands_given}"),
                "issued_at": fields.pop("issued_at", self.clock.time),
                "actor": actor if ":" in actor else f"agent:{actor}",
                **fields,
            }
        )

    async def offers(self) -> list[str]:
        """The dispatcher looks at everybody who waits, twice."""
        before = await self.ledger.position()
        await self.dispatch()
        position = await self.ledger.position()
        await self.dispatch()
        if not self.lags:  # else a free agent may be seen later
            assert await self.ledger.position() == position, "the same wait was offered twice"
        return await self.types(after=before)

    async def dispatch(self) -> None:
        """The dispatcher takes what is with nobody, and asks somebody."""
        await self.follow()
        await self.dispatcher.return_all()
        await self.follow()
        await self.dispatcher.offering.offer_all()

    async def follow(self) -> None:
        """The dispatcher sees what was recorded."""
        if self.dispatcher.position < await self.ledger.position():
            batches = self.ledger.follow(self.dispatcher.position)
            self.codec.lenient = True
            batch = await anext(batches)
            self.codec.lenient = False
            await self.dispatcher.take(batch)
            await batches.aclose()  # type: ignore[attr-defined]

    async def passes(self, seconds: float) -> list[str]:
        """Time passes; what was armed fires, each timer twice, and all that ever fired once more."""
        self._forget()
        before = await self.ledger.position()
        self.clock.time += timedelta(seconds=seconds)
        self._fired += self.timers.due(self.clock.time)
        position = 0
        for attempt in (1, 2):
            position = await self.ledger.position()
            for timer in self._fired:
                await self.fire(timer, attempt)
        assert await self.ledger.position() == position, "a timer decided twice"
        return await self.types(after=before)

    async def fire(self, timer: Timer, attempt: int) -> None:
        arrived = ArrivedMessage("fired.0.x", msgspec.json.encode(timer), attempt, 1)
        try:
            await self.fired_timers.ask(arrived)
        except Later:
            assert attempt == 1, "a timer that finds nothing is asked once more, not for ever"

    async def newer_event(self, conversation: Conversation) -> None:
        """A newer version of the router writes something to a conversation."""
        aggregate = aggregates.CONVERSATION.of(conversation.id or "")
        await self._newer_event(aggregate, conversation.sequence)

    async def newer_event_of(self, agent: str) -> None:
        """A newer version of the router writes something to an agent."""
        await self._newer_event(aggregates.AGENT.of(agent), (await self.agent(agent)).sequence)

    async def _newer_event(self, aggregate: str, expected: int) -> None:
        known = (await self.recorded())[-1].event
        body = {**msgspec.json.decode(encode(known)), "type": "conversation.dreamt_of", "id": "n"}
        self.codec.bodies = [msgspec.json.encode(body)]
        newer = replace(known, id=EventId("n"))
        await self.ledger.append(TENANT, [Write(aggregate, expected, [newer])])

    # -- what stands ------------------------------------------------------------------------------------

    async def recorded(self, after: int = 0) -> list[Recorded]:
        self.codec.lenient = True
        found = [
            await self.ledger.get(number)
            for number in range(after + 1, await self.ledger.position() + 1)
        ]
        self.codec.lenient = False
        return [each for each in found if each is not None]

    async def types(self, after: int = 0) -> list[str]:
        about_people = ("cust-", "ident-")
        return [
            each.event.type
            for each in await self.recorded(after)
            if not each.aggregate.startswith(about_people)
            and not is_unreadable(each.event)
            and not isinstance(each.event, CommandNoted)
        ]

    async def last(self, kind: type[E]) -> E:
        """Return the last event of a type."""
        found = [each.event for each in await self.recorded() if isinstance(each.event, kind)]
        return found[-1]

    async def all(self, kind: type[E]) -> list[E]:
        return [each.event for each in await self.recorded() if isinstance(each.event, kind)]

    async def conversations(self) -> list[Conversation]:
        """Return all conversations, in order of their opening."""
        names = dict.fromkeys(
            each.aggregate.removeprefix("conv-")
            for each in await self.recorded()
            if each.aggregate.startswith("conv-")
        )
        return [await self.load(folds.CONVERSATION, name) for name in names]

    async def conversation(self) -> Conversation:
        """Return the only conversation."""
        (only,) = await self.conversations()
        return only

    async def customer(self) -> Customer:
        conversation = await self.conversation()
        assert conversation.customer is not None
        return await self.load(folds.CUSTOMER, conversation.customer)

    async def agent(self, name: str) -> Agent:
        return await self.load(folds.AGENT, name)

    async def load(self, folded: Folded[S], name: str) -> S:
        """Return an aggregate as the leader has it."""
        return await self.cases.deciding.load(TENANT, folded, name, leader=True)

    # -- shortcuts ----------------------------------------------------------------------------------------

    async def on_duty(self, *names: str) -> None:
        for name in names:
            await self.does(name, "sign_in")

    async def offer(self) -> Offer:
        """Return the open offer of the only conversation."""
        offer = (await self.conversation()).ownership.offer
        assert offer is not None
        return offer

    async def transfer(self) -> OpenTransfer:
        transfer = (await self.conversation()).ownership.transfer
        assert transfer is not None
        return transfer

    async def accepts(self) -> list[str]:
        """Whoever is asked takes the contact."""
        conversation, offer = await self.conversation(), await self.offer()
        return await self.does(
            offer.agent, "accept_offer", conversation=conversation.id, offer_id=offer.offer_id
        )

    async def owned_by(self, agent: str, *events: InboundEvent) -> ConversationId:
        """These contacts come in and an agent, who signs in now, takes them."""
        await self.on_duty(agent)
        await self.happens(*events)
        await self.offers()
        await self.accepts()
        conversation = await self.conversation()
        assert (conversation.ownership.owner, conversation.id is not None) == (agent, True)
        assert conversation.id is not None
        return conversation.id

    async def taken(self, agent: str) -> ConversationId:
        """An agent who is at work takes what she is asked to take of the conversation that opened last."""
        await self.offers()
        last = (await self.conversations())[-1]
        assert last.id is not None
        assert last.ownership.offer is not None
        offer_id = last.ownership.offer.offer_id
        await self.does(agent, "accept_offer", conversation=last.id, offer_id=offer_id)
        return last.id

    async def hands_on(self, sender: str, kind: str, brief: str = "please", **to: str) -> list[str]:
        conversation = await self.conversation()
        return await self.does(
            sender, "transfer", conversation=conversation.id, to=to, kind=kind, brief=brief
        )
