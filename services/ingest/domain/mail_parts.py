"""The parts of a mail that reports on another: their texts, and what they return of that mail."""

import re
from collections.abc import Iterator, Sequence

from services.ingest.domain import charsets, html_text, mime_parts, texts
from services.ingest.domain.mime_tree import Part
from shared import handles

RETURNED_KINDS = frozenset(
    {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}
)
PARTS_MAX = 16
DEPTH_MAX = 4
TEXT_MAX_CHARACTERS = 65_536

Texts = Sequence[tuple[str, str]]
"""What parts hold, each with its media type."""

_ID_LINE = re.compile(
    r"^[> \t]*Message-ID:\s*(<[^<>\s]+>|[^<>\s]+@[^<>\s]+)", re.IGNORECASE | re.MULTILINE
)
_ORIGINAL_LINE = re.compile(
    r"^(?:X-)?Original-Message-ID:\s*(<[^<>\s]+>|[^<>\s]+@[^<>\s]+)", re.IGNORECASE | re.MULTILINE
)
"""How a server names a mail of which it returns nothing (chatmail/core#1478, read 2026-11)."""
_FIELD = re.compile(r"^([!-9;-~]+)[ \t]*:[ \t]*(.*(?:\r?\n[ \t].*)*)", re.MULTILINE)
_BELOW = re.compile(r"\r?\n\r?\n")
_BARE = re.compile(r"[^\s<>()\[\],;:\"'=]+@[^\s<>()\[\],;:\"'=]+")


def content(part: Part) -> str:
    """Return the beginning of what a part holds, as text."""
    body = mime_parts.content(part)[:TEXT_MAX_CHARACTERS]
    read = texts.of_lines(charsets.decode(body, mime_parts.charset(part)))
    return html_text.to_text(read) if part.kind == "text/html" else read


def all_texts(mail: Part) -> Texts:
    """Return (media type, text) of the parts of a mail in order; of a mail inside it only the head."""
    return list(_walked(mail, 0, None))


def returned_heads(mail: Part) -> Texts:
    """Return those of its texts that are heads of a mail which it returns."""
    return list(_walked(mail, 0, RETURNED_KINDS))


def _walked(mail: Part, depth: int, only: frozenset[str] | None) -> Iterator[tuple[str, str]]:
    kind, inside = mail.kind, mail.inside
    wanted = only is None or kind in only
    if kind in {"message/rfc822", "message/global"} and inside:
        if wanted:
            yield kind, _head(inside[0])
    elif inside and depth < DEPTH_MAX:
        for each in inside[:PARTS_MAX]:
            if wanted and kind.startswith("message/"):
                yield kind, _head(each)
            yield from _walked(each, depth + 1, only)
    elif wanted and kind.startswith(("text/", "message/", "multipart/")):
        yield kind, content(mail)


def _head(mail: Part) -> str:
    return "\n".join(f"{name}: {value}" for name, value in mail.fields)


def returned_id(parts: Texts) -> str | None:
    """Return the raw Message-ID of the mail that a report returns, or names in its words; `None` where it does not."""
    heads = [each for each in parts if each[0] in RETURNED_KINDS]
    return id_in([*heads, *parts]) or id_in([*heads, *parts], _ORIGINAL_LINE)


def id_in(parts: Texts, line: re.Pattern[str] = _ID_LINE) -> str | None:
    """Return the first id that stands in a line of its kind."""
    found = next((found for _, text in parts if (found := line.search(text))), None)
    return None if found is None else found[1] if found[1].startswith("<") else f"<{found[1]}>"


def returned_recipient(parts: Texts) -> str | None:
    """Return to whom the returned mail was written."""
    for kind, text in parts:
        if kind in RETURNED_KINDS:
            head = _BELOW.split(text.lstrip(), maxsplit=1)[0]
            return address(next((value for name, value in fields(head) if name == "to"), ""))
    return None


def fields(head: str) -> Iterator[tuple[str, str]]:
    """Give (name in lower case, value) of the fields of a head, in order; what is no field is left out."""
    return ((found[1].lower(), found[2]) for found in _FIELD.finditer(head))


def address(written: str) -> str | None:
    """Return the first address in a text; `None` where there is none."""
    found = (handles.email(each[0].strip(".")) for each in _BARE.finditer(written))
    return next((each for each in found if each is not None), None)


def addresses(written: str) -> Iterator[str]:
    """Give the addresses in a text, in order."""
    found = (handles.email(each[0].strip(".")) for each in _BARE.finditer(written))
    yield from (each for each in found if each is not None)
