"""Puts what came together into the order that its provider numbers: its requests may overtake each other."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from shared import events

K = TypeVar("K")


def in_order(
    reports: Sequence[tuple[K, events.ContactEvent]],
) -> list[tuple[K, events.ContactEvent]]:
    """Return the reports with those of one contact and series by their numbers; all others keep their places."""
    places: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place, (_, event) in enumerate(reports):
        numbered = _numbered(event)
        if numbered is not None:
            places[event.aggregate, numbered.series].append(place)
    ordered = list(reports)
    for mine in places.values():
        by_number = sorted((reports[place] for place in mine), key=lambda each: _number(each[1]))
        for place, report in zip(mine, by_number, strict=True):
            ordered[place] = report
    return ordered


def _numbered(event: events.ContactEvent) -> events.Numbered | None:
    return None if isinstance(event, events.AccountEvent) else event.open.numbered


def _number(event: events.ContactEvent) -> int:
    numbered = _numbered(event)
    return 0 if numbered is None else numbered.number
