"""Where notifications are kept: the ledger's `notif-<conversation id>`, with the folds of late in memory."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.notify.domain.commands import AnyCommand
from services.notify.domain.decisions import decide
from services.notify.domain.occasions import Before
from services.notify.domain.state import NONE_YET, Notifications, fold
from shared import aggregates
from shared import conversation as conversations
from shared.errors import LedgerConflict, TellonceError
from shared.events import AnyEvent, NotificationEvent
from shared.ledger import Ledger, Write

CONFLICT_DELAY_SECONDS = 0.02

BeforeAppend = Callable[[Sequence[NotificationEvent]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Decided:
    """The state after a command, and the events that it wrote now; () when it had been decided before."""

    state: Notifications
    events: Sequence[NotificationEvent]


async def _nothing(_events: Sequence[NotificationEvent]) -> None:
    """Nothing has to be there before the append."""


class NotificationStore:
    """Loads, decides and appends. At most `cached` conversations stay folded in memory.

    A fold that is behind does no harm: an append on it is a conflict, and whatever appends nothing is decided once
    more on a read from the stream's leader.
    """

    def __init__(self, ledger: Ledger, *, cached: int, retries: int) -> None:
        self._ledger = ledger
        self._cached = cached
        self._retries = retries
        self._folds: OrderedDict[tuple[str, str], Notifications] = OrderedDict()

    async def load(self, tenant: str, conversation: str, *, leader: bool = False) -> Notifications:
        """Return what stands, from memory or the ledger; with `leader` everything acknowledged before the call.

        Raises: EventTypeUnknown, NotAnEvent, LedgerUnavailable.
        """
        known = self._folds.get((tenant, conversation))
        if known is not None and not leader:
            return known
        start = known or NONE_YET
        read = self._ledger.read_leader if leader else self._ledger.read
        found = await read(tenant, aggregates.NOTIFICATION.of(conversation), after=start.sequence)
        state = fold(((each.sequence, each.event) for each in found), start)
        self._keep(tenant, conversation, state)
        return state

    async def before(self, event: AnyEvent) -> Before:
        """Return how the conversation of an event stood just before it.

        Raises: EventTypeUnknown, NotAnEvent, LedgerUnavailable.
        """
        found = await self._ledger.read_leader(event.tenant, event.aggregate)
        earlier = list(itertools.takewhile(lambda each: each.event.id != event.id, found))
        conversation = conversations.fold((each.sequence, each.event) for each in earlier)
        return Before(conversation, frozenset(each.event.id for each in earlier))

    async def decide(self, command: AnyCommand, before: BeforeAppend = _nothing) -> Decided:
        """Decide and append; on a conflict reload and decide again, `retries` times at most.

        `before` runs with the events ahead of each append (a timer is armed before the event that needs it).
        Raises: what `decide`, `before` and the ledger raise; LedgerConflict when the retries are used up.
        """
        for attempt in range(self._retries + 1):
            state, events = await self._decided(command, leader=attempt > 0)
            if not events:
                return Decided(state, ())
            await before(events)
            try:
                return await self._append(command, state, events)
            except LedgerConflict:
                if attempt == self._retries:
                    raise
            await asyncio.sleep(CONFLICT_DELAY_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311  jitter, not a secret
        raise AssertionError("the last attempt returns or raises")

    async def _decided(
        self, command: AnyCommand, *, leader: bool
    ) -> tuple[Notifications, list[NotificationEvent]]:
        """Decide; a refusal and an empty decision only on a read from the leader."""
        state = await self.load(command.tenant, command.conversation, leader=leader)
        try:
            events = decide(state, command)
        except TellonceError:
            if leader:
                raise
            events = []
        return (state, events) if events or leader else await self._decided(command, leader=True)

    async def _append(
        self, command: AnyCommand, state: Notifications, events: list[NotificationEvent]
    ) -> Decided:
        aggregate = aggregates.NOTIFICATION.of(command.conversation)
        appended = await self._ledger.append(
            command.tenant, [Write(aggregate, state.sequence, events)]
        )
        after = fold(zip(appended.sequences, events, strict=True), state)
        self._keep(command.tenant, command.conversation, after)
        return Decided(after, events)

    def _keep(self, tenant: str, conversation: str, state: Notifications) -> None:
        known = self._folds.get((tenant, conversation))
        if known is None or known.sequence <= state.sequence:
            self._folds[tenant, conversation] = state
        self._folds.move_to_end((tenant, conversation))
        while len(self._folds) > self._cached:
            self._folds.popitem(last=False)
