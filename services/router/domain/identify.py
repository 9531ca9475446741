"""Who is it? Handles lead to customers, references to contacts."""

from collections.abc import Iterable, Sequence
from typing import cast

from services.router.domain.decision import Decision, ResolvedHandle
from shared import aggregates, events, patterns, proof
from shared.conversation import Contact
from shared.customer import Customer
from shared.events.packet import Known
from shared.own_domains import is_own
from shared.policy import Policy


def as_handle(known: Known) -> events.Handle:
    """Return what a customer is known by as a contact would bring it along."""
    kind = cast("events.HandleKind", known.kind)
    return proof.with_proof(events.Handle(kind=kind, value=known.value), proof.of(known))


def identifies(policy: Policy, handle: events.Handle) -> bool:
    """Tell whether a handle may say who somebody is, once it is proved well enough.

    References lead to contacts only; own addresses, all addresses of our own domains, and what the policy lists belong
    to no single person.
    """
    if handle.kind == "reference":
        return False
    own = [account.address for account in policy.accounts.values() if account.address]
    if handle.value in own or (handle.kind == "email" and is_own(handle.value, own)):
        return False
    return not any(patterns.is_in(pattern, handle.value) for pattern in policy.never_identifies)


def speaks(policy: Policy, handle: events.Handle) -> bool:
    """Tell whether a handle says by itself who somebody is: a claim never does."""
    return identifies(policy, handle) and proof.of(handle) != "claimed"


def speaking(policy: Policy, handles: Iterable[ResolvedHandle]) -> list[ResolvedHandle]:
    """Return the handles that say who somebody is, the best proved first, else in the order given."""
    found = [each for each in handles if speaks(policy, each.handle)]
    return sorted(found, key=lambda each: -proof.RANK[proof.of(each.handle)])


def customer_behind(policy: Policy, handles: Sequence[ResolvedHandle]) -> events.CustomerId | None:
    """Return whose handles these are; where two disagree, the one that is proved better decides.

    An answer from an address to which an agent wrote, and which nobody holds, is that customer's.
    """
    heard = speaking(policy, handles)
    held = (each.identity.customer for each in heard if each.identity.customer)
    answered = (each.identity.addressed for each in heard if not each.identity.holders)
    return next(held, None) or next((each[0] for each in answered if each), None)


def conversation_behind(
    policy: Policy, handles: Sequence[ResolvedHandle]
) -> events.ConversationId | None:
    """Return the conversation that a reference leads to, else the one from which an agent wrote to a handle."""
    references = (each for each in handles if each.handle.kind == "reference")
    named = (each.identity.conversation for each in references if each.identity.conversation)
    written_from = (
        each.identity.addressed[1]
        for each in speaking(policy, handles)
        if each.identity.addressed and not each.identity.holders
    )
    return next(named, None) or next(written_from, None)


def is_known(customer: Customer) -> bool:
    """Tell whether anything more than a claim says who a customer is."""
    known = any(proof.of(each) != "claimed" for each in customer.handles)
    return known or not customer.provisional


def is_nobody_yet(customer: Customer, handles: Sequence[ResolvedHandle]) -> bool:
    """Tell whether nothing says who a customer is, or only a claim of a handle that is among these."""
    given = {(each.handle.kind, each.handle.value) for each in handles}
    return customer.provisional and all(
        proof.of(each) == "claimed" and (each.kind, each.value) in given
        for each in customer.handles
    )


def is_somebody_else(policy: Policy, customer: Customer, handles: Sequence[ResolvedHandle]) -> bool:
    """Tell whether a handle that nobody holds is of another person than the customer, by the same proof or a better.

    The customer is known by another handle of its kind: one browser, one line, two people.
    """
    return any(
        each.kind == heard.handle.kind
        and each.value != heard.handle.value
        and proof.of(each) != "claimed"
        and not proof.stronger(proof.of(each), proof.of(heard.handle))
        for heard in speaking(policy, handles)
        if not heard.identity.holders
        for each in customer.handles
    )


def is_on(contact: Contact, handles: Sequence[ResolvedHandle]) -> bool:
    """Tell whether whoever has these handles is the one who wrote or called last on a contact."""
    known = {(each.kind, each.value) for each in contact.handles}
    return any((each.handle.kind, each.handle.value) in known for each in handles)


def was_on(customer: Customer, contact: Contact | None) -> bool:
    """Tell whether the customer herself was on a contact, as far as anybody is known by more than a claim."""
    if contact is None:
        return False
    known = {(each.kind, each.value) for each in customer.handles if proof.of(each) != "claimed"}
    return not known or any((each.kind, each.value) in known for each in contact.handles)


def claim(
    decision: Decision,
    resolved: ResolvedHandle,
    customer: events.CustomerId,
    conversation: events.ConversationId | None,
) -> None:
    """Decide that a handle belongs to a customer, unless the ledger says so already, and as well proved."""
    held, degree = resolved.identity, proof.of(resolved.handle)
    known = (held.customer, held.conversation) == (customer, conversation)
    if known and (conversation is not None or not proof.stronger(degree, held.proof)):
        return
    decision.emit(
        events.IdentityClaimed,
        aggregates.IDENTITY.of(resolved.hash),
        events.IdentityClaimedOpen(
            customer=customer,
            kind=resolved.handle.kind,
            verified=degree == "proved",
            conversation=conversation,
            proof=None if resolved.handle.kind == "reference" else degree,
        ),
        conversation=conversation,
        customer=customer,
    )


def learn(
    decision: Decision,
    resolved: ResolvedHandle,
    customer: events.CustomerId,
    contact_id: events.ContactId | None,
) -> None:
    """Decide that the customer is known by this handle from now on, and that it leads to her."""
    know(decision, resolved, customer, contact_id)
    claim(decision, resolved, customer, None)


def know(
    decision: Decision,
    resolved: ResolvedHandle,
    customer: events.CustomerId,
    contact_id: events.ContactId | None,
) -> None:
    """Decide that the customer is known by this handle, as well as it is proved, unless she is already."""
    handle, degree = resolved.handle, proof.of(resolved.handle)
    before = next(
        (
            each
            for each in decision.customer.handles
            if (each.kind, each.value) == (handle.kind, handle.value)
        ),
        None,
    )
    if before is None or proof.stronger(degree, proof.of(before)):
        decision.emit(
            events.HandleLearned,
            aggregates.CUSTOMER.of(customer),
            events.HandleLearnedOpen(proof=degree, contact_id=contact_id),
            events.HandleLearnedPersonal(kind=handle.kind, value=handle.value),
            customer=customer,
        )
