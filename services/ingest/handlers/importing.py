"""An exported history, talk by talk into RAW, as the doors' deliveries go there. Nothing else is written, no list kept.

How far it came stands in RAW itself: with each talk the hash of all and its number. Whoever begins again after a kill
goes on behind the last one; whoever imports the same once more stores nothing. A customer who calls meanwhile waits
behind a few talks at most: the next ones are stored when those are decided.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.ingest.domain import archive
from services.ingest.domain.archive import ImportMark, Talk
from services.ingest.domain.delivery import WebRequest
from services.ingest.handlers import raw_marks
from services.ingest.handlers.raw_store import RawStore
from shared import errors, streams, subjects
from shared.bus import Bus
from shared.clock import Clock

JSON = [("content-type", "application/json")]
AHEAD_MAX = 8
"""So many talks are stored before it is looked whether those before them are decided."""
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Importer:
    """Imports into an account of a tenant, `<channel>/<account>`."""

    bus: Bus
    store: RawStore
    clock: Clock
    tenant: str
    channel: str
    account: str

    async def take(self, talks: Sequence[Talk], told: Callable[[int], None]) -> int:
        """Store what RAW lacks of an import; return how many that were. `told` is called with how many are there.

        Raises: DoorUnavailable, BusUnavailable, JetStreamRefused; what was stored stays.
        """
        sha256, stored = archive.sha256_of(talks), 0
        behind, there = await self._last(sha256)
        told(there)
        while there < len(talks):
            path = ImportMark(sha256, there + 1).path
            asked = WebRequest("IMPORT", path, JSON, talks[there].body, self.clock.now())
            try:
                ack = await self.store.append(
                    self.tenant, self.channel, self.account, asked, behind=behind
                )
            except errors.DeliveryOvertaken:
                behind, there = await self._last(sha256)
                continue
            behind, there, stored = ack.sequence, there + 1, stored + 1
            told(there)
            if stored % AHEAD_MAX == 0:
                await self._decided()
        return stored

    async def _decided(self) -> None:
        """Return once ingest has read what it was given, and the router has little to do, however long that takes."""
        mine = streams.ingest_normalise(self.tenant, self.channel, self.account)
        contacts = [each for each in streams.router_consumers() if each.stream == streams.CONTACTS]
        while True:
            read = await self.waiting(streams.RAW, mine) == 0
            left = [await self.waiting(each.stream, each.name) for each in contacts] if read else []
            if read and sum(left) <= AHEAD_MAX:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def waiting(self, stream: str, consumer: str) -> int:
        """Return how much waits for a consumer. Raises: BusUnavailable, JetStreamRefused."""
        info = await self.bus.api(f"CONSUMER.INFO.{stream}.{consumer}")
        return int(info["num_pending"]) + int(info["num_ack_pending"])

    async def _last(self, sha256: str) -> tuple[int, int]:
        """Return where the account's last delivery stands, and how many talks of this import are in RAW."""

        def mine(path: str) -> ImportMark | None:
            found = archive.mark(path)
            return found if found is not None and found.sha256 == sha256 else None

        subject = subjects.raw(self.tenant, self.channel, self.account)
        behind, found = await raw_marks.last(self.bus, subject, mine)
        return behind, 0 if found is None else found.mark.number
