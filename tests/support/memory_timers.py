"""Timers in memory: the twin of `shared.arming.NatsTimers`."""

from datetime import datetime

from shared import subjects
from shared.arming import check
from shared.timers import Timer


class MemoryTimers:
    """The twin: `armed` in order; `due(now)` takes out and returns what would have fired."""

    def __init__(self) -> None:
        self._armed: dict[str, Timer] = {}

    @property
    def armed(self) -> list[Timer]:
        """Return what is armed, earliest first."""
        return sorted(self._armed.values(), key=lambda timer: timer.due)

    async def arm(self, timer: Timer) -> None:
        """See `Timers.arm`."""
        check(timer)
        self._armed[_subject(timer)] = timer

    def due(self, now: datetime) -> list[Timer]:
        """Take out and return the timers whose time has come, earliest first."""
        fired = [timer for timer in self.armed if timer.due <= now]
        for timer in fired:
            del self._armed[_subject(timer)]
        return fired


def _subject(timer: Timer) -> str:
    return subjects.timer(timer.tenant, timer.aggregate, timer.kind, timer.id)
