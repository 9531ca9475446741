"""The fold of a customer: who she is, how she is known, which conversations she has."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import events, memory, proof
from shared.events.packet import Known, Order


class AttachedConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation of the customer and when one of her contacts last opened or joined it."""

    conversation: events.ConversationId
    last: datetime


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What she said last of being written to on a channel. `at`: when; `open`: of the event that says so."""

    given: bool
    at: datetime
    open: events.ConsentOpen


class Customer(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """All that is known of a customer.

    `id` is `None` while nothing was recorded; `external_id`: the shop's own; `consents`: by channel, where she said so;
    `ordered`: when an order changed last by the shop's time, where it said one.
    """

    id: events.CustomerId | None = None
    provisional: bool = True
    name: str | None = None
    salutation: str | None = None
    language: str | None = None
    handles: tuple[Known, ...] = ()
    orders: dict[str, Order] = {}
    ordered: dict[str, events.Instant] = {}
    conversations: tuple[AttachedConversation, ...] = ()
    external_id: str | None = None
    vip: bool = False
    consents: dict[str, Consent] = {}
    seen: memory.Memory = {}
    sequence: int = 0

    def withdrew(self, channel: str) -> bool:
        """Tell whether she must not be written to on a channel."""
        consent = self.consents.get(channel)
        return consent is not None and not consent.given


UNKNOWN_CUSTOMER = Customer()


def evolve(customer: Customer, sequence: int, event: events.AnyEvent) -> Customer:
    """Return the customer after one event of `cust-<id>`. It never fails; other types change nothing but memory."""
    changed = replace(
        customer, sequence=sequence, seen=memory.remember(customer.seen, sequence, event)
    )
    match event:
        case events.CustomerCreated():
            return _created(changed, event)
        case events.OrderChanged(personal=personal) if personal is not None:
            order = Order(
                number=personal.number, status=event.open.status, description=personal.description
            )
            at = event.open.provider_time
            return replace(
                changed,
                orders={**changed.orders, order.number: order},
                ordered=changed.ordered if at is None else {**changed.ordered, order.number: at},
            )
        case events.HandleLearned(personal=personal) if personal is not None:
            known = as_known(personal.kind, personal.value, event.open.proof)
            return replace(changed, handles=_with(changed.handles, known))
        case events.ConsentGiven() | events.ConsentWithdrawn():
            return replace(changed, consents=_said(changed.consents, event))
        case events.ConversationAttached():
            return replace(changed, conversations=_attached(changed.conversations, event))
        case _:
            return changed


def _attached(
    conversations: tuple[AttachedConversation, ...], event: events.ConversationAttached
) -> tuple[AttachedConversation, ...]:
    """Return the conversations with one as the latest; an imported one stands where it belongs by its time."""
    named = event.open.conversation
    others = tuple(each for each in conversations if each.conversation != named)
    if not event.imported:
        return (*others, AttachedConversation(conversation=named, last=event.recorded))
    place = bisect_right(others, event.happened, key=lambda each: each.last)
    imported = AttachedConversation(conversation=named, last=event.happened)
    return (*others[:place], imported, *others[place:])


def _said(
    consents: dict[str, Consent], event: events.ConsentGiven | events.ConsentWithdrawn
) -> dict[str, Consent]:
    """Return the consents with one more; what was said later stays, however late the other one is told.

    What she says of advertising alone keeps nobody from answering her.
    """
    known = consents.get(event.open.channel)
    if event.open.advertising or (known is not None and known.at > event.happened):
        return consents
    given = isinstance(event, events.ConsentGiven)
    consent = Consent(given=given, at=event.happened, open=event.open)
    return {**consents, event.open.channel: consent}


def fold(
    history: Iterable[tuple[int, events.AnyEvent]], start: Customer = UNKNOWN_CUSTOMER
) -> Customer:
    """Return the customer after (sequence, event) pairs in ledger order."""
    for sequence, event in history:
        start = evolve(start, sequence, event)
    return start


def _created(customer: Customer, event: events.CustomerCreated) -> Customer:
    """A later creation registers a provisional customer or tells anew: the handles known before stay hers."""
    personal = event.personal
    handles = tuple(as_known(*each) for each in (personal.handles if personal else []))
    for each in customer.handles:
        handles = _with(handles, each)
    return replace(
        customer,
        id=event.customer,
        provisional=event.open.provisional,
        language=event.open.language,
        name=personal.name if personal else None,
        salutation=personal.salutation if personal else None,
        external_id=personal.external_id if personal else None,
        vip=event.open.vip,
        handles=handles,
    )


def as_known(kind: str, value: str, degree: events.Proof | bool) -> Known:
    """Return a handle as it is kept; before there were degrees it was verified, or it was not."""
    if isinstance(degree, bool):
        degree = "proved" if degree else "delivered"
    return Known(kind=kind, value=value, verified=degree == "proved", proof=degree)


def _with(handles: tuple[Known, ...], given: Known) -> tuple[Known, ...]:
    """Return the handles with one more; of two of the same value the one that is proved better stays."""
    for place, each in enumerate(handles):
        if (each.kind, each.value) == (given.kind, given.value):
            if not proof.stronger(proof.of(given), proof.of(each)):
                return handles
            return (*handles[:place], given, *handles[place + 1 :])
    return (*handles, given)
