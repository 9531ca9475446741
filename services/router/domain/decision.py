"""A decision in the making: the loaded state, the origin, and the events decided so far.

Every event is folded in at once, so that the next rule sees what the last one decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import replace

from services.router.domain import folds
from services.router.domain.agent import ABSENT, Agent, evolve_parts
from services.router.domain.announcements import Announcements
from services.router.domain.identity import Identity
from shared import aggregates, events, ids
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.events.packet import Visit
from shared.policy import Policy

SERVICE = "router"
E = TypeVar("E", bound=events.AnyEvent)


class Origin(events.Origin, frozen=True, kw_only=True):
    """The inputs of a decision from outside: the cause, the times, and the policy in force.

    `cause`: id of the command, contact event or timer; `cause_sha256`: of the command's body, else `None`;
    `occurred`: when the command came, the provider's time, or when the timer was due; `recorded`: now.
    """

    cause: str
    policy: Policy
    policy_version: str

    def id(self, *scope: str) -> str:
        """Return the id that this cause gives to the thing named by `scope`; every call returns the same id."""
        return ids.scoped_id(self.tenant, self.cause, *scope)


@dataclass(frozen=True, slots=True)
class ResolvedHandle:
    """A handle, its keyed hash, and who holds it."""

    handle: events.Handle
    hash: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class SuggestedCustomer:
    """Somebody who may be meant, and what says so: see `customer.suggested`."""

    customer: Customer
    reason: events.Suggestion
    kind: events.HandleKind | None
    value: str


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """The latest conversations of a customer, and the handles that lead to her alone."""

    conversations: Sequence[Conversation]
    handles: Sequence[ResolvedHandle]

    @property
    def open(self) -> list[Conversation]:
        """Those that go on."""
        return [each for each in self.conversations if not each.resolved]


Told = tuple[events.FactOrigin, str, str]
"""What a contact says: where it says it, the name of the fact, and its value."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contact belongs: a conversation, or `None` for a new one, and the rule that says so."""

    conversation: events.ConversationId | None
    rule: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything a decision may look at. Absent aggregates fold to their empty state.

    `handles`: those of the contact or the customer that it is about; `numbers`: the orders and parcels that it names;
    `hints`: who else may be meant; `holders`: all who hold the handles of a customer who registers, and `external`: the
    shop's own id of her; `whose`: the customer whose the conversation is proved to be, and `matter`: the one in which
    it goes on; `journal`: on which something is parked; `united`: several who turn out to be one, herself first;
    `noted`: where a registration is noted; `contact`: what leads to where a contact was told, never who it is;
    `after`: a resolved conversation with which the customer goes on; `hers`: her latest conversations;
    `reported`: the contact that an agent records, and `place`: where it belongs; `undelivered`: messages to
    her of which nobody says yet that they have reached her; `visit`: what she did last on the shop's pages;
    `last_agent`: who owned the customer\'s last matter before this one;
    `told`: what the contact says, where that was looked at; `shortlist`: who may be asked to take the matter, where not
    all candidates may; `announcements`: what the desk is to know, `None` where nobody looked.
    """

    conversation: Conversation = NEW_CONVERSATION
    customer: Customer = UNKNOWN_CUSTOMER
    agents: dict[events.AgentId, Agent] = field(default_factory=dict)
    handles: Sequence[ResolvedHandle] = ()
    journal: folds.Journal = field(default_factory=folds.Journal)
    numbers: Sequence[ResolvedHandle] = ()
    hints: Sequence[SuggestedCustomer] = ()
    holders: dict[events.CustomerId, Customer] = field(default_factory=dict)
    external: ResolvedHandle | None = None
    after: Conversation = NEW_CONVERSATION
    hers: Sequence[Conversation] = ()
    reported: events.InboundEvent | None = None
    place: Place | None = None
    whose: Customer = UNKNOWN_CUSTOMER
    matter: Conversation = NEW_CONVERSATION
    united: Sequence[KnownCustomer] = ()
    noted: Customer = UNKNOWN_CUSTOMER
    contact: ResolvedHandle | None = None
    undelivered: Sequence[events.MessageRequested] = ()
    visit: Visit | None = None
    announcements: Announcements | None = None
    shortlist: Sequence[events.AgentId] = ()
    told: Sequence[Told] | None = None
    last_agent: events.AgentId | None = None

    def agent(self, agent_id: events.AgentId) -> Agent:
        return self.agents.get(agent_id, ABSENT)


def goes_on(conversation: Conversation) -> dict[str, str]:
    """Return where a merged conversation goes on, as a detail of its refusal."""
    return {} if conversation.into is None else {"into": conversation.into}


class Decision:
    """Collects events in order; `conversation`, `customer` and `agent()` show the state they lead to."""

    def __init__(self, loaded: Loaded, origin: Origin) -> None:
        self.origin = origin
        self.loaded = loaded
        self.conversation = loaded.conversation
        self.customer = loaded.customer
        self.events: list[events.AnyEvent] = []
        self._agents = dict(loaded.agents)
        self._counts: dict[str, int] = {}
        # A command id that comes again for another conversation, or after it was forgotten with another body, is
        # another decision about an agent or a customer.
        first = loaded.conversation.id or ""
        self._own_id = ids.scoped_id(origin.cause, origin.cause_sha256 or "", first)

    @property
    def policy(self) -> Policy:
        return self.origin.policy

    @property
    def by(self) -> events.AgentId:
        """The agent who gives the command; only where an agent does."""
        return events.AgentId(self.origin.actor.partition(":")[2])

    def agent(self, agent_id: events.AgentId) -> Agent:
        return self._agents.get(agent_id, ABSENT)

    def new_id(self, *scope: str) -> str:
        """Return an id for something in this conversation.

        A command id used for two of them, or used again with another body after it was forgotten, gives two ids.
        """
        body = [] if self.origin.cause_sha256 is None else [self.origin.cause_sha256]
        return self.origin.id(self.conversation.id or "", *body, *scope)

    def written_to(self, aggregate: str) -> int:
        """Return how many events this decision has for an aggregate so far."""
        return self._counts.get(aggregate, 0)

    def on_conversation(
        self, kind: type[E], open_part: events.Part, personal: events.Part | None = None
    ) -> None:
        """Decide an event of the conversation."""
        self.take(self.make(kind, open_part, personal))

    def on_agent(self, kind: type[E], agent_id: events.AgentId, open_part: events.Part) -> None:
        """Decide an event of an agent."""
        self.emit(kind, aggregates.AGENT.of(agent_id), open_part)

    def emit(
        self,
        kind: type[E],
        aggregate: str,
        open_part: events.Part,
        personal: events.Part | None = None,
        *,
        conversation: events.ConversationId | None = None,
        customer: events.CustomerId | None = None,
    ) -> None:
        """Decide an event of any aggregate; the conversation and the customer it is about may be others than ours."""
        about = replace(self._about(), conversation=conversation or self.conversation.id)
        if customer is not None:
            about = replace(about, customer=customer)
        event_id = self._event_id(aggregate)
        self.take(events.make(kind, about, event_id, aggregate, open_part, personal))

    def make(self, kind: type[E], open_part: events.Part, personal: events.Part | None = None) -> E:
        """Return an event of the conversation, whole, that is not decided yet."""
        about, aggregate = self._about(), self._aggregate()
        return events.make(kind, about, self._event_id(aggregate), aggregate, open_part, personal)

    def _aggregate(self) -> str:
        assert self.conversation.id is not None
        return aggregates.CONVERSATION.of(self.conversation.id)

    def _about(self) -> events.Origin:
        """Return the origin with what the decision is about by now."""
        return replace(
            self.origin,
            conversation=self.conversation.id,
            customer=self.conversation.customer or self.customer.id,
            correlation=self._correlation(),
        )

    def _event_id(self, aggregate: str) -> str:
        """Return the id of the next event of an aggregate."""
        written = self.written_to(aggregate)
        return ids.decision_event_id(self.origin.tenant, aggregate, self._own_id, written)

    def _correlation(self) -> str | None:
        """Return the contact event that began the affair: the cause itself, while a conversation is about to open."""
        if self.conversation.id is None and self.origin.raw is not None:
            return self.origin.cause
        return self.conversation.correlation

    def take(self, event: events.AnyEvent) -> None:
        """Add an event that is already whole and fold it in."""
        self.events.append(event)
        aggregate = event.aggregate
        self._counts[aggregate] = self.written_to(aggregate) + 1
        prefix, name = aggregates.split(aggregate)
        before, known = self.conversation, self.customer
        if prefix == aggregates.CONVERSATION.prefix and before.id in (None, name):
            self.conversation = folds.CONVERSATION.evolve(before, before.sequence, event)
        elif prefix == aggregates.CUSTOMER.prefix and known.id in (None, name):
            self.customer = folds.CUSTOMER.evolve(known, known.sequence, event)
        elif prefix == aggregates.AGENT.prefix:
            agent_id = events.AgentId(name)
            agent = self.agent(agent_id)
            # Not `folds.AGENT.evolve`: it takes an event at a sequence that it knows for one that it has seen.
            self._agents[agent_id] = evolve_parts(agent, agent.sequence, event)

    def repeat(self, event: events.AnyEvent) -> None:
        """Take a contact event into the conversation: same id and evidence, our time and place."""
        mine = replace(
            event,
            aggregate=self._aggregate(),
            recorded=self.origin.recorded,
            conversation=self.conversation.id,
            customer=self.conversation.customer,
            correlation=self._correlation(),
        )
        self.take(mine)
