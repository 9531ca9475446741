"""The room for bodies: how many bytes this process reads or holds at once.

Large bodies share a part of it, so that small ones always find some. Over a limit the one that asks for more is
refused; of those on their way the one that has waited longest is shown out, so that whoever comes again finds room.
"""

import asyncio
import contextlib
from collections.abc import Iterator

from services.ingest.handlers.arrivals import SPARED_SECONDS, Arrival
from shared import errors


class Share:
    """What one body takes of the room. `arrival`: as long as it is on its way."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self.size_bytes = 0
        self.arrival: Arrival | None = None

    def grow(self, more_bytes: int) -> None:
        """Take so much more. Raises: BodiesTooMany; nothing was taken then."""
        self._room.grow(self, more_bytes)


class Room:
    """Counts what the bodies take. `large`: a body of more than `small_bytes`."""

    def __init__(self, *, most_bytes: int, most_bytes_of_large: int, small_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._most_bytes_of_large = most_bytes_of_large
        self._small_bytes = small_bytes
        self._shares: dict[Share, None] = {}
        self.held_bytes = 0
        self._large_bytes = 0

    @contextlib.contextmanager
    def share(self) -> Iterator[Share]:
        """Give a body a share until the block ends."""
        share = Share(self)
        self._shares[share] = None
        try:
            yield share
        finally:
            del self._shares[share]
            self._count(share, 0)

    def grow(self, share: Share, more_bytes: int) -> None:
        """See `Share.grow`."""
        size_bytes = share.size_bytes + more_bytes
        large_bytes = self._large_bytes + self._large(size_bytes) - self._large(share.size_bytes)
        if self._large(size_bytes) and large_bytes > self._most_bytes_of_large:
            self._make_room(self._small_bytes)
            raise errors.BodiesTooMany
        if self.held_bytes + more_bytes > self._most_bytes:
            self._make_room(0)
            raise errors.BodiesTooMany
        self._count(share, size_bytes)

    def _count(self, share: Share, size_bytes: int) -> None:
        self._large_bytes += self._large(size_bytes) - self._large(share.size_bytes)
        self.held_bytes += size_bytes - share.size_bytes
        share.size_bytes = size_bytes

    def _large(self, size_bytes: int) -> int:
        return size_bytes if size_bytes > self._small_bytes else 0

    def _make_room(self, beyond_bytes: int) -> None:
        """Show out whoever has waited longest with more than so many bytes, unless it came a moment ago."""
        now = asyncio.get_running_loop().time()
        for share in self._shares:
            arrival = share.arrival
            if arrival is not None and share.size_bytes > beyond_bytes:
                if now - arrival.since >= SPARED_SECONDS:
                    arrival.show_out()
                return
