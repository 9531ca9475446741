"""The parameters of a field, in whichever form they are written; none is lost for a mistake.

Sources: RFC 2045, section 5.1 (parameters), RFC 2231, sections 3 and 4 (in pieces, in other charsets), read 2026-11-22.
"""

import re
from urllib.parse import unquote

LOOKED_AT_MAX_CHARACTERS = 2_048
"""A field with parameters that is longer is read in a plain way, and no further than this."""

Extended = tuple[str | None, str]
"""A value of RFC 2231: the charset that it says it is in, and its bytes, each as the letter of its number."""

_PIECE = re.compile(r"(\w+)\*(?:([0-9]+)\*?)?", re.ASCII)
_PLAIN = r';\s*{}\s*=\s*(?:"([^"]*)"|([^\s;"]+))'


def of(written: str, name: str) -> str | Extended | None:
    """Return the first parameter of a name, `name` in lower case; `None` where there is none."""
    if name not in written.lower():
        return None
    if len(written) > LOOKED_AT_MAX_CHARACTERS:
        return _plain(written[:LOOKED_AT_MAX_CHARACTERS], name)
    if "*" not in written:
        found = (_named(each) for each in _divided(written))
        return next((unquoted(value) for each, value in found if each == name), None)
    try:
        return next((value for each, value in every(written) if each == name), None)
    except TypeError:
        return _plain(written, name)


def every(written: str) -> list[tuple[str, str | Extended]]:
    """Return all of a field, (name in lower case, value): first what it has before them, then those in pieces last.

    Raises: TypeError for pieces of one name that have no order.
    """
    (kind, itself), *others = (_named(each) for each in _divided(written))
    found: list[tuple[str, str | Extended]] = [(kind, unquoted(itself))]
    pieces: dict[str, list[tuple[int | None, str, bool]]] = {}
    for name, quoted in others:
        value, piece = unquoted(quoted), _PIECE.fullmatch(name) if "*" in name else None
        if piece is None:
            found.append((name, value))
        else:
            number = None if piece[2] is None else int(piece[2])
            pieces.setdefault(piece[1], []).append((number, value, name.endswith("*")))
    found += [(name, _joined(sorted(values))) for name, values in pieces.items()]
    return found


def collapsed(value: str | Extended) -> str:
    """Return a value as text. Raises: ValueError for a charset that is none."""
    if isinstance(value, str):
        return unquoted(value)
    charset, written = value
    try:
        return written.encode("raw-unicode-escape").decode(charset or "us-ascii", "replace")
    except LookupError:
        return unquoted(written)


def unquoted(value: str) -> str:
    """Return a value without the quotes or angle brackets around it."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace("\\\\", "\\").replace('\\"', '"')
    return value[1:-1] if len(value) > 1 and value[0] == "<" and value[-1] == ">" else value


def _divided(written: str) -> list[str]:
    """Return what stands between the semicolons that are in no quotes."""
    if '"' not in written:
        return written.split(";")
    divided, start = [], 0
    while start <= len(written):
        end = written.find(";", start)
        while end > start and _is_open(written, start, end):
            end = written.find(";", end + 1)
        end = len(written) if end < 0 else end
        divided.append(written[start:end])
        start = end + 1
    return divided


def _is_open(written: str, start: int, end: int) -> bool:
    return (written.count('"', start, end) - written.count('\\"', start, end)) % 2 == 1


def _named(written: str) -> tuple[str, str]:
    name, _, value = written.partition("=")
    return name.strip().lower(), value.strip()


def _joined(pieces: list[tuple[int | None, str, bool]]) -> str | Extended:
    """Return a value of its pieces in order, each (number, value, whether it has bytes by their numbers)."""
    value = "".join(
        unquote(each, encoding="latin-1") if escaped else each for _, each, escaped in pieces
    )
    if not any(escaped for _, _, escaped in pieces):
        return value
    said = value.split("'", 2)
    return (said[0], said[2]) if len(said) == 3 else (None, value)


def _plain(written: str, name: str) -> str | None:
    """Return a parameter that is written in the plain form, `name=value` or `name="value"`."""
    found = re.search(_PLAIN.format(re.escape(name)), written, re.IGNORECASE)
    return None if found is None else found[1] or found[2] or None
