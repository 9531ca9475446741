"""The parts of a mail that reports on another: their texts, and what they return of that mail."""

import re
from collections.abc import Iterator
from email.message import Message

from services.ingest.domain import charsets, html_text, texts
from shared import handles

RETURNED_KINDS = frozenset(
    {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}
)
PARTS_MAX = 16
DEPTH_MAX = 4
TEXT_MAX_CHARACTERS = 65_536

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


def children(of: Message) -> list[Message]:
    """Return the parts of a part; [] where it is one."""
    payload = of.get_payload()
    return [each for each in payload if isinstance(each, Message)] if of.is_multipart() else []


def content(part: Message) -> str:
    """Return the beginning of what a part holds, as text."""
    try:
        body = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        body = None
    if not isinstance(body, bytes):
        return texts.of_lines(str(part.get_payload())[:TEXT_MAX_CHARACTERS])
    read = texts.of_lines(charsets.decode(body[:TEXT_MAX_CHARACTERS], declared(part)))
    return html_text.to_text(read) if part.get_content_type() == "text/html" else read


def declared(part: Message) -> str | None:
    """Return the charset that a part says it is in."""
    try:
        return part.get_content_charset()
    except (ValueError, LookupError, TypeError):
        return None


def walked(mail: Message, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Give (media type, text) of the parts of a mail in order; of a mail inside it only the head."""
    kind = mail.get_content_type()
    inside = children(mail)
    if kind in {"message/rfc822", "message/global"} and inside:
        yield kind, "\n".join(f"{name}: {value}" for name, value in inside[0].raw_items())
    elif inside and depth < DEPTH_MAX:
        for each in inside[:PARTS_MAX]:
            if kind.startswith("message/"):
                yield kind, "\n".join(f"{name}: {value}" for name, value in each.raw_items())
            yield from walked(each, depth + 1)
    elif kind.startswith(("text/", "message/", "multipart/")):
        yield kind, content(mail)


def returned_id(mail: Message) -> str | None:
    """Return the raw Message-ID of the mail that a report returns, or names in its words; `None` where it does not."""
    parts = list(walked(mail))
    heads = [text for kind, text in parts if kind in RETURNED_KINDS]
    texts = [*heads, *(text for _, text in parts)]
    for found in (line.search(text) for line in (_ID_LINE, _ORIGINAL_LINE) for text in texts):
        if found:
            written = found[1]
            return written if written.startswith("<") else f"<{written}>"
    return None


def returned_recipient(mail: Message) -> str | None:
    """Return to whom the returned mail was written."""
    for kind, text in walked(mail):
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
