"""How well it is proved whose a handle is: three degrees, and what a medium's own word is worth. Pure.

`proved`: the shop's signature, a provider's account id, a caller whom the carrier vouches for, an agent's confirmation,
an answer from an address that we wrote to. `delivered`: what the network says, such as a caller's number or the sender
of a mail. `claimed`: typed, stated, or failed a check; it never says by itself who somebody is.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from shared import events
from shared.events.packet import Known
from shared.policy import Policy

RANK: Mapping[events.Proof, int] = {"claimed": 0, "delivered": 1, "proved": 2}

WORTH: Mapping[events.Medium, events.Proof] = {
    "call": "delivered",
    "message": "delivered",
    "mail": "delivered",
    "chat": "claimed",
    "form": "claimed",
    "visit": "claimed",
    "letter": "claimed",
    "shop": "delivered",
    "site": "claimed",
}
"""What a handle is worth that a medium brings along and nothing else speaks for or against."""

E = TypeVar("E", bound=events.InboundEvent)


def judged(policy: Policy, event: E) -> E:
    """Return a contact event with its handles as the policy trusts the medium.

    What a signature or a failed check says of a handle stays: only the medium's own word is moved up or down.
    """
    medium, personal = event.open.medium, event.personal
    trusted = policy.proof.get(medium)
    if personal is None or trusted is None or trusted == WORTH[medium]:
        return event
    moved: list[events.Handle] = [
        with_proof(each, trusted) if of(each) == WORTH[medium] else each
        for each in personal.handles
    ]
    changed: Any = replace(event.data, personal=replace(personal, handles=moved))
    return replace(event, data=changed)


def of(known: events.Handle | Known) -> events.Proof:
    """Return how well a handle is proved; what was recorded before there were degrees was verified or delivered."""
    return known.proof or ("proved" if known.verified else "delivered")


def with_proof(handle: events.Handle, proof: events.Proof) -> events.Handle:
    """Return the handle with another degree; a reference has none."""
    if handle.kind == "reference":
        return handle
    return replace(handle, proof=proof, verified=proof == "proved")


def stronger(one: events.Proof, other: events.Proof) -> bool:
    """Tell whether a degree outweighs another one."""
    return RANK[one] > RANK[other]
