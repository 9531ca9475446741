"""How fast something may go on: so many a minute, after a burst of as many."""

import time


class Pace:
    """Lets `per_minute` pass in a minute, after a burst of as many."""

    def __init__(self, per_minute: int) -> None:
        self._per_second = per_minute / 60
        self._most = float(per_minute)
        self._free = self._most
        self._since = time.monotonic()

    def take(self, count: int = 1) -> float:
        """Take so many and return how many seconds to wait before the next."""
        self._refill()
        self._free -= count
        return max(0.0, -self._free / self._per_second)

    def has_room(self) -> bool:
        """Tell whether one passes now."""
        self._refill()
        return self._free >= 1

    def is_overdrawn(self) -> bool:
        """Tell whether somebody took a minute's worth that was not there, without waiting."""
        self._refill()
        return self._free <= -self._most

    def _refill(self) -> None:
        now = time.monotonic()
        self._free = min(self._most, self._free + (now - self._since) * self._per_second)
        self._since = now
