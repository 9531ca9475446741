"""The whole of a ledger at once, from its beginning, for whoever makes something anew of it."""

import contextlib
from collections.abc import AsyncGenerator, Sequence

from shared import errors, subjects
from shared.bus import Bus
from shared.bus.bulk import Raw, pull_in_bulk
from shared.bus.deliveries import StoredMessage, instant
from shared.codec import Codec
from shared.ledger import Recorded, rejected
from shared.ledger.follow import consume, forsake
from shared.streams import LEDGER


class BulkReader:
    """Reads a ledger once, fast. Nothing is tried again: whoever is interrupted has another way, or begins anew."""

    def __init__(self, bus: Bus, codec: Codec, *, stream: str = LEDGER) -> None:
        self._bus = bus
        self._codec = codec
        self._stream = stream

    async def messages(self, until: int) -> AsyncGenerator[list[Raw], None]:
        """Yield all messages up to the sequence `until`, in order and without a gap.

        Raises: StreamDrift when one is missing, BusUnavailable at any trouble.
        """
        consumer = await consume(self._bus, self._stream, 0)
        position = 0
        try:
            pulling = pull_in_bulk(self._bus, self._stream, consumer, until)
            async with contextlib.aclosing(pulling) as batches:
                async for messages in batches:
                    if messages[-1][0] != position + len(messages):
                        raise errors.StreamDrift(
                            stream=self._stream, field="sequence", missing=position + 1
                        )
                    position += len(messages)
                    yield messages
        finally:
            await forsake(self._bus, self._stream, consumer)

    async def events(self, messages: Sequence[Raw]) -> list[Recorded]:
        """Return the events in some of the messages; `entry.rejected` in the place of one that was rejected.

        Raises: EventTypeUnknown, NotAnEvent for one that was not; BusUnavailable.
        """
        stored = [
            StoredMessage(sequence, subject.decode(), body, {}, instant(nanoseconds))
            for sequence, nanoseconds, subject, body in messages
        ]
        return await rejected.recorded(self._codec, stored, self._rejections)

    async def _rejections(self, sequence: int) -> list[bytes]:
        found: list[bytes] = []
        after = 0
        about = subjects.about_entry(sequence)
        while message := await self._bus.leader_get(
            self._stream, sequence=after + 1, next_by_subject=about
        ):
            found.append(message.body)
            after = message.sequence
        return found
