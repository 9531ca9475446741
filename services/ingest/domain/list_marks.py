"""Marks of what a provider's list was asked for: with each entry its key and its moment stand in RAW.

The moment is the provider's own text, by its clock: it is shown to nobody but the provider, as the place to go on from.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

_MARK = re.compile(r"list:/(?P<key>[^;]*);at=(?P<moment>[^;]*)\Z")


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
