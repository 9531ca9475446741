"""The new part of an answer: a view that can be computed again; the full text is kept beside it."""

import re

LINE_LOOKED_AT_CHARACTERS = 300

_QUOTE_FOLLOWS = re.compile(
    r"(?:on|am|le|el|dnia|w dniu|dne|dňa|op)\b.{4,280}"
    r"(?:wrote|schrieb|a écrit|escribió|napisał\(?a?\)?|napsal\(?a?\)?|napísal\(?a?\)?|schreef)[^:]{0,80}:\s*\Z",
    re.IGNORECASE,
)
"""The line before a quoted mail, as the usual programs write it in the languages of our customers."""

_ORIGINAL_FOLLOWS = re.compile(
    r"[-_]{2,}\s*(?:original message|forwarded message|oryginalna wiadomość|wiadomość oryginalna"
    r"|pôvodná správa|původní zpráva|ursprüngliche nachricht)\s*[-_]{2,}\s*\Z|_{20,}\s*\Z",
    re.IGNORECASE,
)
_HEADER_OF_ORIGINAL = re.compile(r"\*?(?:from|od|von|de)\*?:\s*\S", re.IGNORECASE)
_HEADER_BELOW = re.compile(
    r"\*?(?:cc|to|subject|do|temat|komu|předmět|predmet|an|betreff|pour|objet|para|asunto)\*?:",
    re.IGNORECASE,
)
_DATE_BELOW = re.compile(
    r"\*?(?:sent|date|wysłano|data|odoslané|dátum|odesláno|datum|gesendet|envoyé|enviado)\*?:",
    re.IGNORECASE,
)
"""Without it two lines that begin with `from` and `to` are the way of a parcel."""
_HEADERS_MAX = 6
_SIGNATURE = "-- "
"""RFC 3676, section 4.3: with its blank; two dashes alone are the customer's."""


def new_part(text: str) -> str | None:
    """Return the text without quotes, quoted mails and the signature; `None` when it is all new or all quoted.

    Below the line that announces a quote only what is quoted goes, where the quote is marked: she may have answered
    between its lines. Where it is not marked, all of it goes.
    """
    lines = text.split("\n")
    last_quoted = max((at for at, line in enumerate(lines) if line.startswith(">")), default=-1)
    kept: list[str] = []
    at = 0
    while at < len(lines):
        announcing = _announcing(lines, at)
        if _ends(lines, at) or (announcing and at > last_quoted):
            break
        if not announcing and not lines[at].startswith(">"):
            kept.append(lines[at])
        at += announcing or 1
    part = "\n".join(kept).strip()
    return part if part and part != text.strip() else None


def _ends(lines: list[str], at: int) -> bool:
    """Tell whether the signature or a whole quoted mail begins on a line."""
    line = _looked_at(lines, at)
    if line.rstrip("\r") == _SIGNATURE or _ORIGINAL_FOLLOWS.match(line):
        return True
    return bool(_HEADER_OF_ORIGINAL.match(line)) and _dated(lines, at + 1)


def _dated(lines: list[str], at: int) -> bool:
    """Tell whether header lines with a date among them follow."""
    for index in range(at, at + _HEADERS_MAX):
        line = _looked_at(lines, index)
        if _DATE_BELOW.match(line):
            return True
        if not _HEADER_BELOW.match(line):
            return False
    return False


def _announcing(lines: list[str], at: int) -> int:
    """Return how many lines announce a quote here: 0, 1 or 2."""
    line, following = _looked_at(lines, at), _looked_at(lines, at + 1)
    if _QUOTE_FOLLOWS.match(line):
        return 1
    if _QUOTE_FOLLOWS.match(following):
        return 0  # that line alone announces it, and this one is the customer's
    return 2 if _QUOTE_FOLLOWS.match(f"{line.rstrip()} {following.strip()}") else 0


def _looked_at(lines: list[str], at: int) -> str:
    return lines[at][:LINE_LOOKED_AT_CHARACTERS] if at < len(lines) else ""
