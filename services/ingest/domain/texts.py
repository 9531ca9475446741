"""Texts from outside, made fit for a store: no NUL, no half characters, a known length."""

import re
from collections.abc import Iterable

import msgspec

TEXT_MAX_BYTES = 131_072
"""Longest text of an event, as JSON on the wire; all of it stays in RAW. A message on the bus holds 256 KiB."""

LINE_MAX_BYTES = 2_048
"""Longest single line (a title, a name), as JSON on the wire."""

QUOTED_MAX_BYTES = 2_048
"""Longest form of what a message answers, as JSON on the wire: enough to know it by."""

REPLACEMENT = "\ufffd"

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape of JSON; the group is half of a surrogate pair."""


def clean(text: str) -> str:
    """Return `text` with each NUL and each half of a surrogate pair replaced by U+FFFD.

    Postgres refuses the first in its texts, UTF-8 the second.
    """
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", REPLACEMENT)


def fit(text: str, max_bytes: int = TEXT_MAX_BYTES) -> str:
    """Return `text`, clean and cut so that its JSON form takes at most `max_bytes`."""
    fitting = clean(text[:max_bytes])
    while (size := len(msgspec.json.encode(fitting))) > max_bytes:
        fitting = fitting[: min(len(fitting) * max_bytes // size, len(fitting) - 1)]
    return fitting


def line(text: str | None, max_bytes: int = LINE_MAX_BYTES) -> str | None:
    """Return `text` as one line without outer blanks; `None` when nothing is left."""
    if text is None:
        return None
    return fit(" ".join(text[: 4 * max_bytes].split()), max_bytes) or None


def quoted(lines: Iterable[str]) -> str | None:
    """Return what a message answers, each line once; `None` when nothing tells it."""
    told = "\n".join(dict.fromkeys(each for each in lines if each))
    return fit(told, QUOTED_MAX_BYTES) or None


def whole_json(text: str) -> bytes:
    """Return a JSON text as its readers take it: each half of a surrogate pair is U+FFFD, which browsers send too."""
    text = text.removeprefix("\ufeff")
    marked = _ESCAPE.sub(lambda each: each[0] if each[1] is None else REPLACEMENT, text)
    return clean(marked).encode()


_RETURNS = re.compile(r"\r++\n?")


def of_lines(text: str) -> str:
    """Return a text whose lines end in a line feed alone: also those of a program that ends them in CR, or twice so."""
    return _RETURNS.sub(_line_ends, text) if "\r" in text else text


def _line_ends(returns: re.Match[str]) -> str:
    return "\n" if returns[0].endswith("\n") else "\n" * len(returns[0])
