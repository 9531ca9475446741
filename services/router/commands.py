"""Commands from the bus: read, decide, append, answer."""

from __future__ import annotations

from dataclasses import replace

from services.router.clerk import Clerk
from services.router.domain import people
from services.router.domain.agent import Agent
from services.router.domain.decide import decide
from services.router.domain.decision import Case, Decision, Stamp
from services.router.domain.identify import Looked, lookup_token
from shared import errors, events, subjects
from shared.commands import Command, ConversationCommand, Done, RegisterCustomer
from shared.conversation import Conversation
from shared.ids import scoped_id
from shared.memory import Memory, Seen, recall
from shared.requests import read_command, sha256_of


class _Repeated(errors.TellonceError):
    """Internal: this command was carried out before. It leaves this file as the reply of that time."""

    code = "command.repeated"
    sentence = "the command was carried out before"

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen


class Commands:
    """Carries out commands for the tenants of this router."""

    def __init__(self, clerk: Clerk) -> None:
        self._clerk = clerk

    async def handle(self, verb: str, tenant: str, body: bytes) -> Done:
        """Return the reply to a command; the same command again gets the same reply.

        Raises: TellonceError with the code that says why not.
        """
        clerk = self._clerk
        policy = clerk.policies.of(tenant)
        now = clerk.clock.now()
        command = read_command(verb, body, now)
        if not subjects.is_token(_actor(command)):
            raise errors.CommandUnreadable("the actor is no name")
        stamp = Stamp(
            tenant=tenant,
            cause=command.command_id,
            sha256=sha256_of(command),
            now=now,
            occurred=now,
            actor=command.actor,
            policy=policy,
            policy_version=clerk.policy_version(tenant),
        )
        if isinstance(command, RegisterCustomer):
            return await self._register(command, stamp)
        return await self._carry_out(command, stamp)

    async def _carry_out(self, command: Command, stamp: Stamp) -> Done:
        async def load(leader: bool) -> Case:
            return await self._case(command, stamp, leader=leader)

        def judge(case: Case) -> list[events.AnyEvent]:
            _refuse_repeated(_memory(case, command), stamp)
            return decide(case, command, stamp)

        try:
            await self._clerk.change(stamp.tenant, load, judge)
        except _Repeated as repeated:
            return _done(repeated.seen, 0)
        remembering = await self._remembering(command, stamp.tenant)
        return _done(remembering.seen.get(command.command_id), remembering.sequence)

    async def _remembering(self, command: Command, tenant: str) -> Conversation | Agent:
        """Load what remembers the command, from the leader: the reply tells all that was written, or nothing true."""
        store, actor = self._clerk.store, _actor(command)
        if isinstance(command, ConversationCommand):
            return await store.conversation(tenant, command.conversation, leader=True)
        return (await store.agents(tenant, [actor], leader=True))[actor]

    async def _case(self, command: Command, stamp: Stamp, *, leader: bool) -> Case:
        """Load what a command looks at: its conversation, the customer, and every agent it may touch."""
        store, actor = self._clerk.store, _actor(command)
        if not isinstance(command, ConversationCommand):
            return Case(agents=await store.agents(stamp.tenant, [actor], leader=leader))
        if not subjects.is_token(command.conversation):
            raise errors.ConversationUnknown()
        case = await self._clerk.case(stamp.tenant, command.conversation, leader=leader)
        mine = await store.agents(stamp.tenant, [actor], leader=leader)
        return replace(case, agents={**mine, **case.agents})

    async def _register(self, command: RegisterCustomer, stamp: Stamp) -> Done:
        own_id = events.CustomerId(scoped_id("customer", stamp.tenant, command.command_id))
        customer_id = own_id
        key = self._clerk.lookup_key(stamp.tenant)
        handles = [
            events.Handle(
                kind=each.kind, value=normalised(each.kind, each.value), verified=each.verified
            )
            for each in command.handles
        ]
        if not all(each.value for each in handles):
            raise errors.CommandUnreadable("a handle is no phone number and no address")
        looked: list[Looked] = []

        async def load(leader: bool) -> Case:
            nonlocal customer_id
            looked[:] = [
                Looked(
                    each,
                    token,
                    await self._clerk.store.identity(stamp.tenant, token, leader=leader),
                )
                for each in handles
                for token in [lookup_token(key, each)]
            ]
            customer_id = people.holder_of(looked) or own_id
            customer = await self._clerk.store.customer(stamp.tenant, customer_id, leader=leader)
            return Case(customer=customer, identities={each.hash: each.identity for each in looked})

        def judge(case: Case) -> list[events.AnyEvent]:
            _refuse_repeated(case.customer.seen, stamp)
            decision = Decision(case, stamp)
            people.register_customer(decision, customer_id, command, looked)
            return decision.events

        try:
            await self._clerk.change(stamp.tenant, load, judge)
        except _Repeated as repeated:
            return _done(repeated.seen, 0)
        customer = await self._clerk.store.customer(stamp.tenant, customer_id, leader=True)
        return _done(customer.seen.get(command.command_id), customer.sequence)


def normalised(kind: events.HandleKind, value: str) -> str:
    """Return a handle as channels report it: a phone number without blanks, an address in lower case."""
    if kind == "phone":
        return "".join(character for character in value if character in "+0123456789")
    return value.strip().lower() if kind == "email" else value.strip()


def _memory(case: Case, command: Command) -> Memory:
    """Return where a command's id is remembered: in its conversation, else with the agent who gave it."""
    if isinstance(command, ConversationCommand):
        return case.conversation.seen
    return case.agent(_actor(command)).seen


def _actor(command: Command) -> events.AgentId:
    return events.AgentId(command.actor.partition(":")[2])


def _refuse_repeated(memory: Memory, stamp: Stamp) -> None:
    seen = recall(memory, stamp.cause, stamp.sha256)
    if seen is not None:
        raise _Repeated(seen)


def _done(seen: Seen | None, sequence: int) -> Done:
    """Return the reply; `sequence` is the position when nothing had to be changed."""
    summaries = list(seen.events) if seen else []
    return Done(
        events=summaries, position=max((each.sequence for each in summaries), default=sequence)
    )
