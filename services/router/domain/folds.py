"""How the router folds each kind of aggregate that it writes."""

import msgspec

from services.router.domain import agent, identity
from shared import aggregates, conversation, customer
from shared.aggregates import Folded
from shared.events import AnyEvent
from shared.memory import Memory, remember


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """An aggregate of which only the memory matters, such as a channel account's quarantine."""

    seen: Memory = {}
    sequence: int = 0


def _noted(journal: Journal, sequence: int, event: AnyEvent) -> Journal:
    return Journal(seen=remember(journal.seen, sequence, event), sequence=sequence)


CONVERSATION = Folded(aggregates.CONVERSATION, conversation.NEW_CONVERSATION, conversation.evolve)
CUSTOMER = Folded(aggregates.CUSTOMER, customer.UNKNOWN_CUSTOMER, customer.evolve)
AGENT = Folded(aggregates.AGENT, agent.ABSENT, agent.evolve)
IDENTITY = Folded(aggregates.IDENTITY, identity.UNCLAIMED, identity.evolve)
ACCOUNT = Folded(aggregates.ACCOUNT, Journal(), _noted)
POLICY = Folded(aggregates.POLICY, Journal(), _noted)
