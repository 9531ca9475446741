"""Bytes that are no event: refused, whatever is wrong with them."""

import pytest

from shared.codec import PlainCodec
from shared.errors import EventTypeUnknown, NotAnEvent

DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b'{"type":"agent.status_set","specversion":"1.0","more":' + DEEP + b"}",
        b'{"type":"agent.teleported","specversion":"1.0","more":' + DEEP + b"}",
        b"\xff",
        b"",
    ],
    ids=["nested", "nested beside a type", "nested beside an unknown type", "no text", "nothing"],
)
async def test_what_cannot_be_read_is_not_an_event(body: bytes) -> None:
    """Also what is nested so deeply that reading it fails in another way: it must not come again for ever."""
    with pytest.raises(NotAnEvent):
        await PlainCodec().unseal([body])


async def test_an_unknown_type_is_told_from_garbage() -> None:
    """It waits for a reader that knows it."""
    with pytest.raises(EventTypeUnknown):
        await PlainCodec().unseal([b'{"type":"agent.teleported","specversion":"1.0"}'])
