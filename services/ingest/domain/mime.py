"""A mail as it is read: what of it is text, what are files, and by our own limits.

Sources: RFC 5322, RFC 2045-2049 (MIME), read 2026-11-22.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from services.ingest.domain import (
    charsets,
    delivery_report,
    html_text,
    mail_headers,
    mime_parts,
    mime_tree,
    mime_written,
    texts,
)
from services.ingest.domain.delivery_report import DeliveryReport
from services.ingest.domain.mime_tree import Part

PARTS_MAX = 200
"""Parts that are looked at; the rest counts as attachments."""

DEPTH_MAX = 20
"""Parts inside of parts that are looked at; what is deeper counts as one attachment."""

TEXT_MAX_CHARACTERS = 262_144
"""How much text of a mail is read, markup included; an event keeps half of it, RAW all."""

SLICE_BYTES = mime_written.SLICE_BYTES

FILES_MAX = 16
"""Attachments that are described; the others are counted."""

TELLING_FIELDS = frozenset(
    {
        "from",
        "sender",
        "to",
        "date",
        "message-id",
        "subject",
        "received",
        "return-path",
        "mime-version",
    }
)
"""A body with none of these is no mail."""


@dataclass(frozen=True, slots=True)
class File:
    """A part that is no text of the mail. `size_bytes`, `sha256`: of its content, decoded; `name`: as it is written."""

    name: str | None
    kind: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Mail:
    """What the channel needs of a mail. `fields`: raw header fields in order, names in lower case.

    `first`: the first field of each name; `content_type`: its media type, without parameters; `text`: all of the text,
    plain; `attachments`: how many parts are not text; `files`: the first FILES_MAX of them; `report`: what it
    reports of another mail, `None` for all but delivery reports; `charset`: of its text.
    """

    fields: list[tuple[str, str]]
    first: Mapping[str, str]
    content_type: str
    text: str
    attachments: int
    files: Sequence[File] = ()
    report: DeliveryReport | None = None
    charset: str | None = None

    def raw_field(self, name: str) -> str | None:
        """Return the first field of a name as it was written; `None` when there is none."""
        return self.first.get(name)

    def field(self, name: str) -> str | None:
        """Return the first field of a name, decoded; `None` when there is none."""
        value = self.raw_field(name)
        return None if value is None else mail_headers.text(value, self.charset)

    def mailbox(self, name: str) -> tuple[str | None, str | None]:
        """Return (name, address) of the first mailbox in the first field of a name."""
        return mail_headers.sender(self.raw_field(name), self.charset)


@dataclass(slots=True)
class _Reading:
    """What was found so far.

    `parts`: how many were looked at; `free`: characters of text that may still be read; `named`: the texts among the
    attachments, each with its file where that is described; `described`: the parts that `files` describe.
    """

    parts: int = 0
    attachments: int = 0
    free: int = TEXT_MAX_CHARACTERS
    texts: list[str] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    described: list[Part] = field(default_factory=list)
    named: list[tuple[Part, File | None]] = field(default_factory=list)


def read(body: bytes) -> Mail | None:
    """Return the mail in `body`; `None` when it is none, or has more parts or fields than anybody writes."""
    try:
        return _read(mime_tree.read(_from_its_head(body)))
    except mime_tree.TooMuch:
        return None


def _read(mail: Part) -> Mail | None:
    if TELLING_FIELDS.isdisjoint(mail.first):
        return None
    fields = [(name.lower(), value) for name, value in mail.fields]
    reading = _Reading()
    _collect(mail, reading, depth=0)
    text = "\n".join(each.strip("\n") for each in reading.texts if each.strip())
    files, attachments = reading.files, reading.attachments
    if not text:
        text, files, attachments = _named(reading)
    report, charset = delivery_report.read(mail), _first_charset(mail, fields)
    return Mail(fields, mail.first, mail.kind, text, attachments, files, report, charset)


def _named(reading: _Reading) -> tuple[str, list[File], int]:
    """Return the text of a mail whose program gave it a file name, and the other files."""
    reading.free = TEXT_MAX_CHARACTERS
    for part, itself in reading.named:
        if text := _words(part, reading).strip():
            others = [each for each in reading.files if each is not itself]
            return text, others, reading.attachments - 1
    return "", reading.files, reading.attachments


def contents(body: bytes) -> Iterator[bytes]:
    """Give what the attachments of a mail hold that `read` describes."""
    reading = _Reading()
    try:
        _collect(mime_tree.read(_from_its_head(body)), reading, depth=0)
    except mime_tree.TooMuch:
        return
    for part in reading.described:
        yield mime_parts.whole(part)


def _from_its_head(body: bytes) -> bytes:
    """Return a mail without the byte order mark and the blank lines that some programs write before it."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")


