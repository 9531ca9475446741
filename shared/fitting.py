"""Making what people wrote fit into a packet: its size is that of its canonical form, JSON."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

Item = TypeVar("Item")
encoder = msgspec.json.Encoder(order="deterministic")
"""Of canonical forms: same value, same bytes."""

MORE_GROWS_BYTES = 64
"""The counters and the cursor of a packet's `more` grow by less than this after the room was measured."""


def newest_that_fit(items: Sequence[Item], room: int) -> tuple[list[Item], int]:
    """Return the newest items whose encoded size fits into `room` bytes, oldest first, and the room left."""
    kept: list[Item] = []
    for item in reversed(items):
        size = len(encoder.encode(item)) + 1
        if size > room - MORE_GROWS_BYTES:
            break
        kept.append(item)
        room -= size
    return kept[::-1], room


def json_bytes(text: str) -> int:
    """Return how many bytes a text takes in JSON, without its quotation marks."""
    return len(encoder.encode(text)) - 2


def cut(text: str | None, limit: int) -> str | None:
    """Return the longest beginning of `text` that takes at most `limit` bytes in JSON; `None` for `None`."""
    if text is None:
        return None
    text = text[:limit]
    while json_bytes(text) > limit:
        text = text[:-1]
    return text
