"""The kept snapshot in memory: the twin of `services.router.snapshot.NatsSnapshots`."""

import msgspec

from services.router.snapshot import Snapshot


class MemorySnapshots:
    """The twin. `kept`: as it would be stored."""

    def __init__(self) -> None:
        self.kept = b""

    async def keep(self, snapshot: Snapshot) -> None:
        """See `Snapshots.keep`."""
        self.kept = msgspec.json.encode(snapshot)

    async def newest(self) -> Snapshot | None:
        """See `Snapshots.newest`."""
        return msgspec.json.decode(self.kept, type=Snapshot) if self.kept else None
