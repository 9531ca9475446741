"""How events become bytes and bytes become events. Only the ledger client calls it.

The interface is asynchronous and works on batches, because sealing fetches keys:
`seal` will encrypt `personal` and `unseal` open it without a change in any handler.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from shared import bounds
from shared.errors import EventTypeUnknown, NotAnEvent
from shared.events import AnyEvent, event_types

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that it cannot read: no JSON, no UTF-8, nested beyond a thousand levels."""

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class _Tagged(msgspec.Struct):
    type: str
    specversion: str


_tagged = msgspec.json.Decoder(_Tagged)


class Codec(Protocol):
    """Turns batches of events into message bodies and back, in order."""

    async def seal(self, events: Sequence[AnyEvent]) -> list[bytes]:
        """Raises: EventUnwritable."""
        ...

    async def unseal(self, bodies: Sequence[bytes]) -> list[AnyEvent]:
        """Raises: EventTypeUnknown for a type of a newer version, NotAnEvent for anything else."""
        ...


class PlainCodec:
    """Events as plain CloudEvents JSON; nothing is sealed."""

    async def seal(self, events: Sequence[AnyEvent]) -> list[bytes]:
        return [encode(event) for event in events]

    async def unseal(self, bodies: Sequence[bytes]) -> list[AnyEvent]:
        return [decode(body) for body in bodies]


def encode(event: AnyEvent) -> bytes:
    """Return the event as it stands on the wire: same event, same bytes. Raises: EventUnwritable."""
    bounds.check(event)
    try:
        return _encoder.encode(event)
    except UnicodeEncodeError:
        bounds.half_a_character(event)
        raise


def decode(body: bytes) -> AnyEvent:
    """Return the event in `body`. Raises: EventTypeUnknown, NotAnEvent."""
    try:
        return _decoder.decode(body)
    except UNREADABLE as error:
        raise _explain(body) from error


def is_another(body: bytes, kind: type[AnyEvent]) -> bool:
    """Tell whether it shows at a glance that `body` is no event of a type: as we write it, its type stands first."""
    tag = str(kind.__struct_config__.tag).encode()
    return body.startswith(b'{"type":"') and not body.startswith(b'{"type":"%s"' % tag)


def _explain(body: bytes) -> EventTypeUnknown | NotAnEvent:
    try:
        tagged = _tagged.decode(body)
    except UNREADABLE:
        return NotAnEvent()
    if tagged.specversion == "1.0" and tagged.type not in event_types():
        return EventTypeUnknown(type=tagged.type)
    return NotAnEvent(type=tagged.type)
