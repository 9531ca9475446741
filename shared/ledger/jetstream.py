"""The ledger on NATS JetStream.

How an append ends: with the server's acknowledgement, or by reading the stream's leader.
A refusal, a time-out and `duplicate: true` say too little to be believed (docs/adr/0010).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from shared import backoff, errors, ids, metrics, subjects
from shared.bus import Bus
from shared.bus.acknowledged import AcknowledgedPosition
from shared.bus.deliveries import PubAck, StoredMessage
from shared.bus.gets import DirectAnswer
from shared.bus.storing import MESSAGE_TOO_LARGE, submit_batch
from shared.codec import Codec
from shared.ledger import Appended, Guard, Recorded, Write, rejected
from shared.ledger.bulk import BulkReader
from shared.ledger.follow import LOOKS, RETRY_DELAY_SECONDS, follow
from shared.ledger.grouping import WRONG_LAST_SEQUENCE, Groups
from shared.ledger.plan import Outgoing, Plan, events_of, plan
from shared.ledger.resolve import resolve

STREAM = "LEDGER"
READ_BATCH_EVENTS = 256
BATCH_TOO_LARGE = 10199
ASK_THE_LEADER = frozenset({WRONG_LAST_SEQUENCE, 10164, 10201})
"""Wrong last sequence, a write in flight on the subject, an id of the batch is known."""
DUPLICATE_IN_BATCH = 10201


RETRY = backoff.Backoff(first_seconds=0.01, longest_seconds=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much and how long.

    The server allows 50 open batches per stream, of all processes together; more than two gain nothing (docs/adr/0063).
    `append_seconds` outlives an election of the stream's leader: 4 to 9 s on nats-server 2.15.
    """

    open_batches: int = 2
    append_attempts: int = 40
    append_seconds: float = 15.0
    submit_timeout_seconds: float = 2.0
    read_attempts: int = 20
    retry: backoff.Backoff = RETRY


