"""Reading a ledger that holds events of a newer version: they are set aside, and nobody else waits for them."""

from collections.abc import Sequence
from typing import cast

import msgspec

from shared.codec import UNREADABLE, PlainCodec, decode
from shared.errors import EventTypeUnknown, NotAnEvent
from shared.events import AnyEvent


class Unreadable(msgspec.Struct, frozen=True):
    """Stands for an event that this version cannot read. `tenant`: empty when the tenant is unreadable too."""

    tenant: str = ""


def is_unreadable(event: object) -> bool:
    """Tell whether an event of a tolerant read stands for one that could not be read."""
    return isinstance(event, Unreadable)


_envelope = msgspec.json.Decoder(Unreadable)


class TolerantCodec(PlainCodec):
    """As PlainCodec, with `Unreadable` in the place of what it does not know. For followers only."""

    async def unseal(self, bodies: Sequence[bytes]) -> list[AnyEvent]:
        """Never fails."""
        return [_decoded(body) for body in bodies]


def _decoded(body: bytes) -> AnyEvent:
    try:
        return decode(body)
    except (EventTypeUnknown, NotAnEvent):
        return cast("AnyEvent", _envelope_of(body))


def _envelope_of(body: bytes) -> Unreadable:
    try:
        return _envelope.decode(body)
    except UNREADABLE:
        return Unreadable()
