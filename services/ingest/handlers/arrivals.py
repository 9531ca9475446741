"""Who is on the way in and has proved nothing yet; bounded per peer and in sum.

Over a limit not the newcomer is refused but the one that has waited longest: what comes at once never waits.
So a crowd of slow senders pushes out only itself. Who came a moment ago is spared where only its peer has too many:
on a busy day we may not have read yet what it sent.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

SPARED_SECONDS = 5.0


class Arrival:
    """One that is on the way in. `patience`: the time that it is given; over, it raises TimeoutError there."""

    def __init__(self, peer: str, patience: asyncio.Timeout) -> None:
        self.peer = peer
        self.since = asyncio.get_running_loop().time()
        self._patience = patience
        self._shown_out = False

    def wait_until(self, when: float) -> None:
        """Move the end of its time to an instant of the loop's clock, unless it was shown out."""
        if not self._shown_out:
            self._patience.reschedule(when)

    def show_out(self) -> None:
        """End its time now."""
        self._shown_out = True
        if not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time())


class Arrivals:
    """Those on the way in, the longest waiting first."""

    def __init__(self, *, most: int, most_of_a_peer: int) -> None:
        self._most = most
        self._most_of_a_peer = most_of_a_peer
        self._waiting: dict[Arrival, None] = {}
        self._of_peer: Counter[str] = Counter()

    @contextlib.contextmanager
    def one(self, peer: str, patience: asyncio.Timeout) -> Iterator[Arrival]:
        """Count one in until the block ends, or `leave`; it may be shown out meanwhile: TimeoutError in `patience`."""
        arrival = Arrival(peer, patience)
        self._waiting[arrival] = None
        self._of_peer[peer] += 1
        if len(self._waiting) > self._most:
            self._show_out(next(iter(self._waiting)))
        elif self._of_peer[peer] > self._most_of_a_peer:
            oldest = next(each for each in self._waiting if each.peer == peer)
            if arrival.since - oldest.since >= SPARED_SECONDS:
                self._show_out(oldest)
        try:
            yield arrival
        finally:
            self.leave(arrival)

    def leave(self, arrival: Arrival) -> None:
        """Count one no more: it came in whole, or it is gone. Once is enough, twice does no harm."""
        if arrival in self._waiting:
            del self._waiting[arrival]
            self._of_peer[arrival.peer] -= 1
            if not self._of_peer[arrival.peer]:
                del self._of_peer[arrival.peer]

    def _show_out(self, arrival: Arrival) -> None:
        self.leave(arrival)
        arrival.show_out()
