"""Cursors: where lists go on, by their names, as whoever asks gets it and gives it back."""

import base64
import binascii
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from shared.errors import CommandUnreadable

Found = TypeVar("Found")


def written(places: Mapping[str, object]) -> str | None:
    """Return the cursor of these places; `None` when there are none."""
    return base64.urlsafe_b64encode(msgspec.json.encode(places)).decode() if places else None


def read(cursor: str, decoder: msgspec.json.Decoder[Found]) -> Found:
    """Return the places of a cursor. Raises: CommandUnreadable for what is none, or has other places than these."""
    try:
        found = decoder.decode(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise unreadable() from error
    if not found:
        raise unreadable()
    return found


def unreadable() -> CommandUnreadable:
    """Return the refusal of an `after` that no answer gave."""
    return CommandUnreadable("`after` is the `next` of no answer")