def _collect(part: Part, reading: _Reading, depth: int) -> None:
    """Take the texts of a part and of all inside it, in reading order."""
    reading.parts += 1
    if reading.parts > PARTS_MAX or depth > DEPTH_MAX:
        reading.attachments += 1
        return
    kind = part.kind
    if kind == mime_tree.MAIL or mime_parts.is_file(part):
        file = _attach(part, reading)
        if kind in {"text/plain", "text/html"}:
            reading.named.append((part, file))
    elif part.inside and kind == "multipart/alternative":
        _collect_best(part.inside, reading, depth)
    elif part.inside:
        for child in part.inside:
            _collect(child, reading, depth + 1)
    elif kind.startswith(("text/", "multipart/")) and kind != "text/calendar":
        reading.texts.append(_words(part, reading))
    else:
        _attach(part, reading)


def _attach(part: Part, reading: _Reading) -> File | None:
    """Count an attachment; describe it if it is one of the first."""
    reading.attachments += 1
    if len(reading.files) >= FILES_MAX:
        return None
    size_bytes, sha256 = mime_parts.measured(part)
    file = File(mime_parts.file_name(part), part.kind, size_bytes, sha256)
    reading.files.append(file)
    reading.described.append(part)
    return file


def _collect_best(children: Sequence[Part], reading: _Reading, depth: int) -> None:
    """Collect the plain form of a text that comes in several forms, else the last form that has a text."""
    found: list[tuple[bool, list[str]]] = []
    for child in children:
        inner = replace(reading, texts=[])
        _collect(child, inner, depth + 1)
        reading.parts, reading.free = inner.parts, inner.free
        reading.attachments = inner.attachments
        if any(text.strip() for text in inner.texts):
            found.append((child.kind == mime_tree.TEXT, inner.texts))
    plain = [each for is_plain, each in found if is_plain]
    for each in plain[:1] or [each for _, each in found][-1:]:
        reading.texts += each


_PICTURE = re.compile(r"data:[a-z]{1,60}/[a-z0-9.+-]{1,60};base64,[a-z0-9+/=%\s]*", re.IGNORECASE)
"""A picture inside the markup, as long as a file."""


def _words(part: Part, reading: _Reading) -> str:
    """Return a text part, or what may still be read of it, as plain text."""
    marked_up = part.kind == "text/html"
    found = _decoded(part, marked_up) if reading.free else ""
    if marked_up and len(found) > reading.free:
        found = _PICTURE.sub("", found)
    found = found[: reading.free]
    reading.free -= len(found)
    return html_text.to_text(found) if marked_up else texts.of_lines(found)


def _decoded(part: Part, marked_up: bool) -> str:
    """Return the letters of a text part; markup may itself say in which charset it is."""
    body, declared = mime_parts.content(part), mime_parts.charset(part)
    if declared is None and marked_up:
        declared = html_text.charset(body)
    return charsets.decode(body, declared)


def _first_charset(mail: Part, fields: list[tuple[str, str]]) -> str | None:
    """Return what the first part of a mail that says it is written in; `None` if no field needs to know."""
    if all(value.isascii() for _, value in fields):
        return None
    parts = islice(mime_tree.walked(mail, DEPTH_MAX), PARTS_MAX)
    return next((found for part in parts if (found := mime_parts.charset(part))), None)


_END_OF_HEAD = re.compile(rb"\n\r?\n")
_BLANKS = re.compile(rb"\s*")


def below_head(body: bytes) -> Iterator[bytes]:
    """Give all below a mail's head, piece by piece: lines end in a line feed alone, and outer blanks are left out."""
    head = _END_OF_HEAD.search(body)
    blanks = _BLANKS.match(body, len(body) if head is None else head.end())
    start, stop = blanks.end() if blanks else len(body), len(body)
    while start < stop and not (tail := body[max(start, stop - SLICE_BYTES) : stop].rstrip()):
        stop = max(start, stop - SLICE_BYTES)
    if start < stop:
        stop = max(start, stop - SLICE_BYTES) + len(tail)
    while start < stop:
        end = min(stop, start + SLICE_BYTES)
        end -= end < stop and body[end - 1 : end] == b"\r"
        yield body[start:end].replace(b"\r\n", b"\n")
        start = end
