"""Where notifications are kept: the ledger's `notif-<conversation id>`."""

import contextlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.notify.beside import BesideTimers
from services.notify.domain import commands, decisions, occasions, presence
from services.notify.domain.state import NONE_YET, Notification, Notifications, evolve
from services.notify.passing import Passing
from shared import aggregates, arming, instants, timers
from shared import conversation as conversations
from shared.deciding import Deciding, Reading
from shared.errors import EventTypeUnknown, NotAnEvent
from shared.events import AgentId, AnyEvent, MessageRequested, NotificationRequested
from shared.ledger import Ledger

NOTIFICATIONS = aggregates.Folded(aggregates.NOTIFICATION, NONE_YET, evolve)


@dataclass(frozen=True, slots=True)
class Decided:
    """The state after a command, and the events written now; () when the command had been decided before."""

    state: Notifications
    events: Sequence[AnyEvent]


class NotificationStore:
    """Loads the notifications of a conversation and decides about them."""

    def __init__(
        self,
        ledger: Ledger,
        at: arming.Timers,
        passing: Passing | None = None,
        *,
        cached: int,
        retries: int,
    ) -> None:
        self._timers, self._beside = at, BesideTimers(at)
        self._deciding = Deciding(ledger, self._beside, cached=cached, retries=retries)
        self._passing = passing or Passing(kept=0)
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
        before = self._passing.before(event) or await self._read_before(event)
        expected = occasions.expected_back(event, before.conversation)
        there = await self.there(event.tenant, expected)
        return occasions.EarlierState(before.conversation, before.events, there)

    async def _read_before(self, event: AnyEvent) -> occasions.EarlierState:
        """Read what stands before an event: a replica that has the event has all that stands before it."""
        ledger = self._deciding.ledger
        found = await ledger.read(event.tenant, event.aggregate)
        if event.id not in {each.event.id for each in found}:
            found = await ledger.read_leader(event.tenant, event.aggregate)
        earlier = list(itertools.takewhile(lambda each: each.event.id != event.id, found))
        conversation = conversations.fold((each.sequence, each.event) for each in earlier)
        before = occasions.EarlierState(conversation, frozenset(each.event.id for each in earlier))
        if len(earlier) < len(found):
            self._passing.take(found[len(earlier)].sequence, event, before)
        return before

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
        """Decide, arm and append, see `Deciding.change`. Raises: what `decide`, arming and `Deciding.change` raise.

        First on what is in memory; on nothing, where all of a conversation was written at once.
        """
        name = command.conversation
        first = Reading(self._deciding, command.tenant, leader=False, remembered=True)
        if isinstance(command, commands.TellRequest) and self._passing.has_just_begun(
            command.tenant, name
        ):
            first.new(NOTIFICATIONS, name)

        async def load(reading: Reading) -> Notifications:
            return await reading.load(NOTIFICATIONS, name)

        changed = await self._deciding.change(
            command.tenant, load, lambda state: decisions.decide(state, command), first=first
        )
        for event in changed.events:
            if isinstance(event, NotificationRequested):
                await self._beside.armed(event.open.notification_id)
        return Decided(changed.state(NOTIFICATIONS, name), changed.events)

    async def arm_again(self, tenant: str, conversation: str, known: Notification) -> None:
        """Arm what asks about a notification that was there: whoever wrote it may have died at that.

        Raises: BusUnavailable, JetStreamRefused.
        """
        if known.escalates is not None and known.waits_for_a_person:
            timer = timers.Timer(
                tenant=tenant,
                aggregate=aggregates.NOTIFICATION.of(conversation),
                kind=timers.NOTIFICATION_ESCALATION.name,
                id=known.id,
                due=instants.within(known.escalates),
            )
            await self._timers.arm(timer)
