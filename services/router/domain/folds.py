"""How the router folds each kind of aggregate that it writes."""

import msgspec

from services.router.domain import agent, identity
from shared import aggregates, conversation, customer, events, memory


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """An aggregate of which only the memory matters, such as a channel account's quarantine."""

    seen: memory.Memory = {}
    sequence: int = 0


def _noted(journal: Journal, sequence: int, event: events.AnyEvent) -> Journal:
    return Journal(seen=memory.remember(journal.seen, sequence, event), sequence=sequence)


CONVERSATION = aggregates.Folded(
    aggregates.CONVERSATION, conversation.NEW_CONVERSATION, conversation.evolve
)
CUSTOMER = aggregates.Folded(aggregates.CUSTOMER, customer.UNKNOWN_CUSTOMER, customer.evolve)
AGENT = aggregates.Folded(aggregates.AGENT, agent.ABSENT, agent.evolve)
IDENTITY = aggregates.Folded(aggregates.IDENTITY, identity.UNCLAIMED, identity.evolve)
ACCOUNT = aggregates.Folded(aggregates.ACCOUNT, Journal(), _noted)
POLICY = aggregates.Folded(aggregates.POLICY, Journal(), _noted)
