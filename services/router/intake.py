"""Contact events from CONTACTS: find their conversation, decide, append.

Each is decided once, however often it comes.
"""

from typing import Protocol

import structlog
from msgspec.structs import replace

from services.router.cases import CONVERSATIONS_CONSIDERED, Cases
from services.router.domain import folds
from services.router.domain.contacts import (
    decide_contact,
    find_place,
    holds,
    numbers_in,
    opened_by,
    wants_answer,
)
from services.router.domain.decision import (
    Decision,
    Loaded,
    Origin,
    ResolvedHandle,
    SuggestedCustomer,
)
from services.router.domain.facts import number_handle, same_value
from services.router.domain.handover import ensure_packets
from services.router.domain.identify import (
    conversation_behind,
    customer_behind,
    identifies,
    is_somebody_else,
    speaking,
    speaks,
    was_on,
)
from services.router.domain.work import tells
from shared import aggregates, deciding, errors, events, handles, proof, subjects
from shared.commands import REMEMBERED
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.policy import Policy

HINTS_MAX = 4
"""So many people who may be meant are looked up."""

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
        resolving = _Resolving(self._cases, origin, event)
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


class _Resolving:
    """Finds the customer and the conversation of a contact event.

    `seen`: a conversation at hand has the event already; `place`: see `find_place`. Both are of the last reading.
    """

    def __init__(self, cases: Cases, origin: Origin, event: events.InboundEvent) -> None:
        self._cases = cases
        self._policy = origin.policy
        self._origin = origin
        self._event = event
        self._numbers = numbers_in(origin.policy, event)
        self.seen = False
        self.place = find_place(origin.policy, event, None, [])

    async def load(self, reading: deciding.Reading) -> Loaded:
        """Return what belongs to the place of the event, as things stand."""
        resolved = await self._cases.handles(reading, handles_of(self._policy, self._event))
        numbers = await self._cases.handles(
            reading, [number_handle(*each) for each in self._numbers]
        )
        named = await self._named(reading, numbers)
        customer = await self._person(reading, resolved, named)
        known = [
            await reading.load_named(folds.CONVERSATION, each.conversation)
            for each in reversed(customer.conversations[-CONVERSATIONS_CONSIDERED:])
        ]
        referenced = await self._referenced(reading, customer, known, resolved)
        if customer.id is None and referenced is not None:
            # Nothing else says who it is: whoever goes on with a matter is whose matter it was.
            customer = await _customer(reading, referenced.customer)
        trusted = self._event.open.medium in self._policy.named_matters
        joined = named if customer.id is None and trusted and wants_answer(self._event) else None
        opened = await reading.load(folds.CONVERSATION, opened_by(self._origin))
        earlier = await self._mentioned(reading, resolved)
        everything = [*known, opened, *earlier, *(each for each in (referenced, joined) if each)]
        self.seen = any(self._event.id in each.seen for each in everything)
        self.place = find_place(
            self._policy, self._event, referenced, [*known, *([joined] if joined else [])]
        )
        chosen = NEW_CONVERSATION
        if self.place.conversation is not None:
            chosen = next(each for each in everything if each.id == self.place.conversation)
            if chosen.customer != customer.id:
                customer = await _customer(reading, chosen.customer)
        agents = await self._cases.agents_of(reading, chosen)
        hints = await self._hints(reading, customer, resolved, named)
        return Loaded(chosen, customer, agents, resolved, numbers=numbers, hints=hints)

    async def _person(
        self,
        reading: deciding.Reading,
        resolved: list[ResolvedHandle],
        named: Conversation | None,
    ) -> Customer:
        """Return the customer whose handles these are. Of several who share one, an order that is hers decides."""
        found = customer_behind(self._policy, resolved)
        if found is not None:
            return await _customer(reading, found)
        values = [value for _, value in self._numbers]
        meant = []
        for each in await self._sharing(reading, resolved):
            ordered = any(same_value(number, value) for number in each.orders for value in values)
            if ordered or (named is not None and named.customer == each.id):
                meant.append(each)
        return meant[0] if len(meant) == 1 else UNKNOWN_CUSTOMER

    async def _sharing(
        self, reading: deciding.Reading, resolved: list[ResolvedHandle]
    ) -> list[Customer]:
        heard = speaking(self._policy, resolved)
        names = dict.fromkeys(name for each in heard for name in each.identity.shared_by)
        return [await _customer(reading, name) for name in list(names)[:HINTS_MAX]]

    async def _referenced(
        self,
        reading: deciding.Reading,
        customer: Customer,
        known: list[Conversation],
        resolved: list[ResolvedHandle],
    ) -> Conversation | None:
        """Return the conversation with this contact, or the one named by a reply or reference.

        Whoever is known to write outweighs the session, thread or call that a browser or program kept.
        """
        contact_id = self._event.open.contact_id
        holding = next((each for each in known if contact_id in each.contacts.by_id), None)
        if holding is not None and (not holding.resolved or not wants_answer(self._event)):
            return holding
        named = _answered(self._event) or conversation_behind(self._policy, resolved)
        found = await self._followed(reading, named)
        if found is None or found.customer == customer.id:
            return found
        if customer.id is not None:
            return None
        whose = await _customer(reading, found.customer)
        hers = was_on(whose, found.contacts.by_id.get(contact_id))
        if hers and is_somebody_else(self._policy, whose, resolved):
            return None
        return found

    async def _followed(
        self, reading: deciding.Reading, named: events.ConversationId | None
    ) -> Conversation | None:
        """Return a conversation by id, or the one in which it goes on; `None` for what is none."""
        if named is None or not subjects.is_token(named):
            return None
        found = await reading.load_named(folds.CONVERSATION, named)
        if found.into is not None:
            found = await reading.load_named(folds.CONVERSATION, found.into)
        return found if found.id is not None else None

    async def _mentioned(
        self, reading: deciding.Reading, resolved: list[ResolvedHandle]
    ) -> list[Conversation]:
        """Return the conversations of the same session, thread or call, whoever was on it."""
        names = [name for each in resolved for name in each.identity.conversations]
        return [await reading.load_named(folds.CONVERSATION, name) for name in names]

    async def _named(
        self, reading: deciding.Reading, numbers: list[ResolvedHandle]
    ) -> Conversation | None:
        """Return the only open conversation of the tenant that holds an order or parcel number of the contact."""
        names = dict.fromkeys(name for each in numbers for name in each.identity.conversations)
        found = [await reading.load_named(folds.CONVERSATION, name) for name in names]
        holding = [each for each in found if not each.resolved and holds(each, self._numbers)]
        return holding[0] if len(holding) == 1 else None

    async def _hints(
        self,
        reading: deciding.Reading,
        customer: Customer,
        resolved: list[ResolvedHandle],
        named: Conversation | None,
    ) -> list[SuggestedCustomer]:
        """Return who else may be meant: by what is only claimed, or shared, or by the number of a matter."""
        found: dict[events.CustomerId, tuple[events.Suggestion, events.HandleKind | None, str]] = {}
        for each in resolved:
            claimed = not speaks(self._policy, each.handle)
            if not identifies(self._policy, each.handle) or not (
                claimed or each.identity.shared_by
            ):
                continue
            for holder in each.identity.holders:
                why: events.Suggestion = "claimed_handle" if claimed else "shared_handle"
                found.setdefault(holder, (why, each.handle.kind, each.handle.value))
        if named is not None and named.customer is not None:
            number = next(value for name, value in self._numbers if holds(named, [(name, value)]))
            found.setdefault(named.customer, ("order_or_parcel", None, number))
        found.pop(customer.id or events.CustomerId(""), None)
        return [
            SuggestedCustomer(await _customer(reading, who), reason, kind, value)
            for who, (reason, kind, value) in list(found.items())[:HINTS_MAX]
        ]


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
    if any(each.kind == "reference" or speaks(policy, each) for each in known):
        return known
    return [handles.reference(event.open.contact_id), *known]
