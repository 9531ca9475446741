"""What a row is: a struct whose fields are the columns of its table, by name and in order. Pure."""

import functools
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

import msgspec

Key = tuple[str, str]
"""(tenant, id)"""

TRUE_AT = "true_at"
"""The column beside the rows of an answer that says the ledger position of the snapshot."""
FOUND = "found"
"""The column beside it that is true: where nothing is found, the position comes alone."""

Words = Annotated[str, "words"]
"""What people said or wrote: a digest holds its SHA-256, never the words."""


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row. `table`: where it stands; `key`: the columns of the primary key, in order."""

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]


class AddedRow(Row, frozen=True, kw_only=True):
    """A row that is written once, when its event comes. `sequence`: the event's."""

    key = ("sequence",)
    sequence: int


class ReplacedRow(Row, frozen=True, kw_only=True):
    """A row that is written again as a whole whenever an event changes it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `kind`: the type of its values, `str`, `int`, `bool`, `bytes` or `datetime`; `words`: see `Words`."""

    name: str
    kind: type
    nullable: bool
    words: bool


@functools.cache
def columns(row: type[Row]) -> tuple[Column, ...]:
    """Return the columns of a table, as its row struct says."""
    hints = get_type_hints(row, include_extras=True)
    return tuple(_column(name, hints[name]) for name in row.__struct_fields__)


@functools.cache
def text_places(row: type[Row]) -> tuple[int, ...]:
    """Return which values of a row may be texts, by their place."""
    return tuple(place for place, column in enumerate(columns(row)) if column.kind is str)


def _column(name: str, hint: Any) -> Column:
    """Return a column for a type like `int`, `Words` or `str | None`."""
    given = {hint} if hint is Words else set(get_args(hint)) or {hint}
    (held,) = given - {type(None)}
    kind = str if held is Words else held
    return Column(name, kind, nullable=type(None) in given, words=held is Words)
