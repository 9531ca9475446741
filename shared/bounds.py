"""What an event may hold: what every store behind the ledger can write down as it stands.

The ledger keeps an event for ever. One that the projection cannot write would stop it for ever, so `shared.codec` makes
no bytes of it.
"""

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from shared import instants
from shared.errors import EventUnwritable
from shared.events import AnyEvent

WHOLE_MIN, WHOLE_MAX = -(2**63), 2**63 - 1
"""Postgres' `bigint`, and what JSON readers count exactly or refuse."""
ID_MAX_BYTES = 512
"""Three of them stand in one index, of which Postgres takes 2,704 bytes. None holds a NUL: a row is asked for by it."""


def check(event: AnyEvent) -> None:
    """Raises: EventUnwritable, which names the first field that is out of bounds, and why.

    Half a character is not looked for: who writes the event down meets it, see `half_a_character`.
    """
    _raise(_found(event, is_id=False, fields_of=_bounded_of))


def half_a_character(event: AnyEvent) -> None:
    """As `check`, for an event that cannot be written as UTF-8."""
    _raise(_found(event, is_id=False, fields_of=_all_of))


Fields = tuple[tuple[str, bool], ...]
"""Fields of a struct, and whether each holds ids."""
Found = tuple[str, str]
"""The path of what is out of bounds, and why it is."""


def _raise(found: Found | None) -> None:
    if found is not None:
        field, reason = found
        raise EventUnwritable(field=field.removeprefix("."), reason=reason)


def _found(
    value: Any, *, is_id: bool, fields_of: Callable[[type[msgspec.Struct]], Fields]
) -> Found | None:
    """Return the first thing out of bounds in a value; `None` if there is none."""
    if value is None:
        return None
    if isinstance(value, str | int | datetime):
        why = _problem(value, is_id=is_id)
        return None if why is None else ("", why)
    if isinstance(value, msgspec.Struct):
        for name, ids in fields_of(type(value)):
            found = _found(getattr(value, name), is_id=ids, fields_of=fields_of)
            if found is not None:
                return f".{name}{found[0]}", found[1]
    elif isinstance(value, list | tuple | Mapping):
        inside = (*value.keys(), *value.values()) if isinstance(value, Mapping) else value
        for each in inside:
            found = _found(each, is_id=is_id, fields_of=fields_of)
            if found is not None:
                return found
    return None


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
def _all_of(kind: type[msgspec.Struct]) -> Fields:
    """Ids are of a type of their own, as `ConversationId` is."""
    hints = get_type_hints(kind)
    return tuple((name, _any_in(hints[name], _is_id)) for name in kind.__struct_fields__)


@functools.cache
def _bounded_of(kind: type[msgspec.Struct]) -> Fields:
    """Return the fields that may hold anything but text, which is written as it is, and what is of a few values."""
    hints = get_type_hints(kind)
    return tuple((name, ids) for name, ids in _all_of(kind) if _any_in(hints[name], _is_bounded))


def _any_in(hint: Any, holds: Callable[[Any], bool]) -> bool:
    """Tell whether something holds for a type, or for one of those that it is made of."""
    inside = () if get_origin(hint) is Literal else get_args(hint)
    return any(_any_in(each, holds) for each in inside) if inside else holds(hint)


def _is_id(hint: Any) -> bool:
    return hasattr(hint, "__supertype__")


def _is_bounded(hint: Any) -> bool:
    return hint not in {str, bool, float, type(None), ...} and get_origin(hint) is not Literal
