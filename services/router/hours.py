"""Where in the ledger the hours began that are remembered still: what is older need not be read for its commands."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.commands import REMEMBERED, SKEW
from shared.ledger import Recorded

APART = timedelta(hours=1)


class Mark(NamedTuple):
    """Everything up to `sequence` was recorded at `recorded` or before."""

    recorded: datetime
    sequence: int


class Hours:
    """Marks of the ledger, an hour apart, as far back as a command is remembered, and one before."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self._latest: Mark | None = None

    def begin(self, kept: Iterable[Mark]) -> None:
        """Begin with what was kept in a snapshot."""
        self.marks = list(kept)
        self._latest = self.marks[-1] if self.marks else None

    def kept(self) -> list[Mark]:
        """Return all marks, and one at the end of what was seen."""
        latest = self._latest
        return self.marks if latest is None or latest in self.marks else [*self.marks, latest]

    def see(self, recorded: Recorded) -> None:
        """Take one event in, in the ledger's order."""
        at, before = recorded.event.recorded, self._latest
        self._latest = Mark(at if before is None else max(at, before.recorded), recorded.sequence)
        if not self.marks or self._latest.recorded - self.marks[-1].recorded >= APART:
            self.marks.append(self._latest)
            forgotten = self._forgotten(self._latest.recorded)
            del self.marks[: max(0, forgotten - 1)]

    def after(self, now: datetime) -> int:
        """Return the sequence up to which no command is remembered any more; 0 where none is known."""
        forgotten = self._forgotten(now)
        return self.marks[forgotten - 1].sequence if forgotten else 0

    def _forgotten(self, now: datetime) -> int:
        horizon = now - REMEMBERED - SKEW
        return sum(1 for mark in self.marks if mark.recorded < horizon)
