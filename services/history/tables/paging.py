"""Pages of a list: each begins behind the last line of the page before, whatever was added or taken away meanwhile."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from shared.errors import CommandUnreadable

Line = TypeVar("Line", bound=msgspec.Struct)
Place = tuple[datetime, str]
"""What a list is ordered by: an instant, and an id among those of one instant."""
PLACE_COLUMNS = frozenset({"page_at", "page_id"})

_decoder = msgspec.json.Decoder(dict[str, Place])


@dataclass(frozen=True, slots=True)
class Page(Generic[Line]):
    """Lines of a list. `count`: of the whole list; `going_on`: by the list's name where the next page begins."""

    lines: list[Line]
    count: int
    going_on: Mapping[str, Place]

    @property
    def next(self) -> str | None:
        return cursor(self.going_on)


def page(
    kind: type[Line], name: str, rows: Sequence[Mapping[str, Any]], limit: int, count: int
) -> Page[Line]:
    """Return the first `limit` rows as a page; there is a next one if there are more."""
    shown = rows[:limit]
    lines = [
        kind(**{field: value for field, value in row.items() if field not in PLACE_COLUMNS})
        for row in shown
    ]
    going_on = {name: (shown[-1]["page_at"], shown[-1]["page_id"])} if len(rows) > limit else {}
    return Page(lines, count, going_on)


def cursor(going_on: Mapping[str, Place]) -> str | None:
    """Return the `after` of the next page; `None` when there is none."""
    if not going_on:
        return None
    return base64.urlsafe_b64encode(msgspec.json.encode(going_on)).decode()


def places(after: str | None) -> Mapping[str, Place] | None:
    """Return where each list goes on; `None` at the beginning. Raises: CommandUnreadable."""
    if after is None:
        return None
    try:
        found = _decoder.decode(base64.urlsafe_b64decode(after))
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise CommandUnreadable("`after` is the `next` of no answer") from error
    if not found or not all(
        at.tzinfo is not None and "\0" not in name for at, name in found.values()
    ):
        raise CommandUnreadable("`after` is the `next` of no answer")
    return found
