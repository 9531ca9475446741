"""Marks of what a provider's list was asked for: with each entry its key and its moment stand in RAW.

The moment is the provider's own text, by its clock: it is shown to nobody but the provider, as the place to go on from.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, unquote

_MARK = re.compile(r"list:/(?P<key>[^;]*);at=(?P<moment>[^;]*)\Z")

CLOCKS_APART = timedelta(days=1)
"""So far ahead of ours a provider's clock may be: it may show the time of any zone."""


@dataclass(frozen=True, slots=True)
class ListMark:
    """Which entry of the list a delivery is. `key`: the provider's id of it; `moment`: when it was, as it says."""

    key: str
    moment: str

    @property
    def url(self) -> str:
        """The mark as RAW keeps it, in the place of a request's path."""
        return f"list:/{quote(self.key, safe='')};at={quote(self.moment, safe='')}"


def mark(url: str) -> ListMark | None:
    """Return the mark of a delivery; `None` for one that came through the door."""
    found = _MARK.match(url)
    return None if found is None else ListMark(unquote(found["key"]), unquote(found["moment"]))


def by_its_clock(moment: str) -> datetime | None:
    """Return a moment as the provider's clock shows it, without its zone; `None` for what is none (ISO 8601)."""
    try:
        return datetime.fromisoformat(moment).replace(tzinfo=None)
    except ValueError:
        return None


class SeenEntries:
    """Which entries of a list RAW holds: of each the hashes of its bytes, for one that has changed is stored anew.

    `now`: our clock. A moment that lies beyond it is an entry like any other, and nothing to go on from: what is asked
    for from there on would be nothing for years.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._hashes: dict[ListMark, set[str]] = {}
        self._shown: set[ListMark] | None = None

    def __contains__(self, entry: tuple[ListMark, str]) -> bool:
        mark, sha256 = entry
        return sha256 in self._hashes.get(mark, ())

    def note(self, mark: ListMark, sha256: str) -> None:
        self._hashes.setdefault(mark, set()).add(sha256)
        self.show(mark)

    def since(self, overlap: timedelta) -> datetime | None:
        """Return from where on the list is asked for again; `None` when nothing of it was seen."""
        latest = self._now().replace(tzinfo=None) + CLOCKS_APART
        told = (by_its_clock(each.moment) for each in self._hashes)
        moments = [moment for moment in told if moment is not None and moment <= latest]
        try:
            return max(moments) - overlap if moments else None
        except OverflowError:
            return None

    def reaches(self, overlap: timedelta) -> bool:
        """Tell whether an entry from before that was seen: those from then on came later into RAW, but for a few that
        had changed, and are stored once more."""
        return bool(self._before(self.since(overlap)))

    def show(self, mark: ListMark) -> None:
        """Note that the list has an entry, now that it is asked for."""
        if self._shown is not None:
            self._shown.add(mark)

    def forget(self, overlap: timedelta) -> None:
        """Forget what is not asked for again, before the list is: what went before its overlap, and of what has no
        moment to go by, which the list itself did not have any more when it was asked for last."""
        for each in self._before(self.since(overlap)):
            del self._hashes[each]
        if self._shown is not None:
            shown = self._shown
            gone = [
                each for each in self._hashes if each not in shown and not self._has_moment(each)
            ]
            for each in gone:
                del self._hashes[each]
        self._shown = set()

    def _has_moment(self, mark: ListMark) -> bool:
        return by_its_clock(mark.moment) is not None

    def _before(self, since: datetime | None) -> list[ListMark]:
        if since is None:
            return []
        told = ((each, by_its_clock(each.moment)) for each in self._hashes)
        return [each for each, moment in told if moment is not None and moment < since]
