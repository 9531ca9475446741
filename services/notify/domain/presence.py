"""The fold of `agent-<id>` as far as notify looks at it: whether she is there to see what she is told."""

import msgspec

from shared import events


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """`sequence`: of the last folded event."""

    status: events.AgentStatus = "signed_out"
    sequence: int = 0


ABSENT = Presence()


def evolve(presence: Presence, sequence: int, event: events.AnyEvent) -> Presence:
    """Return the presence after one event of an agent. It never fails."""
    match event:
        case events.AgentSignedIn():
            return Presence(status="available", sequence=sequence)
        case events.AgentStatusSet():
            return Presence(status=event.open.status, sequence=sequence)
        case _:
            return Presence(status=presence.status, sequence=sequence)
