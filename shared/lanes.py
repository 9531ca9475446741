"""In which lane a contact event is decided, when contacts come faster than they are decided. Pure.

The writer of CONTACTS chooses it by the partition, and within it its tenant's part: so a policy that chooses otherwise,
or a tenant more, moves nothing that stands there already.
"""

from collections.abc import Callable, Mapping, Sequence

from shared import events, streams
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


Partitions = Callable[[events.ContactEvent], Sequence[int]]
"""Says in which partitions of CONTACTS a contact event may stand. Raises: TenantUnknown."""


def partitions_of(policies: Policies) -> Partitions:
    """Return what says the partitions by the policies in force: of the event's lane the part of its tenant."""

    def of(event: events.ContactEvent) -> Sequence[int]:
        lane, tenants = lane_of(event, policies.of(event.tenant)), policies.tenants()
        return streams.contact_partitions(lane, tenants.index(event.tenant), len(tenants))

    return of


def lane_of(event: events.ContactEvent, policy: Policy | None = None) -> events.Lane:
    """Return the lane of a contact event. What was imported is over, and nobody waits for it."""
    if event.imported:
        return "bulk"
    medium: events.Medium | None = getattr(event.open, "medium", None)
    if medium is None:
        return "written"
    return (policy.lanes.get(medium) if policy else None) or USUAL[medium]
