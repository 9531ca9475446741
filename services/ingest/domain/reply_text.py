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
    r"\*?(?:sent|date|to|subject|wysłano|data|do|temat|odoslané|komu|odesláno|gesendet|an|betreff)\*?:",
    re.IGNORECASE,
)
_SIGNATURE = "-- "


def new_part(text: str) -> str | None:
    """Return the text without quotes, quoted mails and the signature; `None` when it is all new or all quoted."""
    lines = text.split("\n")
    kept = [line for line in lines[: _cut(lines)] if not line.startswith(">")]
    part = "\n".join(kept).strip()
    return part if part and part != text.strip() else None


def _cut(lines: list[str]) -> int:
    """Return the index of the first line that belongs to a quoted mail or the signature."""
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if _begins_quote(line, following):
            return index
    return len(lines)


def _begins_quote(line: str, following: str) -> bool:
    looked_at, after = line[:LINE_LOOKED_AT_CHARACTERS], following[:LINE_LOOKED_AT_CHARACTERS]
    if looked_at.rstrip("\r") in {_SIGNATURE, "--"}:
        return True
    if _ORIGINAL_FOLLOWS.match(looked_at) or _QUOTE_FOLLOWS.match(looked_at):
        return True
    if _HEADER_OF_ORIGINAL.match(looked_at) and _HEADER_BELOW.match(after):
        return True
    return bool(_QUOTE_FOLLOWS.match(f"{looked_at.rstrip()} {after.strip()}"))
