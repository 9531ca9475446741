"""Writes contact events to CONTACTS: the client of that stream, as the ledger client is the ledger's.

Only ingest and notify (for what became of a message) write there. Each event has a subject of its own, where nothing
may stand yet: while the stream keeps it the stream itself refuses its repetition, and nobody else has to know
(docs/adr/0029).
"""

from collections.abc import Sequence

from shared import codec, errors, streams, subjects
from shared.bus import Bus
from shared.bus.storing import REFUSED_FOR_GOOD
from shared.codec import Codec
from shared.events import ContactEvent
from shared.lanes import Partitions

HEADERS_MAX_BYTES = 4_096
"""What the subject and the headers of a message take at most; the server counts them too."""
NOTHING_THERE = {"Nats-Expected-Last-Subject-Sequence": "0"}
OCCUPIED = frozenset({10071, 10164})
"""Something stands on the subject, or is being stored there."""

ANY_PARTITION = (0,)

Message = tuple[str, bytes, str]
"""Subject, body, event id."""


def check(channel: str, routing_key: str, event: ContactEvent) -> None:
    """Raises: ValueError, TellonceError for an event that CONTACTS would refuse for ever."""
    subjects.contact(event.tenant, channel, routing_key, event.id, ANY_PARTITION)
    if len(codec.encode(event)) > streams.MESSAGE_MAX_BYTES - HEADERS_MAX_BYTES:
        raise ValueError("the event is larger than a message may be")


class ContactLog:
    """Stores contact events in order, each once per event id for as long as CONTACTS keeps it.

    `partitions_of`: where an event may stand, see `shared.lanes`.
    """

    def __init__(self, bus: Bus, codec: Codec, partitions_of: Partitions) -> None:
        self._bus = bus
        self._codec = codec
        self._partitions_of = partitions_of

    async def publish(self, events: Sequence[tuple[str, str, ContactEvent]]) -> None:
        """Store (channel, routing key, event) in this order; all stand there when it returns.

        Sending the same again stores only what is missing.
        Raises: BusUnavailable, or JetStreamRefused when one of them will never be taken; some may be stored then.
        """
        await self._store(
            [
                (self._subject(channel, routing_key, event), event)
                for channel, routing_key, event in events
            ]
        )

    def _subject(self, channel: str, routing_key: str, event: ContactEvent) -> str:
        partitions = self._partitions_of(event)
        return subjects.contact(event.tenant, channel, routing_key, event.id, partitions)

    async def publish_beside(self, subject: str, event: ContactEvent) -> None:
        """Store an event behind the one on a subject, so that it is decided after it. Raises: as `publish`."""
        await self._store([(subjects.beside_contact(subject, event.id), event)])

    async def stands_beside(self, subject: str, event_id: str) -> bool:
        """Tell whether an event stands behind the one on a subject. Raises: BusUnavailable, JetStreamRefused."""
        wanted = subjects.beside_contact(subject, event_id)
        return await self._bus.leader_get(streams.CONTACTS, last_by_subject=wanted) is not None

    async def _store(self, placed: Sequence[tuple[str, ContactEvent]]) -> None:
        """Raises: as `publish`."""
        bodies = await self._codec.seal([event for _, event in placed])
        messages = [
            (subject, body, event.id) for (subject, event), body in zip(placed, bodies, strict=True)
        ]
        try:
            await self._bus.store_many(messages, headers=NOTHING_THERE)
        except errors.StoreIncomplete as error:
            left = await self._without_repetitions(messages, error)
            for code in REFUSED_FOR_GOOD.intersection(left.refused.values()):
                raise errors.JetStreamRefused(None, **left.details | {"err_code": code}) from error
            if len(left.stored) < len(messages):
                raise left from error

    async def _without_repetitions(
        self, messages: Sequence[Message], error: errors.StoreIncomplete
    ) -> errors.StoreIncomplete:
        """Return what is still missing. What was refused because it stands there is stored, whoever stored it.

        The leader is asked: what is only on its way there may still be lost with another leader.
        """
        stored, refused = dict(error.stored), dict(error.refused)
        for index, code in error.refused.items():
            if code in OCCUPIED:
                subject, _, _ = messages[index]
                held = await self._bus.leader_get(streams.CONTACTS, last_by_subject=subject)
                if held is not None:
                    stored[index] = held
                    del refused[index]
        return errors.StoreIncomplete(len(messages), stored, refused)
