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
    return list(_walked(mail, 0))


def _walked(mail: Part, depth: int) -> Iterator[tuple[str, str]]:
    kind, inside = mail.kind, mail.inside
    if kind in {"message/rfc822", "message/global"} and inside:
        yield kind, _head(inside[0])
    elif inside and depth < DEPTH_MAX:
        for each in inside[:PARTS_MAX]:
            if kind.startswith("message/"):
                yield kind, _head(each)
            yield from _walked(each, depth + 1)
    elif kind.startswith(("text/", "message/", "multipart/")):
        yield kind, content(mail)


def _head(mail: Part) -> str:
    return "\n".join(f"{name}: {value}" for name, value in mail.fields)


def returned_id(parts: Texts) -> str | None:
    """Return the raw Message-ID of the mail that a report returns, or names in its words; `None` where it does not."""
    heads = [text for kind, text in parts if kind in RETURNED_KINDS]
    all_of_them = [*heads, *(text for _, text in parts)]
    for found in (line.search(text) for line in (_ID_LINE, _ORIGINAL_LINE) for text in all_of_them):
        if found:
            written = found[1]
            return written if written.startswith("<") else f"<{written}>"
    return None


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
