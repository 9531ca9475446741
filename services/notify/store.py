"""Where notifications are kept: the ledger's `notif-<conversation id>`."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from services.notify.domain import commands, decisions, occasions
from services.notify.domain.state import NONE_YET, Notifications, evolve
from shared import aggregates
from shared import conversation as conversations
from shared.deciding import Deciding, Reading
from shared.events import AnyEvent

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
        return occasions.EarlierState(conversation, frozenset(each.event.id for each in earlier))

    async def decide(self, command: commands.AnyCommand) -> Decided:
        """Decide and append, see `Deciding.change`. Raises: what `decide` and `Deciding.change` raise."""

        async def load(reading: Reading) -> Notifications:
            return await reading.load(NOTIFICATIONS, command.conversation)

        changed = await self._deciding.change(
            command.tenant, load, lambda state: decisions.decide(state, command)
        )
        return Decided(changed.state(NOTIFICATIONS, command.conversation), changed.events)
