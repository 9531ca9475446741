"""What an event may hold: what every store behind the ledger can write down as it stands.

The ledger keeps an event for ever. One that the projection cannot write would stop it for ever, so `shared.codec` makes
no bytes of it.
"""

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args, get_type_hints

import msgspec

from shared import instants
from shared.errors import EventUnwritable
from shared.events import AnyEvent

WHOLE_MIN, WHOLE_MAX = -(2**63), 2**63 - 1
"""Postgres' `bigint`, and what JSON readers count exactly or refuse."""
ID_MAX_BYTES = 512
"""Three of them stand in one index, of which Postgres takes 2,704 bytes. None holds a NUL: a row is asked for by it."""


def check(event: AnyEvent) -> None:
    """Raises: EventUnwritable, which names the first field that is out of bounds, and why."""
    _check(event, "", is_id=False)


def _check(value: Any, field: str, *, is_id: bool) -> None:
    if isinstance(value, msgspec.Struct):
        ids = _ids_of(type(value))
        for name in value.__struct_fields__:
            _check(getattr(value, name), f"{field}.{name}", is_id=name in ids)
    elif isinstance(value, Mapping):
        for each in (*value.keys(), *value.values()):
            _check(each, field, is_id=is_id)
    elif isinstance(value, list | tuple):
        for each in value:
            _check(each, field, is_id=is_id)
    elif (why := _problem(value, is_id=is_id)) is not None:
        raise EventUnwritable(field=field.lstrip("."), reason=why)


def _problem(value: object, *, is_id: bool) -> str | None:
    """Return why a value cannot be kept; `None` if it can."""
    match value:
        case str():
            return _text_problem(value, is_id=is_id)
        case int():
            return None if WHOLE_MIN <= value <= WHOLE_MAX else "whole_number_too_large"
        case datetime():
            return None if instants.is_kept_by_all(value) else "instant_out_of_range"
        case _:
            return None


def _text_problem(text: str, *, is_id: bool) -> str | None:
    if text.isascii():
        size_bytes = len(text)
    else:
        try:
            size_bytes = len(text.encode())
        except UnicodeEncodeError:
            return "half_a_character"
    if not is_id:
        return None
    return "nul_in_id" if "\0" in text else "id_too_long" if size_bytes > ID_MAX_BYTES else None


@functools.cache
def _ids_of(kind: type[msgspec.Struct]) -> frozenset[str]:
    """Return the fields that hold ids: of a type of their own, as `ConversationId` is."""
    hints = get_type_hints(kind)
    return frozenset(name for name in kind.__struct_fields__ if _is_id(hints[name]))


def _is_id(hint: Any) -> bool:
    return hasattr(hint, "__supertype__") or any(_is_id(each) for each in get_args(hint))
