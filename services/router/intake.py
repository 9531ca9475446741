"""Contact events from CONTACTS: find their conversation, decide, append.

Each is decided once, however often it comes.
"""

from typing import Protocol

import structlog
from msgspec.structs import replace

from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.contacts import decide_contact
from services.router.domain.decision import Decision, Loaded, Origin
from services.router.domain.handover import ensure_packets
from services.router.domain.work import tells
from services.router.resolving import Resolving
from shared import aggregates, deciding, errors, events, proof
from shared.commands import REMEMBERED
from shared.conversation import Conversation

log = structlog.get_logger("router.intake")


class KnownIds(Protocol):
    """Asks history where an event id was recorded."""

    async def known(self, tenant: str, event_id: str, position: int) -> int | None:
        """Return the ledger sequence; `None`: nowhere. Raises: ViewUnavailable while history is away."""
        ...


class Intake:
    """Takes contact events in. CONTACTS holds each once for seven days, and the folds know it again for one."""

    def __init__(self, cases: Cases, history: KnownIds) -> None:
        self._cases = cases
        self._history = history

    async def take(self, event: events.AnyEvent) -> None:
        """Decide a contact event. Raises: NotAnEvent for other events, LedgerUnavailable, ViewUnavailable."""
        if isinstance(event, events.PayloadQuarantined):
            await self._quarantine(event)
        elif isinstance(event, events.OutcomeEvent):
            await self._outcome(event)
        elif isinstance(event, events.InboundEvent):
            await self._inbound(proof.judged(self._cases.policies.of(event.tenant), event))
        else:
            raise errors.NotAnEvent(type=event.type)

    # -- customers ------------------------------------------------------------------------------------

    async def _inbound(self, event: events.InboundEvent) -> None:
        origin = self._origin(event)
        resolving = Resolving(self._cases, origin, event)
        first = deciding.Reading(self._cases.deciding, event.tenant, leader=False)
        await resolving.load(first)
        if resolving.seen or await self._replayed(event):
            log.info("contact_event_repeated", event_id=event.id)
            return

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            if resolving.seen:
                return []
            decision = Decision(loaded, origin)
            decide_contact(decision, event, resolving.place)
            ensure_packets(loaded.conversation.packet.id, decision.events)
            return decision.events

        await self._cases.change(event.tenant, resolving.load, decide)

    async def _replayed(self, event: events.ContactEvent) -> bool:
        """Tell whether the ledger holds an event whose delivery came before the memory of the folds begins.

        RAW is read again, or no router ran for a day: then, and only then, history is asked. It is a witness, not the
        truth: it is believed where the ledger agrees.
        """
        if self._cases.clock.now() - event.recorded < REMEMBERED:
            return False
        ledger = self._cases.deciding.ledger
        sequence = await self._history.known(event.tenant, event.id, await ledger.position())
        if sequence is None:
            return False
        stored = await ledger.get(sequence)
        if stored is not None and stored.event.id == event.id:
            return True
        log.warning("history_contradicted", event_id=event.id, sequence=sequence)
        return False

    def _origin(self, event: events.ContactEvent) -> Origin:
        return self._cases.origin(
            event.tenant,
            event.id,
            event.actor,
            event.occurred,
            raw=event.raw,
            traceparent=event.traceparent,
        )

    # -- outcomes and quarantine ------------------------------------------------------------------------

    async def _outcome(self, event: events.OutcomeEvent) -> None:
        """Record what became of a message to the customer, once, where its matter goes on: there somebody has it.

        A report from outside that tells nothing new, or names no message of ours, stands on its account instead.
        """
        if event.conversation is None:
            raise errors.NotAnEvent(type=event.type)
        conversation_id, origin, repeated = event.conversation, self._origin(event), False
        matter: list[Conversation] = []

        async def load(reading: deciding.Reading) -> Loaded:
            nonlocal matter
            matter = await self._cases.going_on(reading, conversation_id)
            return await self._cases.load(reading, matter[-1].id or conversation_id)

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            nonlocal repeated
            repeated = any(event.id in each.seen for each in matter)
            if repeated or not tells(matter, event):
                return []
            decision = Decision(loaded, origin)
            decision.repeat(event)
            return decision.events

        changed = await self._cases.change(event.tenant, load, decide)
        if not changed.events and not repeated and event.raw is not None:
            await self._on_account(event)

    async def _quarantine(self, event: events.PayloadQuarantined) -> None:
        """Record that a delivery could not be read, on its account, once."""
        if await self._on_account(event):
            log.warning("payload_quarantined", code=event.open.code, account=event.open.account)

    async def _on_account(self, event: events.PayloadQuarantined | events.OutcomeEvent) -> bool:
        """Record what concerns no conversation on its account; return whether it was recorded now."""
        aggregate = aggregates.account(event.open.channel, event.open.account)
        if await self._replayed(event):
            return False
        now = self._cases.clock.now()
        mine = replace(event, aggregate=aggregate, recorded=now, conversation=None)

        async def load(reading: deciding.Reading) -> folds.Journal:
            return await reading.load(folds.ACCOUNT, aggregates.split(aggregate)[1])

        def decide(journal: folds.Journal) -> list[events.AnyEvent]:
            return [] if event.id in journal.seen else [mine]

        changed = await self._cases.deciding.change(event.tenant, load, decide)
        return bool(changed.events)
