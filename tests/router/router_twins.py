"""What the router in memory stands on: a clock by hand, a ledger whose replicas lag, a history of what it is told."""

from collections.abc import Callable, Sequence
from datetime import datetime

from typing_extensions import override

from services.router.tolerant_codec import TolerantCodec
from shared.bus.deliveries import StoredMessage
from shared.clock import Clock
from shared.codec import Codec, PlainCodec
from shared.events import (
    AnyEvent,
)
from shared.ledger import Recorded
from tests.router.samples import NOON
from tests.support.memory_ledger import MemoryLedger


class HandClock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time


class OpenCodec(PlainCodec):
    """As PlainCodec; while `lenient`, what is of a newer version reads as unreadable. `bodies` are sealed as given."""

    def __init__(self) -> None:
        self.lenient = False
        self.bodies: list[bytes] = []

    @override
    async def seal(self, events: Sequence[AnyEvent]) -> list[bytes]:
        given, self.bodies = self.bodies, []
        return given or await super().seal(events)

    @override
    async def unseal(self, bodies: Sequence[bytes]) -> list[AnyEvent]:
        reader = TolerantCodec() if self.lenient else PlainCodec()
        return await reader.unseal(bodies)


class LaggingLedger(MemoryLedger):
    """Reads come from a replica that lacks the newest `lack(aggregate)` events; the leader has all.

    `reads`: how many aggregates were read so far.
    """

    def __init__(self, codec: Codec, clock: Clock, lack: Callable[[str], int]) -> None:
        super().__init__(codec, clock)
        self._lack = lack
        self.reads = 0

    @override
    async def read(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        self.reads += 1
        there = await self.position() - self._lack(aggregate)
        found = await super().read(tenant, aggregate, after=after)
        return [each for each in found if each.sequence <= there]

    @override
    async def read_leader(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        self.reads += 1
        return await super().read(tenant, aggregate, after=after)


class TolerantReader:
    """The ledger as the dispatcher reads it."""

    def __init__(self, ledger: MemoryLedger, codec: OpenCodec) -> None:
        self._ledger, self._codec = ledger, codec

    async def get(self, sequence: int) -> Recorded | None:
        self._codec.lenient = True
        try:
            return await self._ledger.get(sequence)
        finally:
            self._codec.lenient = False


class KnownTo:
    """History's twin: says where it saw the ids in `sequences`; counts how often it was asked."""

    def __init__(self) -> None:
        self.sequences: dict[str, int] = {}
        self.asked = 0

    async def known(self, tenant: str, event_id: str, position: int) -> int | None:
        self.asked += 1
        return self.sequences.get(event_id)


class StoredMessages:
    """The messages of the streams that the router reads."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, int], StoredMessage] = {}

    async def leader_get(self, stream: str, *, sequence: int | None = None) -> StoredMessage | None:
        return self.held.get((stream, sequence or 0))
