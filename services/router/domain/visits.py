"""What a customer did last on the shop's pages, made of what is kept of her visitor. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from services.router.domain.decision import Decision
from shared import events, proof
from shared.events.packet import Visit
from shared.last_visit import fit_visit
from shared.policy import Policy
from shared.visits import VisitorLink

VISIT_ENDS_AFTER = timedelta(minutes=30)
"""After a longer silence it is another visit: the session of web analytics (Google Analytics' default, from memory)."""
HANDLES_ASKED = 8


def surest(
    found: Sequence[tuple[events.Handle, VisitorLink]],
) -> tuple[events.Handle, VisitorLink] | None:
    """Return the visitor who is most surely the customer, the first of several; `None` without one.

    What only a call tells of her goes behind what the pages have seen.
    """
    return max(
        found,
        key=lambda each: (not each[1].by_call, proof.RANK[degree_of(*each)]),
        default=None,
    )


def as_trusted(policy: Policy, link: VisitorLink) -> VisitorLink:
    """Return a link as the policy trusts the pages, as `proof.judged` does a contact: some tell from a server only."""
    own = proof.WORTH["site"]
    return link if link.proof != own else replace(link, proof=policy.proof.get("site", own))


def degree_of(handle: events.Handle, link: VisitorLink) -> events.Proof:
    """Return how well it is proved that a visitor is who has a handle: no better than either of the two."""
    return min((proof.of(handle), link.proof), key=lambda each: proof.RANK[each])


def last_visit(
    seen: Sequence[events.VisitSummarised], handle: events.Handle, degree: events.Proof
) -> Visit | None:
    """Return the last visit and what lies in the cart since; `None` when nothing is kept.

    `seen`: of one visitor, as stored: repetitions are passed over, and the order is that in which it happened. The cart
    outlives a visit: it is what all that is kept makes of it.
    """
    once: dict[str, events.VisitSummarised] = {}
    for event in seen:
        once.setdefault(event.id, event)
    ordered = sorted(once.values(), key=lambda event: event.happened)
    if not ordered:
        return None
    last = _of_last_visit(ordered)
    told = [each.personal for each in last if each.personal]
    pages = [page for each in told for page in each.pages]
    visit = Visit(
        began=last[0].happened,
        ended=last[-1].happened,
        pages=[page for n, page in enumerate(pages) if n == 0 or page != pages[n - 1]],
        cart=_cart(ordered),
        campaign=next((each.campaign for each in reversed(told) if each.campaign), []),
        did=[what for each in told for what in each.did],
        known_by=handle.kind,
        proof=degree,
    )
    return fit_visit(visit)


def note_visit(decision: Decision, contact_id: events.ContactId) -> None:
    """Decide what she did last on the pages, as it was found for this contact, unless the conversation knows it."""
    visit = decision.loaded.visit
    if visit is None or visit == decision.conversation.visit:
        return
    decision.on_conversation(
        events.VisitNoted,
        events.VisitNotedOpen(
            contact_id=contact_id,
            known_by=visit.known_by,
            proof=visit.proof,
            ended=visit.ended,
            pages=len(visit.pages),
            in_cart=len(visit.cart),
        ),
        events.VisitNotedPersonal(visit=visit),
    )


def _of_last_visit(ordered: Sequence[events.VisitSummarised]) -> list[events.VisitSummarised]:
    last = [ordered[-1]]
    for event in reversed(ordered[:-1]):
        if last[-1].happened - event.happened > VISIT_ENDS_AFTER:
            break
        last.append(event)
    return last[::-1]


def _cart(ordered: Sequence[events.VisitSummarised]) -> list[str]:
    """Return what lies in the cart: each event adds to it, takes from it, says all of it, or orders it."""
    cart: list[str] = []
    for personal in (each.personal for each in ordered if each.personal):
        match personal.cart_is:
            case "added":
                cart += [name for name in personal.cart if name not in cart]
            case "removed":
                cart = [name for name in cart if name not in personal.cart]
            case "whole":
                cart = list(personal.cart)
            case "ordered":
                cart = []
            case None:
                cart = list(personal.cart) or cart
    return cart
