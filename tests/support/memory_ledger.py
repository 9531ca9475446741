"""The ledger in memory: the twin that tests of services use. It passes the same suite as the real one."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec.structs import replace

from shared import subjects
from shared.bus.deliveries import StoredMessage
from shared.clock import Clock, SystemClock
from shared.codec import Codec, PlainCodec
from shared.errors import LedgerConflict, StreamDrift
from shared.ledger import Appended, Guard, Recorded, Write, rejected
from shared.ledger.plan import MESSAGE_ID, Outgoing, Plan, events_of, plan


class MemoryLedger:
    """Everything in one list; sequences begin at 1."""

    def __init__(self, codec: Codec | None = None, clock: Clock | None = None) -> None:
        self._codec = codec or PlainCodec()
        self._clock = clock or SystemClock()
        self._messages: list[StoredMessage] = []
        self._by_subject: dict[str, list[int]] = {}
        self._ids: dict[str, int] = {}
        self._grown = asyncio.Condition()

    async def append(
        self, tenant: str, writes: Sequence[Write], guards: Sequence[Guard] = ()
    ) -> Appended:
        """See `shared.ledger.Ledger.append`."""
        bodies = await self._codec.seal(events_of(writes))
        wanted = plan(tenant, writes, guards, bodies)
        async with self._grown:
            before = self._stored_before(wanted)
            if before is not None:
                return before
            self._check(wanted)
            sequences = [self._store(message) for message in wanted.messages]
            self._grown.notify_all()
        return wanted.appended(sequences, duplicate=False)

    def forget_ids(self) -> None:
        """What happens to a stream when its duplicate window has passed."""
        self._ids.clear()

    def _last(self, tenant: str, aggregate: str) -> int:
        return self._by_subject.get(subjects.ledger(tenant, aggregate), [0])[-1]

    def _stored_before(self, wanted: Plan) -> Appended | None:
        """Return the outcome if exactly these events follow the expected sequences."""
        found: list[int] = []
        for aggregate, expected in wanted.expected.items():
            sequences = self._by_subject.get(subjects.ledger(wanted.tenant, aggregate), [])
            following = [s for s in sequences if s > expected]
            ours = wanted.of(aggregate)
            bodies = [self._messages[s - 1].body for s in following[: len(ours)]]
            if bodies != [message.body for message in ours]:
                return self._known_single(wanted)
            found.extend(following[: len(ours)])
        return wanted.appended(found, duplicate=True)

    def _known_single(self, wanted: Plan) -> Appended | None:
        """A single event whose id and body are stored at or before the expected sequence is a duplicate too."""
        first = wanted.messages[0]
        sequence = self._ids.get(first.headers[MESSAGE_ID])
        if len(wanted.messages) > 1 or sequence is None:
            return None
        stored = self._messages[sequence - 1]
        current = self._last(wanted.tenant, first.aggregate) == wanted.expected[first.aggregate]
        if current and stored.subject == first.subject and stored.body == first.body:
            return wanted.appended([sequence], duplicate=True)
        return None

    def _check(self, wanted: Plan) -> None:
        """Raises: LedgerConflict."""
        expectations: Mapping[str, int] = {
            **wanted.expected,
            **{guard.aggregate: guard.expected for guard in wanted.guards},
        }
        for aggregate, expected in expectations.items():
            actual = self._last(wanted.tenant, aggregate)
            if actual != expected:
                raise LedgerConflict(aggregate=aggregate, expected=expected, actual=actual)
        for message in wanted.messages:
            if message.headers[MESSAGE_ID] in self._ids:
                raise LedgerConflict(
                    aggregate=message.aggregate,
                    expected=wanted.expected[message.aggregate],
                    actual=None,
                    reason="id_known",
                )

    def _store(self, message: Outgoing) -> int:
        sequence = len(self._messages) + 1
        self._messages.append(
            StoredMessage(
                sequence, message.subject, message.body, message.headers, self._clock.now()
            )
        )
        self._by_subject.setdefault(message.subject, []).append(sequence)
        self._ids[message.headers[MESSAGE_ID]] = sequence
        return sequence

    async def read(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        """See `shared.ledger.Ledger.read`."""
        sequences = self._by_subject.get(subjects.ledger(tenant, aggregate), [])
        messages = [self._messages[s - 1] for s in sequences if s > after]
        return await self._recorded(messages, rejected.read_aggregate)

    async def read_all(self, tenant: str, after: Mapping[str, int]) -> list[list[Recorded]]:
        """See `shared.ledger.Ledger.read_all`."""
        reads = (self.read(tenant, each, after=sequence) for each, sequence in after.items())
        return await asyncio.gather(*reads)

    async def read_leader(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        """See `shared.ledger.Ledger.read_leader`."""
        return await self.read(tenant, aggregate, after=after)

    async def get(self, sequence: int) -> Recorded | None:
        """See `shared.ledger.Ledger.get`."""
        if not 1 <= sequence <= len(self._messages):
            return None
        return (await self._recorded([self._messages[sequence - 1]]))[0]

    async def position(self) -> int:
        """See `shared.ledger.Ledger.position`."""
        return len(self._messages)

    async def follow(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        """See `shared.ledger.Ledger.follow`."""
        if after > len(self._messages):
            raise StreamDrift(field="last_seq", wanted=after)
        while True:
            async with self._grown:
                while len(self._messages) <= after:
                    await self._grown.wait()
                batch = self._messages[after:]
            after = batch[-1].sequence
            yield await self._recorded(batch)

    def forget(self) -> None:
        """See `shared.ledger.Ledger.forget`: nothing is remembered here."""

    async def stand_in(self, recorded: Recorded) -> Recorded | None:
        """See `shared.ledger.Ledger.stand_in`."""
        found = await rejected.stand_in(
            recorded.sequence, recorded.aggregate, recorded.body, self._rejections
        )
        return None if found is None else replace(recorded, event=found)

    async def _rejections(self, sequence: int) -> list[bytes]:
        ends = subjects.about_entry(sequence).removeprefix("ledger.*.*")
        return [m.body for m in self._messages if m.subject.endswith(ends)]

    async def _recorded(
        self, messages: Sequence[StoredMessage], read: rejected.Read = rejected.read
    ) -> list[Recorded]:
        events = await read(self._codec, messages, self._rejections)
        return [
            Recorded(m.sequence, m.stored, subjects.aggregate_in(m.subject), event, m.body)
            for m, event in zip(messages, events, strict=True)
        ]
