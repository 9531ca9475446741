"""The lines of those who wait: everybody in one line waits for the same people, by her virtual start.

That is when she came, less the seconds that her priority is worth (Genesys Cloud adds them to the time in queue): who
waits gets ahead of whoever comes later, whatever her priority, after that many seconds at most.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from services.router.domain.asking import Asked
from services.router.domain.pool import Pool
from shared import events

Key = tuple[str, events.ConversationId]
"""A tenant and one of its conversations."""


class Line(NamedTuple):
    """Who may be asked. `rings`: at the owner alone, who needs no free slot for what is hers."""

    tenant: str
    asked: Asked
    rings: bool

    @property
    def whom(self) -> str | Pool:
        """The one agent, or the pool: a line knows its agents by that, however many they are."""
        return self.asked.pool if self.asked.one is None else self.asked.one


class Place(NamedTuple):
    """A place in a line. `start`: when she came, less her priority: by that she is served; `since`: when she came."""

    start: datetime
    key: Key
    since: datetime


class Lines:
    """All lines; a conversation stands in one at most, and a line in which nobody stands is forgotten."""

    def __init__(self) -> None:
        self._places: dict[Line, list[Place]] = {}
        self._standing: dict[Key, tuple[Line, Place]] = {}
        self._before: dict[tuple[str, str | Pool], set[Line]] = {}

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

    def before(self, tenant: str, agent: events.AgentId, pools: Iterable[Pool]) -> set[Line]:
        """Return the lines in which somebody waits for this agent, among others of her pools."""
        whom: list[str | Pool] = [agent, *pools]
        every = (line for each in whom for line in self._before.get((tenant, each), ()))
        return {line for line in every if agent not in line.asked.without}

    def lengths(self) -> Iterator[tuple[Line, int, datetime]]:
        """Yield how many stand in each line, and since when the first of them does."""
        for line, places in self._places.items():
            yield line, len(places), min(place.since for place in places)

    def places(self, line: Line) -> Sequence[Place]:
        """Return who stands in a line, whose turn it is first."""
        return self._places.get(line, ())


class Held:
    """Who waits for the agent who had her last, by agent, while that time lasts."""

    def __init__(self) -> None:
        self._by_agent: dict[tuple[str, events.AgentId], set[Key]] = {}
        self._of: dict[Key, events.AgentId] = {}

    def put(self, key: Key, agent: events.AgentId | None) -> None:
        """Let a conversation wait for this agent, or for nobody."""
        before = self._of.pop(key, None)
        if before is not None:
            self._by_agent[key[0], before].discard(key)
        if agent is not None:
            self._of[key] = agent
            self._by_agent.setdefault((key[0], agent), set()).add(key)

    def by(self, tenant: str, agent: events.AgentId) -> list[Key]:
        """Return which conversations wait for her."""
        return sorted(self._by_agent.get((tenant, agent), ()))
