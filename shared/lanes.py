"""In which lane a contact event is decided, when contacts come faster than they are decided. Pure.

The writer of CONTACTS chooses it, so a policy that chooses otherwise moves nothing that stands there already.
"""

from collections.abc import Callable, Mapping

from shared import events
from shared.policies import Policies
from shared.policy import Policy

USUAL: Mapping[events.Medium, events.Lane] = {
    "call": "live",
    "chat": "live",
    "visit": "live",
    "message": "written",
    "mail": "written",
    "form": "written",
    "letter": "written",
    "shop": "bulk",
    "site": "bulk",
}
"""The lane of each medium, where the policy names no other."""


def lanes_of(policies: Policies) -> Callable[[events.ContactEvent], events.Lane]:
    """Return what says the lane of a contact event, by the policy of its tenant."""
    return lambda event: lane_of(event, policies.of(event.tenant))


def lane_of(event: events.ContactEvent, policy: Policy | None = None) -> events.Lane:
    """Return the lane of a contact event. What was imported is over, and nobody waits for it."""
    if event.imported:
        return "bulk"
    medium: events.Medium | None = getattr(event.open, "medium", None)
    if medium is None:
        return "written"
    return (policy.lanes.get(medium) if policy else None) or USUAL[medium]
