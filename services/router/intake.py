"""Contact events from CONTACTS: find their conversation, decide, append.

Each is decided once, however often it comes.
"""

from datetime import timedelta
from typing import Protocol

import structlog
from msgspec.structs import replace

from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.contacts import decide_contact, find_place, opened_by, wants_answer
from services.router.domain.decision import Decision, Loaded, Origin, ResolvedHandle
from services.router.domain.handover import ensure_packets
from services.router.domain.identify import conversation_behind, customer_behind, identifies
from services.router.domain.work import tells
from shared import aggregates, deciding, errors, events, handles, subjects
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.policy import Policy

CONVERSATIONS_CONSIDERED = 8
"""Newest conversations of a customer that a contact may join."""

log = structlog.get_logger("router.intake")


class KnownIds(Protocol):
    """Asks history whether an event id was ever recorded."""

    async def known(self, tenant: str, event_id: str, position: int) -> bool:
        """Raises: ViewUnavailable while history is away: the event waits."""
        ...


class Intake:
    """Takes contact events in. `window`: how long the ledger remembers message ids."""

    def __init__(self, cases: Cases, history: KnownIds, window: timedelta) -> None:
        self._cases = cases
        self._history = history
        self._window = window

    async def take(self, event: events.AnyEvent) -> None:
        """Decide a contact event. Raises: NotAnEvent for other events, LedgerUnavailable, ViewUnavailable."""
        if isinstance(event, events.PayloadQuarantined):
            await self._quarantine(event)
        elif isinstance(event, events.OutcomeEvent):
            await self._outcome(event)
        elif isinstance(event, events.InboundEvent):
            await self._inbound(event)
        else:
            raise errors.NotAnEvent(type=event.type)

    # -- customers ------------------------------------------------------------------------------------

    async def _inbound(self, event: events.InboundEvent) -> None:
        origin = self._origin(event)
        resolving = _Resolving(self._cases, origin, event)
        first = deciding.Reading(self._cases.deciding, event.tenant, leader=False)
        await resolving.load(first)
        if resolving.seen or await self._recorded_long_ago(event):
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

    async def _recorded_long_ago(self, event: events.InboundEvent) -> bool:
        """Ask history about events that the streams may have forgotten: old ones, and all without a signed time."""
        signed = event.open.provider_time
        age = None if signed is None else self._cases.clock.now() - signed
        if age is not None and timedelta(0) <= age < self._window / 2:
            return False
        return await self._ever_recorded(event)

    async def _ever_recorded(self, event: events.ContactEvent) -> bool:
        position = await self._cases.deciding.ledger.position()
        return await self._history.known(event.tenant, event.id, position)

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
        """Record what became of a message to the customer, once.

        A report from outside that tells nothing new, or names no message of ours, stands on its account instead.
        """
        if event.conversation is None:
            raise errors.NotAnEvent(type=event.type)
        conversation_id, origin, repeated = event.conversation, self._origin(event), False

        async def load(reading: deciding.Reading) -> Loaded:
            return await self._cases.load(reading, conversation_id)

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            nonlocal repeated
            repeated = event.id in loaded.conversation.seen
            if repeated or not tells(loaded.conversation, event):
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
        if await self._ever_recorded(event):
            return False
        now = self._cases.clock.now()
        mine = replace(event, aggregate=aggregate, recorded=now, conversation=None)

        async def load(reading: deciding.Reading) -> folds.Journal:
            return await reading.load(folds.ACCOUNT, aggregates.split(aggregate)[1])

        def decide(journal: folds.Journal) -> list[events.AnyEvent]:
            return [] if event.id in journal.seen else [mine]

        changed = await self._cases.deciding.change(event.tenant, load, decide)
        return bool(changed.events)


class _Resolving:
    """Finds the customer and the conversation of a contact event.

    `seen`: a conversation at hand has the event already; `place`: see `find_place`. Both are of the last reading.
    """

    def __init__(self, cases: Cases, origin: Origin, event: events.InboundEvent) -> None:
        self._cases = cases
        self._origin = origin
        self._event = event
        self.seen = False
        self.place = find_place(origin.policy, event, None, [])

    async def load(self, reading: deciding.Reading) -> Loaded:
        """Return what belongs to the place of the event, as things stand."""
        resolved = await self._cases.handles(reading, handles_of(self._origin.policy, self._event))
        customer = await _customer(reading, customer_behind(self._origin.policy, resolved))
        known = [
            await reading.load_named(folds.CONVERSATION, each.conversation)
            for each in reversed(customer.conversations[-CONVERSATIONS_CONSIDERED:])
        ]
        referenced = await self._referenced(reading, known, resolved)
        if customer.id is None and referenced is not None:
            # Nothing else says who it is: whoever goes on with a matter is whose matter it was.
            customer = await _customer(reading, referenced.customer)
        opened = await reading.load(folds.CONVERSATION, opened_by(self._origin))
        everything = [*known, opened, *([referenced] if referenced else [])]
        self.seen = any(self._event.id in each.seen for each in everything)
        self.place = find_place(self._origin.policy, self._event, referenced, known)
        chosen = NEW_CONVERSATION
        if self.place.conversation is not None:
            chosen = next(each for each in everything if each.id == self.place.conversation)
            if chosen.customer != customer.id:
                customer = await _customer(reading, chosen.customer)
        agents = await self._cases.agents_of(reading, chosen)
        return Loaded(chosen, customer, agents, resolved)

    async def _referenced(
        self, reading: deciding.Reading, known: list[Conversation], resolved: list[ResolvedHandle]
    ) -> Conversation | None:
        """Return the conversation with this contact, or the conversation named by a reply or reference."""
        contact_id = self._event.open.contact_id
        holding = next((each for each in known if contact_id in each.contacts.by_id), None)
        if holding is not None and (not holding.resolved or not wants_answer(self._event)):
            return holding
        named = _answered(self._event) or conversation_behind(resolved)
        if named is None or not subjects.is_token(named):
            return None
        found = await reading.load_named(folds.CONVERSATION, named)
        return found if found.id is not None else None


async def _customer(reading: deciding.Reading, customer_id: events.CustomerId | None) -> Customer:
    if customer_id is None:
        return UNKNOWN_CUSTOMER
    return await reading.load_named(folds.CUSTOMER, customer_id)


def _answered(event: events.InboundEvent) -> events.ConversationId | None:
    """Return the conversation of the message that this mail answers."""
    return event.open.in_reply_to if isinstance(event, events.MessageReceived) else None


def handles_of(policy: Policy, event: events.InboundEvent) -> list[events.Handle]:
    """Return the handles of a contact; where nothing says who it is, the contact itself is its reference."""
    known = list(event.personal.handles) if event.personal else []
    if any(each.kind == "reference" or identifies(policy, each) for each in known):
        return known
    return [handles.reference(event.open.contact_id), *known]
