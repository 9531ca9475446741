"""The contract of the ledger for every writer and reader.

Two implementations pass one contract suite, `tests/ledger`: `NatsLedger` and, for tests, its twin in memory.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from shared.events import AnyEvent

BATCH_EVENTS_MAX = 1_000
"""The server's limit on one atomic batch (nats-server 2.15)."""


@dataclass(frozen=True, slots=True)
class Write:
    """Events for an aggregate, in order, and the sequence that the writer expects of the aggregate.

    `expected`: the last sequence of the aggregate's exact subject that the writer has folded; 0 for none.
    """

    aggregate: str
    expected: int
    events: Sequence[AnyEvent]


@dataclass(frozen=True, slots=True)
class Guard:
    """An aggregate that is not written but must not have moved since it was read."""

    aggregate: str
    expected: int


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """One event as the ledger holds it. `body` is the stored message, byte for byte."""

    sequence: int
    stored: datetime
    aggregate: str
    event: AnyEvent
    body: bytes


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append stored.

    `sequences`: of every event, in the order of the writes; `duplicate`: it had been stored before, by the same
    append, and was read back; `last`: last sequence of each written aggregate right after this append.
    """

    sequences: Sequence[int]
    duplicate: bool
    last: Mapping[str, int] = field(default_factory=dict)

    @property
    def position(self) -> int:
        """The ledger position that holds all of it."""
        return max(self.sequences)


class LedgerReader(Protocol):
    """The ledger for those who only read it: history, auditors."""

    async def read(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        """Return the aggregate's events with a sequence above `after`, in order; [] when there are none.

        It may lag behind the last acknowledged append by a moment on a replicated stream.
        Raises: EventTypeUnknown, NotAnEvent, LedgerUnavailable.
        """
        ...

    async def read_all(self, tenant: str, after: Mapping[str, int]) -> list[list[Recorded]]:
        """As `read` of each aggregate after its sequence, in order: all are asked for at once."""
        ...

    async def read_leader(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        """As `read`, but from the stream's leader: it holds everything acknowledged before the call."""
        ...

    async def get(self, sequence: int) -> Recorded | None:
        """Return the event at one ledger position, from the leader; `None` beyond the end."""
        ...

    async def stand_in(self, recorded: Recorded) -> Recorded | None:
        """Return `recorded` with `entry.rejected` in the place of its event; `None` when no operator rejected it.

        What cannot be read and was rejected is read so anyway; this is for what can be read and not be applied.
        """
        ...

    async def position(self) -> int:
        """Return the last sequence of the whole ledger, from the leader; 0 when it is empty."""
        ...

    def follow(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        """Yield batches of all events with a sequence above `after`, in order and without a gap, for ever.

        The events of one append are never split over two batches. It survives reconnects.

        Raises: StreamDrift when a sequence is missing or the ledger no longer holds what was followed.
        """
        ...

    def forget(self) -> None:
        """Follow the ledger as it stands from now on, whatever was followed: an operator has adopted it."""
        ...


class Ledger(LedgerReader, Protocol):
    """Append-only, one exact subject per aggregate, optimistic concurrency by expected last sequence."""

    async def append(
        self, tenant: str, writes: Sequence[Write], guards: Sequence[Guard] = ()
    ) -> Appended:
        """Store all events of all writes or none, each at its aggregate's expected sequence.

        The same append (same event ids, same bodies) sent again answers `duplicate=True` and stores nothing, also
        when an earlier attempt timed out with an unknown outcome.

        Raises:
            LedgerConflict: an aggregate or a guard stands elsewhere; nothing was stored.
            LedgerUnavailable: no answer within the bounds and the outcome could not be found out.
            EventUnwritable: an event holds what a store behind the ledger cannot keep; nothing was sent.
            LedgerBatchTooLarge: beyond the limits of an atomic batch; nothing was sent.
            LedgerGuardsTooMany: more guards than events that are not the first of their aggregate; nothing was sent.
            ValueError: no writes, a write without events, or two writes to one aggregate.
        """
        ...
