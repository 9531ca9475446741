"""Packets as they lie inside stored events: bytes that are cut out, never decoded and encoded again. Pure."""

import msgspec


class _Personal(msgspec.Struct):
    packet: msgspec.Raw


class _Data(msgspec.Struct):
    personal: _Personal | None


class _Stored(msgspec.Struct):
    data: _Data


_stored = msgspec.json.Decoder(_Stored)


def stored_packet(body: bytes) -> msgspec.Raw:
    """Return the packet in a stored `context.packaged`, byte for byte; `null` after erasure."""
    personal = _stored.decode(body).data.personal
    return msgspec.Raw(b"null") if personal is None else personal.packet.copy()
