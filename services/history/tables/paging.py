"""Pages of a list: each begins behind the last line of the page before, whatever was added or taken away meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from services.history.tables.row import FOUND, TRUE_AT
from shared import cursors, instants

Line = TypeVar("Line", bound=msgspec.Struct)
Place = tuple[datetime, str]
"""What a list is ordered by: an instant, and an id among those of one instant."""
BESIDE = frozenset({"page_at", "page_id", TRUE_AT, FOUND})
"""Columns of a list that are no part of its lines."""

_places = msgspec.json.Decoder(dict[str, Place])
_ids = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True)
class Page(Generic[Line]):
    """Lines of a list. `count`: of the whole list; `going_on`: by the list's name where the next page begins."""

    lines: list[Line]
    count: int
    going_on: Mapping[str, Place]

    @property
    def next(self) -> str | None:
        return cursors.written(self.going_on)


def page(
    kind: type[Line], name: str, rows: Sequence[Mapping[str, Any]], limit: int, count: int
) -> Page[Line]:
    """Return the first `limit` rows as a page; there is a next one if there are more."""
    shown = rows[:limit]
    lines = [
        kind(**{field: value for field, value in row.items() if field not in BESIDE})
        for row in shown
    ]
    going_on = {name: (shown[-1]["page_at"], shown[-1]["page_id"])} if len(rows) > limit else {}
    return Page(lines, count, going_on)


def place(after: str | None, name: str) -> Place | None:
    """Return where a list goes on; `None` at the beginning. Raises: CommandUnreadable."""
    if after is None:
        return None
    found = cursors.read(after, _places)
    check(found)
    if found.keys() != {name}:
        raise cursors.unreadable()
    return found[name]


def check(places: Mapping[str, Place]) -> None:
    """Raises: CommandUnreadable for a place that no list has."""
    if not all(instants.is_kept_by_all(at) and "\0" not in name for at, name in places.values()):
        raise cursors.unreadable()


def latest(
    lists: Mapping[str, Mapping[Any, Any]], after: str | None, limit: int
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Return the latest `limit` entries of lists that grow at their end, and the id before which each one goes on.

    `lists`: by name, the entries of each by id. With `after` the entries before those of the page before are returned,
    none of a list that it has brought to its end. Raises: CommandUnreadable.
    """
    before = None if after is None else cursors.read(after, _ids)
    if before is not None and not before.keys() <= lists.keys():
        raise cursors.unreadable()
    shown, going_on = {}, {}
    for name, entries in lists.items():
        if before is None and len(entries) <= limit:
            shown[name] = list(entries.values())
            continue
        ids = list(entries)
        end = _end(ids, name, before)
        start = max(0, end - limit)
        shown[name] = [entries[each] for each in ids[start:end]]
        if start:
            going_on[name] = ids[start]
    return shown, going_on


def _end(ids: Sequence[str], name: str, before: Mapping[str, str] | None) -> int:
    """Return where a page of a list ends. Raises: CommandUnreadable for an id that is not in it."""
    if before is None:
        return len(ids)
    if name not in before:
        return 0
    if before[name] not in ids:
        raise cursors.unreadable()
    return ids.index(before[name])
