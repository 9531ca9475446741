"""What the stores are asked to do, one thing after another: the rows of the table."""

from collections.abc import Awaitable, Callable, Sequence

from tests.peers.events import Decision, Events
from tests.peers.figures import Side, Workload, alternate
from tests.peers.store import WRITERS, Item, Store
from tests.peers.timeline import ByHand

ALONE_SHARE = 4
"""One event of so many is appended one at a time; the others lie there before."""
STREAMS_SHARE = 100
"""In a round one conversation is read for so many events."""

Decide = Callable[[Sequence[Decision]], Awaitable[None]]
Work = Callable[[], Awaitable[int]]


class Comparison:
    """The same events in every store, ours first; `rounds` are counted, one more is not."""

    def __init__(self, events: Events, rounds: int, stores: Sequence[Store]) -> None:
        self._events = events
        self._rounds = rounds
        self._stores = stores
        self._laid = len(events) - len(events) // ALONE_SHARE

    async def lay(self) -> None:
        """Store what nobody measures."""
        for store in self._stores:
            await store.lay(self._events.part(0, self._laid))

    async def append(self) -> Workload:
        """Append the other events, one writer, one at a time: then all are there."""

        def side(store: Store) -> Side:
            def share(number: int) -> Work:
                first, end = self._bounds(self._laid, len(self._events), number)
                part = self._events.part(first, end)
                return lambda: _counted(store.append, part)

            return Side(store.name, store.pids, share)

        return await self._alternate("append one at a time, one writer", "events", side)

    async def check(self) -> None:
        """Read it all once: every store holds the same events in the same order. Raises: AssertionError."""
        wanted = [event.id for event in self._events.part(0, len(self._events))]
        for store in self._stores:
            found = [each.event.id async for batch in store.batches() for each in batch]
            assert found == wanted, f"{store.name} holds something else: {len(found)} events"

    async def read_all(self) -> Workload:
        """Read every event in the order of the store, decoded."""

        async def read(store: Store) -> int:
            return sum([len(batch) async for batch in store.batches()])

        def side(store: Store) -> Side:
            return Side(store.name, store.pids, lambda _: lambda: read(store))

        return await self._alternate("read everything in order", "events", side)

    async def read_one(self) -> Workload:
        """Read conversations one after another, each with all its events."""
        wanted = self._events.conversations(max(1, len(self._events) // STREAMS_SHARE))

        async def read(store: Store) -> int:
            await store.read(wanted)
            return len(wanted)

        def side(store: Store) -> Side:
            return Side(store.name, store.pids, lambda _: lambda: read(store))

        return await self._alternate("read a conversation", "conversations", side)

    async def project(
        self, by_hand: ByHand, pids: Sequence[int], rebuild: Side, *others: Side
    ) -> tuple[Workload, Workload]:
        """Write a timeline by hand from every store, rebuild ours, and do `others`; `pids`: of the timeline's database.

        Returns the timelines, and all of it beside the rebuild.
        """
        sides = [self._by_hand(store, by_hand, pids) for store in self._stores]
        what = "rebuild with all our tables; others as they are named"
        found = await alternate(what, "events", self._rounds, [rebuild, *sides, *others])
        by_hands = found.figures[1 : 1 + len(sides)]
        return Workload("write a timeline by hand, one table", "events", by_hands), found

    def _by_hand(self, store: Store, by_hand: ByHand, pids: Sequence[int]) -> Side:
        everybody = sorted({*store.pids, *pids})
        name = f"{store.name}, a timeline by hand"
        return Side(name, everybody, lambda _: lambda: by_hand.project(store))

    async def decide(self, others: Sequence[tuple[str, Store, Decide]]) -> Workload:
        """Store all events as decisions by many writers. `others`: further ways to do it, with their stores."""
        every = [(store.name, store, store.decide) for store in self._stores]
        sides = [self._decide(*each, str(way)) for way, each in enumerate([*every, *others])]
        what = f"a decision: 4 events, 3 aggregates, {WRITERS} writers"
        return await alternate(what, "decisions", self._rounds, sides)

    def _decide(self, name: str, store: Store, decide: Decide, scope: str) -> Side:
        def share(number: int) -> Work:
            first, end = self._bounds(0, len(self._events), number)
            part = self._events.decisions(first, end, scope)
            return lambda: _counted(decide, part)

        return Side(name, store.pids, share)

    async def _alternate(self, what: str, unit: str, side: Callable[[Store], Side]) -> Workload:
        return await alternate(what, unit, self._rounds, [side(store) for store in self._stores])

    def _bounds(self, first: int, end: int, number: int) -> tuple[int, int]:
        """Return the part of the round of this number."""
        parts = self._rounds + 1
        starts, ends = ((end - first) * each // parts for each in (number, number + 1))
        return first + starts, first + ends


async def _counted(work: Callable[[Sequence[Item]], Awaitable[None]], part: Sequence[Item]) -> int:
    await work(part)
    return len(part)
