"""Contact events from CONTACTS: find their conversation, decide, append.

Each is decided once, however often it comes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

import structlog
from msgspec.structs import replace

from services.router.clerk import Clerk
from services.router.domain.contacts import find_place, opened_by, opens, take_in
from services.router.domain.decision import Case, Decision, Stamp
from services.router.domain.handover import ensure_packets
from services.router.domain.identify import (
    Looked,
    conversation_behind,
    customer_behind,
    identifies,
    lookup_token,
)
from shared import aggregates, events, subjects
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.errors import LedgerConflict, NotAnEvent
from shared.policy import Policy

CONVERSATIONS_CONSIDERED = 8
"""Newest conversations of a customer that a contact may join."""
RECORD_RETRIES = 20

log = structlog.get_logger("router.intake")


class KnownIds(Protocol):
    """Asks history whether an event id was ever recorded."""

    async def known(self, tenant: str, event_id: str, position: int) -> bool:
        """Raises: ViewUnavailable while history is away: the event waits."""
        ...


class Intake:
    """Takes contact events in. `window`: how long the ledger remembers message ids."""

    def __init__(self, clerk: Clerk, history: KnownIds, window: timedelta) -> None:
        self._clerk = clerk
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
            raise NotAnEvent(type=event.type)

    # -- customers ------------------------------------------------------------------------------------

    async def _inbound(self, event: events.InboundEvent) -> None:
        stamp = self._stamp(event)
        looking = _Looking(self._clerk, stamp, event)
        if await looking.seen_before() or await self._recorded_long_ago(event):
            log.info("contact_event_repeated", event_id=event.id)
            return

        def judge(case: Case) -> list[events.AnyEvent]:
            if looking.seen:
                return []
            decision = Decision(case, stamp)
            take_in(decision, event, looking.place, looking.looked)
            ensure_packets(case.conversation.packet.id, decision.events)
            return decision.events

        await self._clerk.change(event.tenant, looking.load, judge)

    async def _recorded_long_ago(self, event: events.InboundEvent) -> bool:
        """Ask history about events that the streams may have forgotten: old ones, and all without a signed time."""
        age = (
            None
            if event.open.provider_time is None
            else self._clerk.clock.now() - event.open.provider_time
        )
        if age is not None and timedelta(0) <= age < self._window / 2:
            return False
        position = await self._clerk.store.position()
        return await self._history.known(event.tenant, event.id, position)

    def _stamp(self, event: events.ContactEvent) -> Stamp:
        policy = self._clerk.policies.of(event.tenant)
        return Stamp(
            tenant=event.tenant,
            cause=event.id,
            sha256=None,
            now=self._clerk.clock.now(),
            occurred=event.occurred,
            actor=event.actor,
            policy=policy,
            policy_version=self._clerk.policy_version(event.tenant),
            raw=event.raw,
            traceparent=event.traceparent,
        )

    # -- outcomes and quarantine ------------------------------------------------------------------------

    async def _outcome(self, event: events.OutcomeEvent) -> None:
        """Record what became of a message to the customer, once."""
        if event.conversation is None:
            raise NotAnEvent(type=event.type)
        conversation_id, stamp = event.conversation, self._stamp(event)

        async def load(leader: bool) -> Case:
            return await self._clerk.case(event.tenant, conversation_id, leader=leader)

        def judge(case: Case) -> list[events.AnyEvent]:
            message = case.conversation.talk.outbound.get(event.open.message_id)
            if message is None or message.status != "requested":
                return []
            decision = Decision(case, stamp)
            decision.repeat(event)
            return decision.events

        await self._clerk.change(event.tenant, load, judge)

    async def _quarantine(self, event: events.PayloadQuarantined) -> None:
        """Record that a delivery could not be read, on its account, once."""
        aggregate = aggregates.account(event.open.channel, event.open.account)
        position = await self._clerk.store.position()
        if await self._history.known(event.tenant, event.id, position):
            return
        mine = replace(event, aggregate=aggregate, recorded=self._clerk.clock.now())
        for _ in range(RECORD_RETRIES):
            journal = await self._clerk.store.journal(event.tenant, aggregate)
            if event.id in journal.seen:
                return
            try:
                await self._clerk.store.record(event.tenant, aggregate, journal.sequence, mine)
            except LedgerConflict:
                continue
            log.warning("payload_quarantined", code=event.open.code, account=event.open.account)
            return
        raise LedgerConflict(aggregate=aggregate)


class _Looking:
    """Finds what one contact event concerns: who it is, and where it belongs."""

    def __init__(self, clerk: Clerk, stamp: Stamp, event: events.InboundEvent) -> None:
        self._clerk = clerk
        self._stamp = stamp
        self._event = event
        self.seen = False
        self.looked: list[Looked] = []
        self.place = find_place(stamp.policy, event, None, [])

    async def seen_before(self) -> bool:
        """Tell whether a conversation at hand has the event already."""
        await self.load(False)
        return self.seen

    async def load(self, leader: bool) -> Case:
        """Return the case for the place that the event belongs to, as things stand."""
        tenant, store = self._stamp.tenant, self._clerk.store
        self.looked = await self._look(leader)
        customer = await self._customer(customer_behind(self._stamp.policy, self.looked), leader)
        known = [
            await store.known_conversation(tenant, each.conversation, leader=leader)
            for each in reversed(customer.conversations[-CONVERSATIONS_CONSIDERED:])
        ]
        referenced = await self._referenced(known, leader)
        if customer.id is None and referenced is not None:
            # Nothing else says who it is: whoever goes on with a matter is whose matter it was.
            customer = await self._customer(referenced.customer, leader)
        opened = await store.conversation(tenant, opened_by(self._stamp), leader=leader)
        everything = [*known, opened, *([referenced] if referenced else [])]
        self.seen = any(self._event.id in each.seen for each in everything)
        self.place = find_place(self._stamp.policy, self._event, referenced, known)
        if self.place.conversation is None:
            return await self._case(NEW_CONVERSATION, customer, leader)
        chosen = next(each for each in everything if each.id == self.place.conversation)
        if chosen.customer != customer.id:
            customer = await self._customer(chosen.customer, leader)
        return await self._case(chosen, customer, leader)

    async def _case(self, conversation: Conversation, customer: Customer, leader: bool) -> Case:
        tenant = self._stamp.tenant
        return Case(
            conversation=conversation,
            customer=customer,
            agents=await self._clerk.agents_of(tenant, conversation, leader=leader),
            identities={each.hash: each.identity for each in self.looked},
        )

    async def _look(self, leader: bool) -> list[Looked]:
        key = self._clerk.lookup_key(self._stamp.tenant)
        found = []
        for handle in handles_of(self._stamp.policy, self._event):
            token = lookup_token(key, handle)
            identity = await self._clerk.store.identity(self._stamp.tenant, token, leader=leader)
            found.append(Looked(handle, token, identity))
        return found

    async def _customer(self, customer_id: events.CustomerId | None, leader: bool) -> Customer:
        if customer_id is None:
            return UNKNOWN_CUSTOMER
        tenant = self._stamp.tenant
        return await self._clerk.store.known_customer(tenant, customer_id, leader=leader)

    async def _referenced(
        self,
        known: list[Conversation],
        leader: bool,
    ) -> Conversation | None:
        """Return the conversation that has this contact already, or that a reply or reference names."""
        contact_id = self._event.open.contact_id
        holding = next((each for each in known if contact_id in each.contacts.by_id), None)
        if holding is not None and (not holding.resolved or not opens(self._event)):
            return holding
        named = self._named()
        if named is None or not subjects.is_token(named):
            return None
        tenant = self._stamp.tenant
        found = await self._clerk.store.known_conversation(tenant, named, leader=leader)
        return found if found.id is not None else None

    def _named(self) -> events.ConversationId | None:
        if (
            isinstance(self._event, events.MessageReceived)
            and self._event.open.in_reply_to is not None
        ):
            return self._event.open.in_reply_to
        return conversation_behind(self.looked)


def handles_of(policy: Policy, event: events.InboundEvent) -> list[events.Handle]:
    """Return the handles of a contact; where nothing says who it is, the contact itself is its reference."""
    handles = list(event.personal.handles) if event.personal else []
    if any(each.kind == "reference" or identifies(policy, each) for each in handles):
        return handles
    return [events.Handle(kind="reference", value=event.open.contact_id), *handles]
