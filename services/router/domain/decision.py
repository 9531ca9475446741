"""One decision in the making: what is known, who asks, and the events decided so far.

Every event is folded in at once, so that the next rule sees what the last one decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from msgspec.structs import replace

from services.router.domain import agent as agents
from services.router.domain import identity as identities
from services.router.domain.agent import ABSENT, Agent
from services.router.domain.identity import UNCLAIMED, Identity
from shared import aggregates, events
from shared import conversation as conversations
from shared import customer as customers
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.events.envelope import DATA_SCHEMA
from shared.ids import decision_event_id, scoped_id
from shared.policy import Policy

SOURCE = "tellonce/router"
E = TypeVar("E", bound=events.AnyEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a decision takes from outside: who asks, when, and which policy is in force.

    `cause`: id of the command, contact event or timer; `sha256`: of the command's body, else `None`;
    `occurred`: when the command came, the provider's time, or when the timer was due.
    """

    tenant: str
    cause: str
    sha256: str | None
    now: datetime
    occurred: datetime
    actor: str
    policy: Policy
    policy_version: str
    raw: str | None = None
    traceparent: str | None = None

    def id(self, *scope: str) -> str:
        """Return an id that this cause gives to the thing named by `scope`, always the same one."""
        return scoped_id(self.tenant, self.cause, *scope)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a decision may look at, as it was loaded. Absent aggregates fold to their empty state."""

    conversation: Conversation = NEW_CONVERSATION
    customer: Customer = UNKNOWN_CUSTOMER
    agents: dict[events.AgentId, Agent] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)

    def agent(self, agent_id: events.AgentId) -> Agent:
        return self.agents.get(agent_id, ABSENT)

    def identity(self, keyed_hash: str) -> Identity:
        return self.identities.get(keyed_hash, UNCLAIMED)


class Decision:
    """Collects events in order; `conversation`, `customer` and `agent()` show the state they lead to."""

    def __init__(self, case: Case, stamp: Stamp) -> None:
        self.stamp = stamp
        self.stored = case
        self.conversation = case.conversation
        self.customer = case.customer
        self.events: list[events.AnyEvent] = []
        self._agents = dict(case.agents)
        self._identities = dict(case.identities)
        self._counts: dict[str, int] = {}

    @property
    def policy(self) -> Policy:
        return self.stamp.policy

    def agent(self, agent_id: events.AgentId) -> Agent:
        return self._agents.get(agent_id, ABSENT)

    def identity(self, keyed_hash: str) -> Identity:
        return self._identities.get(keyed_hash, UNCLAIMED)

    def new_id(self, *scope: str) -> str:
        """Return an id for something in this conversation; a command id used for two of them gives two ids."""
        return self.stamp.id(self.conversation.id or "", *scope)

    def written_to(self, aggregate: str) -> int:
        """Return how many events this decision has for an aggregate so far."""
        return self._counts.get(aggregate, 0)

    def on_conversation(
        self, kind: type[E], open_part: events.Part, personal: events.Part | None = None
    ) -> E:
        """Decide an event of the conversation."""
        assert self.conversation.id is not None
        return self.emit(
            kind, aggregates.CONVERSATION.of(self.conversation.id), open_part, personal
        )

    def on_agent(self, kind: type[E], agent_id: events.AgentId, open_part: events.Part) -> E:
        """Decide an event of an agent."""
        return self.emit(kind, aggregates.AGENT.of(agent_id), open_part)

    def emit(
        self,
        kind: type[E],
        aggregate: str,
        open_part: events.Part,
        personal: events.Part | None = None,
        *,
        conversation: events.ConversationId | None = None,
        customer: events.CustomerId | None = None,
    ) -> E:
        """Decide one event and fold it in. Returns the event, whole."""
        fields: dict[str, Any] = {
            "specversion": "1.0",
            "id": self._event_id(aggregate),
            "source": SOURCE,
            "occurred": self.stamp.occurred,
            "aggregate": aggregate,
            "dataschema": DATA_SCHEMA,
            "datacontenttype": "application/json",
            "tenant": self.stamp.tenant,
            "recorded": self.stamp.now,
            "actor": self.stamp.actor,
            "conversation": conversation or self.conversation.id,
            "customer": customer or self.conversation.customer or self.customer.id,
            "causation": self.stamp.cause,
            "correlation": self._correlation(),
            "causation_sha256": self.stamp.sha256,
            "traceparent": self.stamp.traceparent,
            "raw": self.stamp.raw,
            "data": events.Data(open=open_part, personal=personal or events.Nothing()),
        }
        event: E = kind(**fields)
        self.take(event)
        return event

    def _event_id(self, aggregate: str) -> events.EventId:
        """Return the id of the next event of an aggregate.

        A command id that comes again for another conversation, or after it was forgotten with another body, is another
        decision about an agent or a customer.
        """
        decision = scoped_id(
            self.stamp.cause, self.stamp.sha256 or "", self.stored.conversation.id or ""
        )
        k = self.written_to(aggregate)
        return events.EventId(decision_event_id(self.stamp.tenant, aggregate, decision, k))

    def _correlation(self) -> str | None:
        """Return the contact event that began the affair: this one, while a conversation is about to open."""
        it = self.conversation
        return it.correlation if it.id is not None or self.stamp.raw is None else self.stamp.cause

    def take(self, event: events.AnyEvent) -> None:
        """Add an event that is already whole (a contact event repeated for its conversation)."""
        self.events.append(event)
        aggregate = event.aggregate
        self._counts[aggregate] = self.written_to(aggregate) + 1
        kind, _, name = aggregate.partition("-")
        match kind:
            case "conv":
                state = self.conversation
                self.conversation = conversations.evolve(state, state.sequence, event)
            case "cust":
                self.customer = customers.evolve(self.customer, self.customer.sequence, event)
            case "agent":
                agent_id = events.AgentId(name)
                before = self.agent(agent_id)
                self._agents[agent_id] = agents.evolve(before, before.sequence, event)
            case "ident":
                self._identities[name] = identities.evolve(self.identity(name), 0, event)
            case _:
                pass

    def repeat(self, event: events.AnyEvent) -> None:
        """Take a contact event into the conversation: same id and evidence, our time and place."""
        assert self.conversation.id is not None
        mine = replace(
            event,
            aggregate=aggregates.CONVERSATION.of(self.conversation.id),
            recorded=self.stamp.now,
            conversation=self.conversation.id,
            customer=self.conversation.customer,
            correlation=self._correlation(),
        )
        self.take(mine)
