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
    r"|pôvodná správa|původní zpráva|ursprüngliche nachricht)\s*[-_]{2,}\s*\Z",
    re.IGNORECASE,
)
_RULE = re.compile(r"_{20,}\s*\Z")
"""A line that some programs draw above a quoted mail's head; by itself it is the customer's."""
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
_HEADER = re.compile(r"\*?[\w ]{1,40}\*?:\*?\s")
"""A line of a quoted mail's head, in whatever language."""

_HEADERS_MAX = 6
_SIGNATURE = "-- "
"""RFC 3676, section 4.3: with its blank; two dashes alone are the customer's."""


def new_part(text: str) -> str | None:
    """Return the text without quotes, quoted mails and the signature; `None` when it is all new or all quoted.

    Below what announces a quote, a line or the head of a mail, only what is quoted goes, where the quote is marked: she
    may have answered between its lines or below them. Where it is not marked, all of it goes.
    """
    lines = text.split("\n")
    last_quoted = max((at for at, line in enumerate(lines) if line.startswith(">")), default=-1)
    kept: list[str] = []
    at = 0
    while at < len(lines):
        original, announcing = _original(lines, at), _announcing(lines, at)
        unmarked = original and not _looked_at(lines, at + original).startswith(">")
        if _is_signature(lines, at) or unmarked or (announcing and at > last_quoted):
            break
        if not (original or announcing or lines[at].startswith(">")):
            kept.append(lines[at])
        at += original or announcing or 1
    part = "\n".join(kept).strip()
    return part if part and part != text.strip() else None


def _is_signature(lines: list[str], at: int) -> bool:
    return _looked_at(lines, at).rstrip("\r") == _SIGNATURE


def _original(lines: list[str], at: int) -> int:
    """Return of how many lines the head of a quoted mail is that begins here; 0 where none does."""
    begin = at + 1 if _RULE.match(_looked_at(lines, at)) else at
    line = _looked_at(lines, begin)
    announced = _ORIGINAL_FOLLOWS.match(line) is not None
    if not announced and not (_HEADER_OF_ORIGINAL.match(line) and _dated(lines, begin + 1)):
        return 0
    end = begin + 1
    while end - begin <= _HEADERS_MAX and _HEADER.match(_looked_at(lines, end)):
        end += 1
    while end < len(lines) and not lines[end].strip():
        end += 1
    return end - at


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
