"""Loads and caches aggregates, and appends what was decided about them."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
import structlog

from services.router.domain import agent as agents
from services.router.domain import identity as identities
from services.router.domain.agent import ABSENT, Agent
from services.router.domain.decision import Case
from services.router.domain.identity import UNCLAIMED, Identity
from shared import aggregates, events
from shared import conversation as conversations
from shared import customer as customers
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.errors import LedgerConflict, TellonceError
from shared.ledger import Guard, Ledger, Write
from shared.memory import Memory, remember

CONFLICT_DELAY_SECONDS = 0.005
CONFLICT_DELAY_MAX_SECONDS = 0.2

log = structlog.get_logger("router.store")


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """An aggregate of which only the memory matters, such as a channel account's quarantine."""

    seen: Memory = {}
    sequence: int = 0


EMPTY_JOURNAL = Journal()
State = TypeVar("State", Conversation, Customer, Agent, Identity, Journal)


def _noted(journal: Journal, sequence: int, event: events.AnyEvent) -> Journal:
    return Journal(seen=remember(journal.seen, sequence, event), sequence=sequence)


class Store:
    """The ledger's aggregates, folded. A cached state may be stale: then an append conflicts and is repeated."""

    def __init__(self, ledger: Ledger, *, cached: int, retries: int) -> None:
        self._ledger = ledger
        self._cached = cached
        self._retries = retries
        self._states: OrderedDict[tuple[str, str], Any] = OrderedDict()

    # -- loading ------------------------------------------------------------------------------------------

    async def conversation(
        self, tenant: str, conversation_id: events.ConversationId, *, leader: bool = False
    ) -> Conversation:
        aggregate = aggregates.CONVERSATION.of(conversation_id)
        return await self._load(tenant, aggregate, NEW_CONVERSATION, conversations.evolve, leader)

    async def customer(
        self, tenant: str, customer_id: events.CustomerId, *, leader: bool = False
    ) -> Customer:
        aggregate = aggregates.CUSTOMER.of(customer_id)
        return await self._load(tenant, aggregate, UNKNOWN_CUSTOMER, customers.evolve, leader)

    async def known_conversation(
        self, tenant: str, conversation_id: events.ConversationId, *, leader: bool
    ) -> Conversation:
        """Return a conversation that another aggregate names: where a replica lacks it yet, the leader is asked."""
        found = await self.conversation(tenant, conversation_id, leader=leader)
        if found.id is not None or leader:
            return found
        return await self.conversation(tenant, conversation_id, leader=True)

    async def known_customer(
        self, tenant: str, customer_id: events.CustomerId, *, leader: bool
    ) -> Customer:
        """Return a customer whom another aggregate names; see `known_conversation`."""
        found = await self.customer(tenant, customer_id, leader=leader)
        if found.id is not None or leader:
            return found
        return await self.customer(tenant, customer_id, leader=True)

    async def agents(
        self, tenant: str, agent_ids: Iterable[events.AgentId | None], *, leader: bool = False
    ) -> dict[events.AgentId, Agent]:
        wanted = sorted({each for each in agent_ids if each is not None})
        return {
            each: await self._load(tenant, aggregates.AGENT.of(each), ABSENT, agents.evolve, leader)
            for each in wanted
        }

    async def identity(self, tenant: str, keyed_hash: str, *, leader: bool = False) -> Identity:
        aggregate = aggregates.IDENTITY.of(keyed_hash)
        return await self._load(tenant, aggregate, UNCLAIMED, identities.evolve, leader)

    async def _load(
        self,
        tenant: str,
        aggregate: str,
        empty: State,
        evolve: Callable[[State, int, events.AnyEvent], State],
        leader: bool,
    ) -> State:
        key = (tenant, aggregate)
        state: State = self._states.get(key, empty)
        read = self._ledger.read_leader if leader else self._ledger.read
        for recorded in await read(tenant, aggregate, after=state.sequence):
            state = evolve(state, recorded.sequence, recorded.event)
        self._keep(key, state)
        return state

    def _keep(self, key: tuple[str, str], state: Any) -> None:
        """Remember the newer of two folds; the least recently used is forgotten first."""
        known = self._states.get(key)
        if known is None or known.sequence <= state.sequence:
            self._states[key] = state
        self._states.move_to_end(key)
        if len(self._states) > self._cached:
            self._states.popitem(last=False)

    async def position(self) -> int:
        """Return the ledger's last sequence."""
        return await self._ledger.position()

    # -- deciding and appending ----------------------------------------------------------------------------

    async def change(
        self,
        tenant: str,
        load: Callable[[bool], Awaitable[Case]],
        decide: Callable[[Case], list[events.AnyEvent]],
        prepare: Callable[[Sequence[events.AnyEvent]], Awaitable[None]],
        *,
        confirm: bool = True,
    ) -> Sequence[events.AnyEvent]:
        """Load, decide, prepare (arm timers), append; on a conflict reload and decide again.

        A refusal and an empty decision append nothing, so nothing proves that they were not based on a stale
        state: with `confirm` both are decided once more on a read from the leader before they are believed.

        Returns the events that were appended; [] when there was nothing to change.
        Raises: the refusal; LedgerConflict after the last retry; LedgerUnavailable.
        """
        leader = False
        for attempt in range(self._retries + 1):
            case = await load(leader)
            try:
                decided = decide(case)
            except TellonceError:
                if leader or not confirm:
                    raise
                leader = True
                continue
            if not decided:
                if leader or not confirm:
                    return []
                leader = True
                continue
            await prepare(decided)
            try:
                await self._append(tenant, case, decided)
            except LedgerConflict as conflict:
                log.info("append_conflicted", attempt=attempt, **conflict.details)
                leader = True
                await asyncio.sleep(_pause_seconds(attempt))
            else:
                return decided
        raise LedgerConflict(retries=self._retries)

    async def _append(self, tenant: str, case: Case, decided: Sequence[events.AnyEvent]) -> None:
        by_aggregate: dict[str, list[events.AnyEvent]] = {}
        for event in decided:
            by_aggregate.setdefault(event.aggregate, []).append(event)
        writes = [
            Write(aggregate, expected_sequence(case, aggregate), each)
            for aggregate, each in by_aggregate.items()
        ]
        await self._ledger.append(tenant, writes, _guards(case, decided, by_aggregate))

    async def journal(self, tenant: str, aggregate: str) -> Journal:
        """Return the memory of an aggregate, read from the leader."""
        return await self._load(tenant, aggregate, EMPTY_JOURNAL, _noted, leader=True)

    async def record(self, tenant: str, aggregate: str, after: int, event: events.AnyEvent) -> None:
        """Append one event to a journal. Raises: LedgerConflict, LedgerUnavailable."""
        await self._ledger.append(tenant, [Write(aggregate, after, [event])])


def expected_sequence(case: Case, aggregate: str) -> int:
    """Return what the case believes to be the aggregate's last sequence; 0 for one it did not find."""
    kind, _, name = aggregate.partition("-")
    match kind:
        case "conv":
            return case.conversation.sequence if case.conversation.id == name else 0
        case "cust":
            return case.customer.sequence if case.customer.id == name else 0
        case "agent":
            return case.agent(events.AgentId(name)).sequence
        case "ident":
            return case.identity(name).sequence
        case _:
            return 0


def _guards(
    case: Case, decided: Sequence[events.AnyEvent], written: dict[str, list[events.AnyEvent]]
) -> list[Guard]:
    """A packet shows the customer too: she must not have changed in between."""
    if case.customer.id is None or not any(
        isinstance(each, events.ContextPackaged) for each in decided
    ):
        return []
    aggregate = aggregates.CUSTOMER.of(case.customer.id)
    return [] if aggregate in written else [Guard(aggregate, case.customer.sequence)]


def _pause_seconds(attempt: int) -> float:
    longest = min(CONFLICT_DELAY_MAX_SECONDS, CONFLICT_DELAY_SECONDS * 2**attempt)
    return random.uniform(0, longest)  # noqa: S311  jitter, not a secret
