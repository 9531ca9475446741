"""Writes contact events to CONTACTS: the client of that stream, as the ledger client is the ledger's.

Only ingest and notify (for what became of a message) write there.
"""

from collections.abc import Sequence

from shared import codec, errors, streams, subjects
from shared.bus import Bus
from shared.bus.storing import REFUSED_FOR_GOOD
from shared.codec import Codec
from shared.events import ContactEvent

HEADERS_MAX_BYTES = 4_096
"""What the subject and the headers of a message take at most; the server counts them too."""


def check(channel: str, routing_key: str, event: ContactEvent) -> None:
    """Raises: ValueError, TellonceError for an event that CONTACTS would refuse for ever."""
    subjects.contact(event.tenant, channel, routing_key)
    if len(codec.encode(event)) > streams.MESSAGE_MAX_BYTES - HEADERS_MAX_BYTES:
        raise ValueError("the event is larger than a message may be")


class ContactLog:
    """Stores contact events in order, each once per event id."""

    def __init__(self, bus: Bus, codec: Codec) -> None:
        self._bus = bus
        self._codec = codec

    async def publish(self, events: Sequence[tuple[str, str, ContactEvent]]) -> None:
        """Store (channel, routing key, event) in this order; all are acknowledged when it returns.

        Sending the same again stores only what is missing.
        Raises: BusUnavailable, or JetStreamRefused when one of them will never be taken; some may be stored then.
        """
        bodies = await self._codec.seal([event for _, _, event in events])
        messages = [
            (subjects.contact(event.tenant, channel, routing_key), body, event.id)
            for (channel, routing_key, event), body in zip(events, bodies, strict=True)
        ]
        try:
            await self._bus.store_many(messages)
        except errors.StoreIncomplete as error:
            if error.details["err_code"] in REFUSED_FOR_GOOD:
                raise errors.JetStreamRefused(None, **error.details) from error
            raise
