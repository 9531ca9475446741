"""The lines of those who wait: everybody in one line waits for the same people, longest waiting first."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from services.router.domain.asking import Asked, Group
from shared import events

Key = tuple[str, events.ConversationId]
"""A tenant and one of its conversations."""


class Line(NamedTuple):
    """Who may be asked. `rings`: at the owner alone, who needs no free slot for what is hers."""

    tenant: str
    asked: Asked
    rings: bool

    @property
    def whom(self) -> str | Group:
        """The one agent, or the group: a line knows its agents by that, however many they are."""
        return self.asked.group if self.asked.one is None else self.asked.one


class Place(NamedTuple):
    """A place in a line."""

    since: datetime
    key: Key


class Lines:
    """All lines; a conversation stands in one at most, and a line in which nobody stands is forgotten."""

    def __init__(self) -> None:
        self._places: dict[Line, list[Place]] = {}
        self._standing: dict[Key, tuple[Line, Place]] = {}
        self._before: dict[tuple[str, str | Group], set[Line]] = {}

    def put(self, line: Line, place: Place) -> None:
        """Let a conversation stand here, and nowhere else."""
        if self._standing.get(place.key) == (line, place):
            return
        self.leave(place.key)
        if line not in self._places:
            self._places[line] = []
            self._before.setdefault((line.tenant, line.whom), set()).add(line)
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
            self._before[line.tenant, line.whom].discard(line)

    def of(self, key: Key) -> Line | None:
        """Return the line in which a conversation stands."""
        standing = self._standing.get(key)
        return None if standing is None else standing[0]

    def before(self, tenant: str, agent: events.AgentId, groups: Iterable[Group]) -> set[Line]:
        """Return the lines in which somebody waits for this agent, among others of her groups."""
        whom: list[str | Group] = [agent, *groups]
        every = (line for each in whom for line in self._before.get((tenant, each), ()))
        return {line for line in every if agent not in line.asked.without}

    def lengths(self) -> Iterator[tuple[Line, int, datetime]]:
        """Yield how many stand in each line, and since when the first of them does."""
        for line, places in self._places.items():
            yield line, len(places), places[0].since

    def places(self, line: Line) -> Sequence[Place]:
        """Return who stands in a line, longest waiting first."""
        return self._places.get(line, ())
