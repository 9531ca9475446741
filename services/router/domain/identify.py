"""Who is it? Handles lead to customers, references to contacts.

Only the keyed hash of a handle stands in a subject: without the tenant's lookup key nobody can ask the ledger
whether it knows a phone number.
"""

import re
from collections.abc import Sequence

from services.router.domain.decision import Decision, ResolvedHandle
from shared import aggregates, events, ids
from shared.policy import Policy


def lookup_token(key: bytes, handle: events.Handle) -> str:
    """Return the keyed hash under which a handle is claimed."""
    return ids.keyed_hash(key, handle.kind, handle.value)


def identifies(policy: Policy, handle: events.Handle) -> bool:
    """Tell whether a handle may say who somebody is.

    References lead to contacts only; own addresses and what the policy lists belong to no single person.
    """
    if handle.kind == "reference":
        return False
    own = {account.address for account in policy.accounts.values() if account.address}
    if handle.value in own:
        return False
    return not any(re.search(pattern, handle.value) for pattern in policy.never_identifies)


def customer_behind(policy: Policy, handles: Sequence[ResolvedHandle]) -> events.CustomerId | None:
    """Return whose handles these are: a handle proved in this delivery speaks first, then the order given."""
    speaking = [
        each for each in handles if identifies(policy, each.handle) and each.identity.customer
    ]
    speaking.sort(key=lambda each: not each.handle.verified)
    return speaking[0].identity.customer if speaking else None


def conversation_behind(handles: Sequence[ResolvedHandle]) -> events.ConversationId | None:
    """Return the conversation that a reference among the handles leads to."""
    references = (each for each in handles if each.handle.kind == "reference")
    return next(
        (each.identity.conversation for each in references if each.identity.conversation), None
    )


def claim(
    decision: Decision,
    resolved: ResolvedHandle,
    customer: events.CustomerId,
    conversation: events.ConversationId | None,
) -> None:
    """Decide that a handle belongs to a customer, unless the ledger says so already."""
    held = resolved.identity
    if held.customer == customer and held.conversation == conversation:
        return
    decision.emit(
        events.IdentityClaimed,
        aggregates.IDENTITY.of(resolved.hash),
        events.IdentityClaimedOpen(
            customer=customer,
            kind=resolved.handle.kind,
            verified=resolved.handle.verified,
            conversation=conversation,
        ),
        conversation=conversation,
        customer=customer,
    )
