"""A ledger of which an older backup can be put back."""

import shutil
from pathlib import Path

from shared.bus import Bus
from shared.codec import PlainCodec
from shared.ledger.jetstream import NatsLedger
from tests.support.ledger import TENANT, new_aggregate, write
from tests.support.servers import EmbeddedNats


class Restored:
    """A ledger on a server of its own, of which an older backup can be put back."""

    def __init__(self, server: EmbeddedNats, folder: Path, bus: Bus) -> None:
        self.server = server
        self._stored = folder / "jetstream"
        self._backup = folder.with_name("backup")
        self.bus = bus
        self.ledger = NatsLedger(bus, PlainCodec())

    async def grow(self, events: int) -> int:
        """Append so many events and return the last sequence."""
        for _ in range(events):
            await self.ledger.append(TENANT, [write(new_aggregate(), 0, "a")])
        return await self.ledger.position()

    async def back_up(self) -> None:
        """Copy what is stored."""
        await self.server.stop()
        shutil.copytree(self._stored, self._backup)
        await self.server.start()

    async def lose(self) -> None:
        """Take away what is stored."""
        await self.server.kill()
        shutil.rmtree(self._stored)
        await self.server.start()

    async def exchange(self) -> None:
        """Put the copy in the place of what is stored, and what is stored in the place of the copy."""
        await self.server.kill()
        aside = self._backup.with_name("aside")
        self._stored.rename(aside)
        self._backup.rename(self._stored)
        aside.rename(self._backup)
        await self.server.start()
        self.ledger = NatsLedger(self.bus, PlainCodec())

    async def put_back(self) -> None:
        """Put the copy in the place of what is stored. Then `ledger` is another client: it takes the copy as it is."""
        await self.server.kill()
        shutil.rmtree(self._stored)
        shutil.copytree(self._backup, self._stored)
        await self.server.start()
        self.ledger = NatsLedger(self.bus, PlainCodec())
