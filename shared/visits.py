"""What passes by on a shop's pages, and how it stands in VISITS (docs/adr/0045). Pure.

On the subject of a visitor stand her newest events, on that of a handle the visitors that were said to be its owner.
Both are named by the keyed hash of `handles.lookup_token`: who lacks the tenant's lookup key cannot ask for a person.
"""

from collections.abc import Mapping
from typing import TypeGuard

import msgspec

from shared import events, handles
from shared.policies import ByTenant, Policies


class VisitorLink(msgspec.Struct, frozen=True, kw_only=True):
    """A visitor was said to be the owner of a handle. `visitor`: as in her subject; `proof`: how well it is proved;
    `by_call`: what a call's provider knows of who calls, as if she were a visitor of that call alone.
    """

    visitor: str
    proof: events.Proof
    by_call: bool = False


def passes(event: events.ContactEvent) -> TypeGuard[events.VisitSummarised]:
    """Tell whether an event is kept for some days only: what a visitor looked at or did; her own words are facts."""
    if not isinstance(event, events.VisitSummarised):
        return False
    return event.personal is None or not event.personal.text


def link_token(key: bytes, handle: events.Handle, *, by_call: bool) -> str:
    """Return how a handle's owner stands in subjects: who calls apart, so that she hides no visitor of the pages."""
    told = handles.own_reference("called", f"{handle.kind}:{handle.value}") if by_call else handle
    return handles.lookup_token(key, told)


def visitor_token(key: bytes, visitor: str) -> str:
    """Return how a visitor stands in subjects. `visitor`: what the pages call her."""
    return handles.lookup_token(key, handles.of("visitor", visitor, "claimed"))


def keys_of(policies: Policies, secrets: Mapping[str, str]) -> Mapping[str, bytes]:
    """Return by tenant the lookup key; an empty one where it has no value, and then the router finds nothing."""
    return ByTenant(policies, lambda policy: secrets.get(policy.lookup_secret, "").encode())
