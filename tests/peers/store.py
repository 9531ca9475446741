"""What a store must do here, and what is done with any of them in the same way."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Protocol, TypeVar

from shared.codec import decode
from shared.events import AnyEvent
from shared.ledger import Recorded
from tests.peers.events import Decision

WRITERS = 32
LAID_AT_ONCE = 500
READ_AT_ONCE = 1_000

Item = TypeVar("Item")


class Store(Protocol):
    """An event store with its server, empty at first. One writer knows what it has written: nothing is read before.

    `promises`: what an append of it gives, for the notes under the table.
    """

    name: ClassVar[str]
    promises: ClassVar[str]

    @property
    def pids(self) -> Sequence[int]:
        """The processes of its server."""
        ...

    async def lay(self, events: Sequence[AnyEvent]) -> None:
        """Store events in their order, as quickly as may be; nobody measures it."""
        ...

    async def append(self, events: Sequence[AnyEvent]) -> None:
        """Store events one after another, each acknowledged, at the version that is expected of its aggregate."""
        ...

    async def decide(self, decisions: Sequence[Decision]) -> None:
        """Store decisions by WRITERS writers, each all or nothing."""
        ...

    def batches(self) -> AsyncIterator[Sequence[Recorded]]:
        """Yield all events that are there, decoded, in the order of the store."""
        ...

    async def read(self, aggregates: Sequence[str]) -> int:
        """Read aggregates one after another, decoded; how many events there were."""
        ...


def recorded(position: int, body: bytes) -> Recorded:
    """Return the event that a store has at a position, as our ledger would give it."""
    event = decode(body)
    return Recorded(position, event.recorded, event.aggregate, event, body)


async def side_by_side(
    items: Sequence[Item], one: Callable[[Iterable[Item]], Awaitable[None]]
) -> None:
    """Share items among WRITERS tasks."""
    await asyncio.gather(*(one(items[first::WRITERS]) for first in range(WRITERS)))


class Threads:
    """WRITERS threads for a client that blocks."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WRITERS)
        self._own = threading.local()

    async def share(self, items: Sequence[Item], one: Callable[[Iterable[Item]], None]) -> None:
        """Share items among the threads."""
        loop = asyncio.get_running_loop()
        shares = [items[first::WRITERS] for first in range(WRITERS)]
        await asyncio.gather(*(loop.run_in_executor(self._pool, one, share) for share in shares))

    async def run(self, work: Callable[..., Item], *arguments: Any) -> Item:
        """Do something in one thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def own(self, make: Callable[[], Item]) -> Item:
        """Return what this thread made once."""
        if not hasattr(self._own, "made"):
            self._own.made = make()
        made: Item = self._own.made
        return made

    def close(self) -> None:
        """End them."""
        self._pool.shutdown()


def pieces(items: Sequence[Item], size: int) -> Iterable[Sequence[Item]]:
    """Return items `size` at a time."""
    return (items[first : first + size] for first in range(0, len(items), size))
