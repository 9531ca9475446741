"""Given / when / then on the router's decisions, with nothing around them: no ledger, no clock, no process.

`Given` is what stands; each act returns what stands after it, and `Given.when` what a command comes to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.router.domain import folds
from services.router.domain.by_rule import act_by_rules
from services.router.domain.contacts import decide_contact, find_place
from services.router.domain.decide import decide, decide_offer, decide_return, decide_timer
from services.router.domain.decision import Decision, Loaded, Origin, ResolvedHandle
from services.router.domain.identity import UNCLAIMED
from services.router.domain.presence import home_queue
from services.router.domain.statements import numbers_in, told
from shared import aggregates, events
from shared.commands import COMMANDS, ConversationCommand
from shared.conversation import Conversation, Offer, OpenTransfer
from shared.errors import TellonceError
from shared.events import AnyEvent
from shared.policy import Policy
from tests.router.samples import NOON, TENANT, a_policy

POLICY = a_policy()


@dataclass(frozen=True)
class Outcome:
    """What a command came to: events, or the code of a refusal and its details."""

    events: Sequence[AnyEvent] = ()
    refused: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    def of(self, kind: type[AnyEvent]) -> Any:
        """Return the open part of the only event of a type."""
        (found,) = [event.open for event in self.events if isinstance(event, kind)]
        return found


@dataclass(frozen=True)
class Given:
    """One conversation, its customer and all agents, as they stand; `acts`: how much has happened."""

    loaded: Loaded = field(default_factory=Loaded)
    now: datetime = NOON
    acts: int = 0
    policy: Policy = POLICY

    # -- what happens ---------------------------------------------------------------------------------

    def on_duty(self, *names: str) -> "Given":
        """These agents sign in."""
        given = self
        for name in names:
            given = given.does(name, "sign_in")
        return given

    def reports(self, event: events.InboundEvent) -> "Given":
        """A channel reports something of the customer."""
        return self.after(self.hears(event))

    def hears(self, event: events.InboundEvent) -> Outcome:
        """Return what it comes to that a channel reports something of the customer."""
        origin = self._origin(event.actor, cause=event.id, raw=event.raw)
        personal = event.personal
        handles = [
            ResolvedHandle(handle, handle.value, UNCLAIMED)
            for handle in (personal.handles if personal else ())
        ]
        known = [self.conversation] if self.conversation.id else []
        decision = Decision(replace(self.loaded, handles=handles), origin)
        policy = self.policy
        named = numbers_in(policy, told(policy, event))
        decide_contact(decision, event, find_place(policy, event, None, known, named))
        act_by_rules(decision)
        return Outcome(decision.events)

    def offered(self) -> "Given":
        """The dispatcher asks somebody. It must find somebody."""
        decided = self.dispatches().events
        assert decided, "nobody is free"
        return self._after(decided)

    def does(self, agent: str, verb: str, **fields: Any) -> "Given":
        """An agent gives a command that is carried out."""
        outcome = self.when(agent, verb, **fields)
        assert outcome.refused is None, outcome.refused
        return self._after(outcome.events)

    def accepted(self) -> "Given":
        """Whoever is asked takes the contact."""
        return self.does(self.offer.agent, "accept_offer", offer_id=self.offer.offer_id)

    def passes(self, seconds: float) -> "Given":
        return replace(self, now=self.now + timedelta(seconds=seconds))

    # -- what it comes to --------------------------------------------------------------------------------

    def when(self, agent: str, verb: str, **fields: Any) -> Outcome:
        """Return what an agent's command comes to."""
        kind = COMMANDS[verb]
        if issubclass(kind, ConversationCommand):
            fields.setdefault("conversation", self.conversation.id or "none")
        command = msgspec.convert(
            {
                "command_id": f"c-{self.acts}",
                "issued_at": self.now,
                "actor": agent if ":" in agent else f"agent:{agent}",
                **fields,
            },
            kind,
        )
        origin = self._origin(command.actor, cause=command.command_id, cause_sha256="sha")
        try:
            return Outcome(decide(self.loaded, command, origin))
        except TellonceError as error:
            return Outcome(refused=error.code, details=error.details)

    def belongs_to(self) -> str:
        """Return the queue that the matter belongs to."""
        return home_queue(Decision(self.loaded, self._origin("rule:test@v")))

    def dispatches(self) -> Outcome:
        """Return whom the dispatcher asks."""
        return Outcome(decide_offer(self.loaded, self._origin("rule:dispatch@v")))

    def returns(self) -> Outcome:
        """Return what the dispatcher takes from an owner who has gone."""
        return Outcome(decide_return(self.loaded, self._origin("rule:return@v")))

    def fires(self, kind: str, asked: str, due: datetime | None = None) -> Outcome:
        """Return what a timer comes to that was due now, or at `due`."""
        origin = self._origin(f"rule:{kind}@v", occurred=due or self.now)
        return Outcome(decide_timer(self.loaded, kind, asked, origin))

    def after(self, outcome: Outcome) -> "Given":
        """Return what stands when an outcome was recorded."""
        return self._after(outcome.events)

    # -- what stands --------------------------------------------------------------------------------------

    @property
    def conversation(self) -> Conversation:
        return self.loaded.conversation

    @property
    def offer(self) -> Offer:
        offer = self.conversation.ownership.offer
        assert offer is not None
        return offer

    @property
    def transfer(self) -> OpenTransfer:
        transfer = self.conversation.ownership.transfer
        assert transfer is not None
        return transfer

    def busy(self) -> set[str]:
        """Return the agents of whom this conversation takes a slot."""
        agents = self.loaded.agents.items()
        return {name for name, agent in agents if self.conversation.id in agent.working_on}

    def _origin(self, actor: str, *, occurred: datetime | None = None, **known: Any) -> Origin:
        return Origin(
            **{"cause": f"cause-{self.acts}", **known},
            tenant=TENANT,
            service="router",
            actor=actor,
            occurred=occurred or self.now,
            recorded=self.now,
            policy=self.policy,
            policy_version="v",
        )

    def _after(self, decided: Sequence[events.AnyEvent]) -> "Given":
        loaded = self.loaded
        for event in decided:
            prefix, name = aggregates.split(event.aggregate)
            if prefix == aggregates.CONVERSATION.prefix:
                before = loaded.conversation
                after = folds.CONVERSATION.evolve(before, before.sequence + 1, event)
                loaded = replace(loaded, conversation=after)
            elif prefix == aggregates.CUSTOMER.prefix:
                known = loaded.customer
                customer = folds.CUSTOMER.evolve(known, known.sequence + 1, event)
                loaded = replace(loaded, customer=customer)
            elif prefix == aggregates.AGENT.prefix:
                agent_id = events.AgentId(name)
                was = loaded.agent(agent_id)
                agent = folds.AGENT.evolve(was, was.sequence + 1, event)
                loaded = replace(loaded, agents={**loaded.agents, agent_id: agent})
        return replace(self, loaded=loaded, acts=self.acts + 1)
