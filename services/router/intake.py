"""Contact events from CONTACTS: find their conversation, decide, append.

Each is decided once, however often it comes.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace as replace_loaded
from typing import Any, Protocol

import structlog
from msgspec.structs import replace

from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.by_rule import act_by_rules
from services.router.domain.consent import ConsentEvent, note_consent
from services.router.domain.contacts import decide_contact
from services.router.domain.decision import Decision, Loaded, Origin
from services.router.domain.handover import ensure_packets
from services.router.domain.identify import as_handle
from services.router.domain.importing import begins_history
from services.router.outcomes import Outcomes, journal_of
from services.router.registrations import Orders
from services.router.resolving import Resolving
from shared import aggregates, deciding, errors, events, metrics, proof, tracing
from shared.commands import REMEMBERED
from shared.events.packet import Visit
from shared.policy import Policy

log = structlog.get_logger("router.intake")


class KnownIds(Protocol):
    """Asks history where an event id was recorded."""

    async def known(self, tenant: str, event_id: str, position: int) -> int | None:
        """Return the ledger sequence; `None`: nowhere. Raises: ViewUnavailable while history is away."""
        ...


class Visits(Protocol):
    """Looks for what somebody did last on the shop's pages; it never fails, and never waits for long."""

    async def of(self, policy: Policy, handles: Sequence[events.Handle]) -> Visit | None:
        """Return the last visit of who has these handles, the surest first; `None` when none is found in time."""
        ...


class Intake:
    """Takes contact events in. CONTACTS holds each once for seven days, and the folds know it again for one."""

    def __init__(self, cases: Cases, history: KnownIds, visits: Visits) -> None:
        self._cases = cases
        self._history = history
        self._visits = visits
        self._orders = Orders(cases)
        self._outcomes = Outcomes(cases, self._on_account)

    async def take(self, event: events.AnyEvent) -> None:
        """Decide a contact event. Raises: NotAnEvent for other events, LedgerUnavailable, ViewUnavailable."""
        with tracing.span("decide", event.traceparent, tenant=event.tenant, type=event.type):
            await self._take(event)

    async def _take(self, event: events.AnyEvent) -> None:
        if isinstance(event, events.PayloadQuarantined):
            await self._quarantine(event)
        elif isinstance(event, events.ChannelInterrupted):
            await self._on_account(event)
        elif isinstance(event, events.OrderChanged):
            if not await self._orders.take(event):
                await self._on_account(event)
        elif isinstance(event, events.OutcomeEvent):
            await self._outcomes.take(event)
        elif isinstance(event, events.InboundEvent):
            await self._inbound(proof.judged(self._cases.policies.of(event.tenant), event))
        else:
            raise errors.NotAnEvent(type=event.type)
        if not event.imported:
            waited = (self._cases.clock.now() - event.recorded).total_seconds()
            metrics.DECIDED_SECONDS.observe(waited, event.open.channel)

    # -- customers ------------------------------------------------------------------------------------

    async def _inbound(self, event: events.InboundEvent) -> None:
        origin = self._origin(event)
        resolving = Resolving(self._cases, origin, event)
        first = deciding.Reading(self._cases.deciding, event.tenant, leader=False)
        found = await resolving.load(first)
        if resolving.seen or await self._replayed(event):
            log.info("contact_event_repeated", event_id=event.id)
            return
        visit = await self._visit(found, event)

        async def load(reading: deciding.Reading) -> Loaded:
            return found if reading is first else await resolving.load(reading)

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            if resolving.seen:
                return []
            decision = Decision(replace_loaded(loaded, visit=visit), origin)
            decide_contact(decision, event, resolving.place)
            act_by_rules(decision)
            ensure_packets(loaded.conversation.packet.id, decision.events)
            return decision.events

        def decide_quiet(loaded: Loaded) -> list[events.AnyEvent]:
            return [] if resolving.place.conversation is None else decide(loaded)

        if isinstance(event, ConsentEvent):
            await self._consent(event, origin, load, first)
            return
        if isinstance(event, events.QuietEvent) and not begins_history(event):
            await self._cases.change(event.tenant, load, decide_quiet, first=first)
            if resolving.place.conversation is None:
                await self._on_account(event)
            return
        await self._cases.change(event.tenant, load, decide, first=first)

    async def _visit(self, loaded: Loaded, event: events.InboundEvent) -> Visit | None:
        """Return what she did on the pages before she wrote or called, where a contact of hers begins.

        What is told of the past, from an export or by RAW read again, has nothing to do with today's visit.
        """
        begun = event.open.contact_id in loaded.conversation.contacts.by_id
        past = self._cases.clock.now() - event.happened >= REMEMBERED
        if begun or past or event.open.automatic or isinstance(event, events.QuietEvent):
            return None
        given = list(event.personal.handles) if event.personal else []
        known = [as_handle(each) for each in loaded.customer.handles]
        return await self._visits.of(self._cases.policies.of(event.tenant), [*given, *known])

    async def _consent(
        self,
        event: ConsentEvent,
        origin: Origin,
        resolve: Callable[[deciding.Reading], Awaitable[Loaded]],
        first: deciding.Reading,
    ) -> None:
        """Note what she agrees to on herself; on the account what nobody is known by."""
        known = False

        async def load(reading: deciding.Reading) -> Loaded:
            loaded = await resolve(reading)
            return replace_loaded(loaded, journal=await journal_of(reading, event))

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            nonlocal known
            told = (loaded.customer.seen, loaded.whose.seen, loaded.journal.seen)
            known = any(event.id in seen for seen in told)
            decision = Decision(loaded, origin)
            known = known or note_consent(decision, event)
            return decision.events

        await self._cases.change(event.tenant, load, decide, first=first)
        if not known:
            await self._on_account(event)

    async def _replayed(self, event: events.ContactEvent) -> bool:
        """Tell whether the ledger holds an event whose delivery came before the memory of the folds begins.

        RAW is read again, no router ran for a day, or it was imported, and may have been told long ago: then, and only
        then, history is asked. It is a witness, not the truth: it is believed where the ledger agrees.
        """
        if not self._cases.may_be_known(event):
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

    # -- what concerns no conversation --------------------------------------------------------------------

    async def _quarantine(self, event: events.PayloadQuarantined) -> None:
        """Record that a delivery could not be read, on its account, once."""
        if await self._on_account(event):
            log.warning("payload_quarantined", code=event.open.code, account=event.open.account)

    async def _on_account(self, event: events.ContactEvent) -> bool:
        """Record what concerns no conversation on its account; return whether it was recorded now."""
        if await self._replayed(event):
            return False
        return await on_account(self._cases, event)


async def on_account(cases: Cases, event: events.ContactEvent) -> bool:
    """Record an event on the journal of its account, once; return whether it was recorded now."""
    aggregate = aggregates.account(event.open.channel, event.open.account)
    mine: Any = replace(event, aggregate=aggregate, recorded=cases.clock.now(), conversation=None)

    async def load(reading: deciding.Reading) -> folds.Journal:
        return await reading.load(folds.ACCOUNT, aggregates.split(aggregate)[1])

    def decide(journal: folds.Journal) -> list[events.AnyEvent]:
        return [] if event.id in journal.seen else [mine]

    changed = await cases.deciding.change(event.tenant, load, decide)
    return bool(changed.events)
