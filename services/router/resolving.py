"""Where a contact event belongs: looks up who it is, and which conversation it joins. Decides nothing."""

from dataclasses import replace

import msgspec

from services.router.cases import CONVERSATIONS_CONSIDERED, Cases
from services.router.domain import folds, references
from services.router.domain.contacts import (
    find_place,
    opened_by,
    opened_for,
    opens,
    takes,
    wants_answer,
)
from services.router.domain.decision import (
    Loaded,
    Origin,
    Place,
    ResolvedHandle,
    SuggestedCustomer,
)
from services.router.domain.facts import holds, number_handle, right_to, same_value
from services.router.domain.identify import (
    conversation_behind,
    customer_behind,
    identifies,
    is_nobody_yet,
    is_on,
    is_somebody_else,
    speaking,
    speaks,
)
from services.router.domain.importing import remembered
from services.router.domain.statements import numbers_in, told
from shared import deciding, events, subjects, tasks
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.policy import Policy

HINTS_MAX = 4
"""So many people who may be meant are looked up."""


class Resolving:
    """Finds the customer and the conversation of a contact event.

    `seen`: a conversation at hand has the event already; `place`: see `find_place`. Both are of the last reading.
    """

    def __init__(self, cases: Cases, origin: Origin, event: events.InboundEvent) -> None:
        self._cases = cases
        self._policy = origin.policy
        self._origin = origin
        self._event = event
        self._told = told(origin.policy, event)
        self._numbers = numbers_in(origin.policy, self._told)
        self.seen = False
        self._contact: ResolvedHandle | None = None
        self.place = Place(None, "join.none_open")

    async def load(self, reading: deciding.Reading) -> Loaded:
        """Return what belongs to the place of the event, as things stand."""
        await self._ahead(reading)
        resolved = await self._handles(reading)
        numbers = await self._cases.handles(
            reading, [number_handle(*each) for each in self._numbers]
        )
        named = await self._named(reading, numbers)
        customer = await self._person(reading, resolved, named)
        latest = [each.conversation for each in customer.conversations[-CONVERSATIONS_CONSIDERED:]]
        attached = await reading.load_all_named(folds.CONVERSATION, reversed(latest))
        # What turned out to be another's is hers no longer, but may have the event.
        known = [each for each in attached if each.customer in {None, customer.id}]
        referenced = await self._referenced(reading, customer, known, resolved)
        if customer.id is None and referenced is not None:
            # Nothing else says who it is: whoever goes on with a matter is whose matter it was.
            customer = await _customer(reading, referenced.customer)
        trusted = self._event.open.medium in self._policy.named_matters
        nobody = customer.id is None and not any(
            each.identity.holders for each in speaking(self._policy, resolved)
        )
        joined = named if nobody and trusted and wants_answer(self._event, None) else None
        earlier = await self._mentioned(reading, resolved)
        self.place = find_place(
            self._policy,
            self._event,
            referenced,
            [*known, *([joined] if joined else [])],
            self._numbers,
        )
        opened = await self._opened(reading)
        everything = [*attached, opened, *earlier, *(each for each in (referenced, joined) if each)]
        elsewhere = await self._told_in(reading, resolved)
        self.seen = any(self._event.id in each.seen for each in (*everything, *elsewhere))
        begun = await self._begun_by_nobody(reading, earlier, customer, resolved)
        if begun is not None:
            loaded = await self._linked(reading, begun, customer, resolved, numbers)
            return replace(loaded, contact=self._contact, told=self._told)
        chosen = NEW_CONVERSATION
        if self.place.conversation is not None:
            chosen = next(each for each in everything if each.id == self.place.conversation)
            if chosen.customer != customer.id:
                customer = await _customer(reading, chosen.customer)
        agents = await self._cases.agents_of(reading, chosen)
        if self.place.conversation is None and customer.id is None:
            reading.new(folds.CUSTOMER, opened_for(self._origin))
        hints = await self._hints(reading, customer, resolved, named)
        loaded = Loaded(chosen, customer, agents, resolved, numbers=numbers, hints=hints)
        hers = referenced is not None and referenced.customer == customer.id
        new = referenced is None and not self._event.imported
        after = referenced if referenced is not None and hers else NEW_CONVERSATION
        after = remembered(known) if new else after
        joins = chosen.id is not None and self._event.open.contact_id not in chosen.contacts.by_id
        said = await self._cases.announcements(reading) if joins else None
        loaded = replace(loaded, contact=self._contact, after=after, announcements=said)
        loaded = replace(loaded, hers=known or [after])
        owners = [each.ownership.last_owner for each in known if each.id != chosen.id]
        return replace(loaded, told=self._told, last_agent=next(filter(None, owners), None))

    async def _ahead(self, reading: deciding.Reading) -> None:
        """Load side by side what is looked at whoever it is."""
        asked = [
            *handles_of(self._policy, self._event),
            *(number_handle(*each) for each in self._numbers),
            *self._itself(),
        ]
        await self._cases.handles(reading, asked)

    async def _opened(self, reading: deciding.Reading) -> Conversation:
        """Return the conversation that this event opened; where it is about to, the append proves that it has not."""
        name, news = opened_by(self._origin), not self._cases.may_be_known(self._event)
        if self.place.conversation is None and news and not reading.leader:
            reading.new(folds.CONVERSATION, name)
        return await reading.load(folds.CONVERSATION, name)

    def _itself(self) -> list[events.Handle]:
        """Return what leads to where this contact was told, first what is only for that."""
        itself = references.itself(self._event)
        contact = references.told_in(self._event.open.contact_id)
        return [contact, itself, references.as_before(self._event, itself)]

    async def _handles(self, reading: deciding.Reading) -> list[ResolvedHandle]:
        """Return the handles of the contact. References that lead nowhere are looked for as older ledgers have them."""
        found = await self._cases.handles(reading, handles_of(self._policy, self._event))
        return [
            await self._found_before(reading, each)
            if each.handle.kind == "reference" and not each.identity.conversations
            else each
            for each in found
        ]

    async def _found_before(
        self, reading: deciding.Reading, resolved: ResolvedHandle
    ) -> ResolvedHandle:
        """Follow a reference as older ledgers have it, to conversations of this very contact: its id has an account."""
        older = references.as_before(self._event, resolved.handle)
        (led,) = await self._cases.handles(reading, [older])
        hers = [
            name
            for name in led.identity.conversations
            if self._event.open.contact_id
            in (await reading.load_named(folds.CONVERSATION, name)).contacts.by_id
        ]
        return replace(
            resolved, identity=msgspec.structs.replace(resolved.identity, conversations=tuple(hers))
        )

    async def _told_in(
        self, reading: deciding.Reading, resolved: list[ResolvedHandle]
    ) -> list[Conversation]:
        """Return the conversations in which this contact was told, whoever holds its handles by now.

        Whoever tells it again tells what a router that died, or an adopted ledger, left unacknowledged (docs/adr/0038).
        """
        leading = await self._cases.handles(reading, self._itself())
        self._contact = leading[0]
        led = (each.identity.conversations for each in (*leading, *resolved))
        names = dict.fromkeys(name for conversations in led for name in conversations)
        found = await tasks.together(self._cases.going_on(reading, name) for name in names)
        return [each for going_on in found for each in going_on]

    async def _begun_by_nobody(
        self,
        reading: deciding.Reading,
        earlier: list[Conversation],
        customer: Customer,
        resolved: list[ResolvedHandle],
    ) -> Conversation | None:
        """Return the open conversation of this contact in which nobody said yet who she is, now that she does."""
        if customer.id is None:
            return None
        contact_id = self._event.open.contact_id
        for each in reversed(earlier):
            whose = await _customer(reading, each.customer)
            begun = contact_id in each.contacts.by_id and not each.resolved
            if begun and whose.id != customer.id and is_nobody_yet(whose, resolved):
                return each
        return None

    async def _linked(
        self,
        reading: deciding.Reading,
        begun: Conversation,
        whose: Customer,
        resolved: list[ResolvedHandle],
        numbers: list[ResolvedHandle],
    ) -> Loaded:
        """Return what belongs to a conversation that turns out to be this customer's."""
        self.place = Place(begun.id, "join.reference")
        customer = await _customer(reading, begun.customer)
        agents = await self._cases.agents_of(reading, begun)
        loaded = Loaded(begun, customer, agents, resolved, numbers=numbers, whose=whose)
        return await self._cases.with_matter(reading, loaded)

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
        return await reading.load_all_named(folds.CUSTOMER, list(names)[:HINTS_MAX])

    async def _referenced(
        self,
        reading: deciding.Reading,
        customer: Customer,
        known: list[Conversation],
        resolved: list[ResolvedHandle],
    ) -> Conversation | None:
        """Return the conversation with this contact, or the one named by a reply or reference.

        Whoever is known to write outweighs the session or thread that a browser or program kept; what is reported of a
        call belongs to the call.
        """
        contact_id = self._event.open.contact_id
        having = next((each for each in known if contact_id in each.contacts.by_id), None)
        holding = None if having is None else await self._followed(reading, having.id)
        if holding is not None and takes(holding, self._event):
            return holding
        found = await self._answered(reading, customer, resolved)
        if found is None:
            found = await self._followed(reading, await self._led_to(reading, resolved))
        if found is None or found.customer == customer.id:
            return found
        begun = found.contacts.by_id.get(contact_id)
        if begun is not None and not opens(self._event, begun):
            return found
        if customer.id is not None:
            return None
        whose = await _customer(reading, found.customer)
        new = begun is None or is_on(begun, resolved)
        return found if new or not is_somebody_else(self._policy, whose, resolved) else None

    async def _answered(
        self, reading: deciding.Reading, customer: Customer, resolved: list[ResolvedHandle]
    ) -> Conversation | None:
        """Return the conversation of the message that this one answers.

        An answer that does not prove it leads whoever is in the matter, and whoever names a message that was sent
        from it: anybody can compute the id of a conversation, that of a message only who received it.
        """
        answered = references.answered(self._event, self._cases.reply_keys[reading.tenant])
        if answered is None or not (answered.proved or self._policy.unmarked_replies):
            return None
        found = await self._followed(reading, answered.conversation)
        if found is None or answered.proved or found.customer == customer.id:
            return found
        if any(each in found.talk.outbound for each in answered.messages):
            return found
        contacts = found.contacts.by_id.values()
        return found if any(is_on(each, resolved) for each in contacts) else None

    async def _led_to(
        self, reading: deciding.Reading, resolved: list[ResolvedHandle]
    ) -> events.ConversationId | None:
        """Return the conversation that a reference leads to; a contact's own only whoever was on it.

        A mail's id is chosen by whoever writes it: who writes another mail under it goes on with nobody's.
        """
        own = references.itself(self._event)
        itself = next((each for each in resolved if each.handle == own), None)
        if itself is None:
            return conversation_behind(self._policy, resolved)
        others = [each for each in resolved if each is not itself]
        for name in reversed(itself.identity.conversations):
            told = await reading.load_named(folds.CONVERSATION, name)
            begun = told.contacts.by_id.get(self._event.open.contact_id)
            if begun is None:
                continue
            nameless = not others and not begun.handles
            if nameless or is_on(begun, others) or not opens(self._event, begun):
                return name
        return None

    async def _followed(
        self, reading: deciding.Reading, named: events.ConversationId | None
    ) -> Conversation | None:
        """Return a conversation by id, or the one in which it goes on by now; `None` for what is none."""
        if named is None or not subjects.is_token(named):
            return None
        *_, found = await self._cases.going_on(reading, named)
        return found if found.id is not None else None

    async def _mentioned(
        self, reading: deciding.Reading, resolved: list[ResolvedHandle]
    ) -> list[Conversation]:
        """Return the conversations of the same session, thread or call, whoever was on it."""
        names = [name for each in resolved for name in each.identity.conversations]
        return await reading.load_all_named(folds.CONVERSATION, names)

    async def _named(
        self, reading: deciding.Reading, numbers: list[ResolvedHandle]
    ) -> Conversation | None:
        """Return the only open conversation of the tenant that holds an order or parcel number of the contact.

        Those of whoever has the best right to the number count alone: what a stranger named blocks nobody.
        """
        names = dict.fromkeys(name for each in numbers for name in each.identity.conversations)
        found = {it.id: it for name in names if (it := await self._followed(reading, name))}
        holding: dict[int, list[Conversation]] = {}
        for each in found.values():
            if not each.resolved and holds(each, self._numbers):
                right = right_to(await _customer(reading, each.customer), self._numbers)
                holding.setdefault(right, []).append(each)
        best = holding[max(holding)] if holding else []
        return best[0] if len(best) == 1 else None

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


def handles_of(policy: Policy, event: events.InboundEvent) -> list[events.Handle]:
    """Return the handles of a contact; where nothing says who it is, the contact itself is its reference."""
    given = event.personal.handles if event.personal else []
    known = [references.within_account(event, each) for each in given]
    if any(each.kind == "reference" or speaks(policy, each) for each in known):
        return known
    return [references.itself(event), *known]
