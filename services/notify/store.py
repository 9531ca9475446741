"""Where notifications are kept: the ledger's `notif-<conversation id>`."""

import contextlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.notify.domain import commands, decisions, occasions, presence
from services.notify.domain.state import NONE_YET, Notifications, evolve
from shared import aggregates
from shared import conversation as conversations
from shared.deciding import Deciding, Reading
from shared.errors import EventTypeUnknown, NotAnEvent
from shared.events import AgentId, AnyEvent, MessageRequested

NOTIFICATIONS = aggregates.Folded(aggregates.NOTIFICATION, NONE_YET, evolve)


@dataclass(frozen=True, slots=True)
class Decided:
    """The state after a command, and the events written now; () when the command had been decided before."""

    state: Notifications
    events: Sequence[AnyEvent]


class NotificationStore:
    """Loads the notifications of a conversation and decides about them."""

    def __init__(self, deciding: Deciding) -> None:
        self._deciding = deciding
        self._present: dict[tuple[str, str], presence.Presence] = {}

    async def load(self, tenant: str, conversation: str, *, leader: bool = False) -> Notifications:
        """Return what stands; with `leader` everything acknowledged before the call.

        Raises: EventTypeUnknown, NotAnEvent, LedgerUnavailable.
        """
        return await self._deciding.load(tenant, NOTIFICATIONS, conversation, leader=leader)

    async def before(self, event: AnyEvent) -> occasions.EarlierState:
        """Return how the conversation of an event stood just before it.

        Raises: EventTypeUnknown, NotAnEvent, LedgerUnavailable.
        """
        found = await self._deciding.ledger.read_leader(event.tenant, event.aggregate)
        earlier = list(itertools.takewhile(lambda each: each.event.id != event.id, found))
        conversation = conversations.fold((each.sequence, each.event) for each in earlier)
        ids = frozenset(each.event.id for each in earlier)
        there = await self.there(event.tenant, occasions.expected_back(event, conversation))
        return occasions.EarlierState(conversation, ids, there)

    async def has_ended(self, event: MessageRequested) -> bool:
        """Tell whether its conversation knows how a message ended. Raises: what `before` does."""
        found = await self._deciding.ledger.read_leader(event.tenant, event.aggregate)
        conversation = conversations.fold((each.sequence, each.event) for each in found)
        known = conversation.talk.outbound.get(event.open.message_id)
        return known is not None and known.status != "requested"

    async def there(self, tenant: str, agents: Iterable[str]) -> frozenset[AgentId]:
        """Return the first of these agents who is available, alone; nobody when none is.

        Whoever cannot be read is not known to be there. Raises: LedgerUnavailable.
        """
        for name in agents:
            with contextlib.suppress(EventTypeUnknown, NotAnEvent):
                if (await self._presence(tenant, aggregates.AGENT.of(name))).status == "available":
                    return frozenset({AgentId(name)})
        return frozenset()

    async def _presence(self, tenant: str, aggregate: str) -> presence.Presence:
        """Return whether an agent is there. Kept apart from what goes on: there are few agents, with long pasts."""
        known = self._present.get((tenant, aggregate), presence.ABSENT)
        read = self._deciding.ledger.read_leader
        for recorded in await read(tenant, aggregate, after=known.sequence):
            known = presence.evolve(known, recorded.sequence, recorded.event)
        self._present[tenant, aggregate] = known
        return known

    async def decide(self, command: commands.AnyCommand) -> Decided:
        """Decide and append, see `Deciding.change`. Raises: what `decide` and `Deciding.change` raise."""

        async def load(reading: Reading) -> Notifications:
            return await reading.load(NOTIFICATIONS, command.conversation)

        changed = await self._deciding.change(
            command.tenant, load, lambda state: decisions.decide(state, command)
        )
        return Decided(changed.state(NOTIFICATIONS, command.conversation), changed.events)