class NatsLedger:
    """Passes `tests/ledger/` on one and on three nodes. `stream` differs only in tests.

    `acknowledged`: whoever appends watches it; of a ledger that went back it takes no append for done any more.
    """

    def __init__(
        self, bus: Bus, codec: Codec, limits: Limits | None = None, *, stream: str = STREAM
    ) -> None:
        self._bus = bus
        self._codec = codec
        self._limits = limits or Limits()
        self._stream = stream
        self._groups = Groups(self._send_batch, self._limits.open_batches)
        self._batch_scope = bus.new_inbox()
        self._batch_number = 0
        self._followed: StoredMessage | None = None
        self.acknowledged = AcknowledgedPosition(bus, stream)

    # -- writing --------------------------------------------------------------------------------------

    async def append(
        self, tenant: str, writes: Sequence[Write], guards: Sequence[Guard] = ()
    ) -> Appended:
        """See `shared.ledger.Ledger.append`. Also raises: ValueError, LedgerGuardsTooMany (as `plan`)."""
        bodies = await self._codec.seal(events_of(writes))
        appended = await self._settle(plan(tenant, writes, guards, bodies))
        if not appended.duplicate:
            for event in events_of(writes):
                metrics.EVENTS.add(tenant, event.type)
        return appended

    async def _settle(self, wanted: Plan) -> Appended:
        """Send until the outcome is known, within the limits."""
        deadline = asyncio.get_running_loop().time() + self._limits.append_seconds
        err_code: int | None = None
        for attempt in range(1, self._limits.append_attempts + 1):
            ack = await self._send(wanted)
            if ack is not None and self._complete(wanted, ack):
                if not ack.duplicate:
                    return self._acknowledged(wanted, ack)
                return await self._verified(wanted, ack.seq)
            err_code = ack.error.err_code if ack is not None and ack.error is not None else None
            if err_code in {MESSAGE_TOO_LARGE, BATCH_TOO_LARGE}:
                raise errors.LedgerBatchTooLarge(err_code=err_code)
            found = await self._resolve(wanted, err_code)
            if found is not None:
                return found
            if asyncio.get_running_loop().time() >= deadline:
                break
            await self._pause(attempt)
        raise errors.LedgerUnavailable(err_code=err_code)

    async def _send(self, wanted: Plan) -> PubAck | None:
        """Send once; `None`: no answer, so it may be stored or not."""
        with contextlib.suppress(errors.BusUnavailable):
            if len(wanted.messages) == 1:
                (only,) = wanted.messages
                return await self._submit(only.subject, only.body, dict(only.headers))
            return await self._groups.send(wanted)
        return None

    async def _send_batch(self, outgoing: Sequence[Outgoing]) -> PubAck:
        self._batch_number += 1
        batch = ids.scoped_id("batch", self._batch_scope, str(self._batch_number))
        messages = [(each.subject, each.body, each.headers) for each in outgoing]
        return await submit_batch(self._bus, batch, messages, self._limits.submit_timeout_seconds)

    async def _submit(self, subject: str, body: bytes, headers: dict[str, str]) -> PubAck:
        return await self._bus.submit(
            subject, body, headers, timeout_seconds=self._limits.submit_timeout_seconds
        )

    def _complete(self, wanted: Plan, ack: PubAck) -> bool:
        """Tell whether an answer acknowledges this append and all of it; any other answer is looked into."""
        if ack.error is not None or ack.stream != self._stream:
            return False
        messages = len(wanted.messages)
        return ack.seq > 0 if messages == 1 else ack.count == messages and not ack.duplicate

    async def _resolve(self, wanted: Plan, err_code: int | None) -> Appended | None:
        """Ask the leader what became of it; `None`: nothing is known or nothing was stored, so try again."""
        if err_code is not None and err_code not in ASK_THE_LEADER:
            return None
        with contextlib.suppress(errors.BusUnavailable):
            found = await resolve(self._bus, self._stream, wanted)
            if found is None and err_code == DUPLICATE_IN_BATCH:
                first = wanted.messages[0].aggregate
                raise errors.LedgerConflict(
                    aggregate=first, expected=wanted.expected[first], actual=None, reason="id_known"
                )
            return found
        return None

    def _acknowledged(self, wanted: Plan, ack: PubAck) -> Appended:
        """A batch stands without a gap and ends at the acknowledged sequence. Raises: LedgerUnavailable."""
        first = ack.seq - len(wanted.messages) + 1
        try:
            self.acknowledged.check(first)
        except errors.StreamDrift as error:
            # An older copy takes this; whoever wants it asks again when the right ledger is back, or this one adopted.
            raise errors.LedgerUnavailable(position=first) from error
        return wanted.appended(range(first, ack.seq + 1), duplicate=False)

    async def _verified(self, wanted: Plan, sequence: int) -> Appended:
        """Believe `duplicate: true` of a single event only if exactly this message stands there."""
        (only,) = wanted.messages
        stored = await self._leader_get(sequence=sequence)
        if stored is None or stored.subject != only.subject or stored.body != only.body:
            raise errors.LedgerConflict(
                aggregate=only.aggregate,
                expected=wanted.expected[only.aggregate],
                actual=None,
                reason="id_known",
            )
        return wanted.appended([sequence], duplicate=True)

    async def _pause(self, attempt: int) -> None:
        """Wait before the next try: doubling, with jitter, so that competitors spread."""
        await self._limits.retry.pause(attempt)

    # -- reading --------------------------------------------------------------------------------------

    async def read(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        """See `shared.ledger.Ledger.read`: batched direct gets, from any replica."""
        (found,) = await self.read_all(tenant, {aggregate: after})
        return found

    async def read_all(self, tenant: str, after: Mapping[str, int]) -> list[list[Recorded]]:
        """See `shared.ledger.Ledger.read_all`."""
        wanted = [(subjects.ledger(tenant, each), sequence) for each, sequence in after.items()]
        found = await self._read_any(wanted)
        return [await self._recorded(each, rejected.read_aggregate) for each in found]

    async def read_leader(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        """See `shared.ledger.Ledger.read_leader`.

        The leader says which is the last; a replica may give the events before it (stored events never change),
        and what it does not have yet is fetched from the leader.
        """
        subject = subjects.ledger(tenant, aggregate)
        last = await self._last(subject, after)
        if last is None or last.sequence <= after:
            return []
        (messages,) = await self._read_any([(subject, after)])
        position = messages[-1].sequence if messages else after
        while position < last.sequence:
            following = await self._leader_get(sequence=position + 1, next_by_subject=subject)
            if following is None:
                raise errors.LedgerUnavailable(aggregate=aggregate, position=position)
            messages.append(following)
            position = following.sequence
        return await self._recorded(messages, rejected.read_aggregate)

    async def _last(self, subject: str, known: int) -> StoredMessage | None:
        """Return the last message of a subject. Raises: LedgerUnavailable when it lies before one that was `known`.

        Then an older copy stands in the ledger's place; a leader that has just changed is asked again before.
        """
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(RETRY_DELAY_SECONDS)
            last = await self._leader_get(last_by_subject=subject)
            if known <= (0 if last is None else last.sequence):
                return last
        self.acknowledged.lost(known)
        raise errors.LedgerUnavailable(position=known)

    async def get(self, sequence: int) -> Recorded | None:
        """See `shared.ledger.Ledger.get`."""
        if sequence < 1:
            return None
        message = await self._leader_get(sequence=sequence)
        return None if message is None else (await self._recorded([message]))[0]

    async def position(self) -> int:
        """See `shared.ledger.Ledger.position`."""
        for attempt in range(1, self._limits.read_attempts + 1):
            with contextlib.suppress(errors.BusUnavailable):
                info = await self._bus.api(
                    f"STREAM.INFO.{self._stream}",
                    timeout_seconds=self._limits.submit_timeout_seconds,
                )
                return int(info["state"]["last_seq"])
            await self._pause(attempt)
        raise errors.LedgerUnavailable()

    async def follow(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        """See `shared.ledger.Ledger.follow`: an unacknowledged consumer, made again whenever it is lost.

        Once it has followed, a client never follows a ledger again that holds something else there, whatever `after`:
        only a client that knows nothing, a new one or one that was made to `forget`, does.
        """
        following = follow(self._bus, self._stream, after, self._followed)
        async with contextlib.aclosing(following) as batches:
            async for messages in batches:
                self._followed = messages[-1]
                yield await self._recorded(messages)

    def in_bulk(self) -> BulkReader:
        """Return what reads all of it once, fast."""
        return BulkReader(self._bus, self._codec, stream=self._stream)

    def forget(self) -> None:
        """See `shared.ledger.Ledger.forget`."""
        self._followed = None

    async def _read_any(self, wanted: Sequence[tuple[str, int]]) -> list[list[StoredMessage]]:
        """Return what each (subject, sequence) has after it; whoever has more than comes at a time is asked on."""
        found: list[list[StoredMessage]] = [[] for _ in wanted]
        after = {at: sequence for at, (_, sequence) in enumerate(wanted)}
        while after:
            asked = [(sequence + 1, wanted[at][0]) for at, sequence in after.items()]
            answers = zip(list(after), await self._direct_gets(asked), strict=True)
            for at, answer in answers:
                found[at].extend(answer.messages)
                if answer.messages and answer.pending:
                    after[at] = answer.messages[-1].sequence
                else:
                    del after[at]
        return found

    async def _direct_gets(self, asked: Sequence[tuple[int, str]]) -> list[DirectAnswer]:
        for attempt in range(1, self._limits.read_attempts + 1):
            with contextlib.suppress(errors.BusUnavailable):
                return await self._bus.direct_gets(self._stream, asked, batch=READ_BATCH_EVENTS)
            await self._pause(attempt)
        raise errors.LedgerUnavailable()

    async def _leader_get(
        self,
        *,
        sequence: int | None = None,
        next_by_subject: str | None = None,
        last_by_subject: str | None = None,
    ) -> StoredMessage | None:
        for attempt in range(1, self._limits.read_attempts + 1):
            with contextlib.suppress(errors.BusUnavailable):
                return await self._bus.leader_get(
                    self._stream,
                    sequence=sequence,
                    next_by_subject=next_by_subject,
                    last_by_subject=last_by_subject,
                )
            await self._pause(attempt)
        raise errors.LedgerUnavailable()

    async def stand_in(self, recorded: Recorded) -> Recorded | None:
        """See `shared.ledger.Ledger.stand_in`."""
        found = await rejected.stand_in(
            recorded.sequence, recorded.aggregate, recorded.body, self._rejections
        )
        return None if found is None else replace(recorded, event=found)

    async def _rejections(self, sequence: int) -> list[bytes]:
        found: list[bytes] = []
        after = 0
        while True:
            message = await self._leader_get(
                sequence=after + 1, next_by_subject=subjects.about_entry(sequence)
            )
            if message is None:
                return found
            found.append(message.body)
            after = message.sequence

    async def _recorded(
        self, messages: Sequence[StoredMessage], read: rejected.Read = rejected.read
    ) -> list[Recorded]:
        return await rejected.recorded(self._codec, messages, self._rejections, read)
