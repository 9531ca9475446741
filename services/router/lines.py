"""The lines of those who wait: everybody in one line waits for the same people, longest waiting first."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared import events

Key = tuple[str, events.ConversationId]
"""A tenant and one of its conversations."""


class Line(NamedTuple):
    """Who may be asked. `rings`: at the owner alone, who needs no free slot for what is hers."""

    tenant: str
    agents: tuple[events.AgentId, ...]
    rings: bool


class Place(NamedTuple):
    """A place in a line."""

    since: datetime
    key: Key


class Lines:
    """All lines; a conversation stands in one at most, and a line in which nobody stands is forgotten."""

    def __init__(self) -> None:
        self._places: dict[Line, list[Place]] = {}
        self._standing: dict[Key, tuple[Line, Place]] = {}
        self._before: dict[tuple[str, events.AgentId], set[Line]] = {}

    def put(self, line: Line, place: Place) -> None:
        """Let a conversation stand here, and nowhere else."""
        if self._standing.get(place.key) == (line, place):
            return
        self.leave(place.key)
        if line not in self._places:
            self._places[line] = []
            for agent in line.agents:
                self._before.setdefault((line.tenant, agent), set()).add(line)
        insort(self._places[line], place)
        self._standing[place.key] = line, place

    def leave(self, key: Key) -> None:
        """Let a conversation stand in no line."""
        line, place = self._standing.pop(key, (None, None))
        if line is None or place is None:
            return
        places = self._places[line]
        del places[bisect_left(places, place)]
        if not places:
            del self._places[line]
            for agent in line.agents:
                self._before[line.tenant, agent].discard(line)

    def of(self, key: Key) -> Line | None:
        """Return the line in which a conversation stands."""
        standing = self._standing.get(key)
        return None if standing is None else standing[0]

    def before(self, tenant: str, agent: events.AgentId) -> frozenset[Line]:
        """Return the lines in which somebody waits for this agent, among others."""
        return frozenset(self._before.get((tenant, agent), ()))

    def places(self, line: Line) -> Sequence[Place]:
        """Return who stands in a line, longest waiting first."""
        return self._places.get(line, ())
