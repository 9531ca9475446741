"""A mail as it is read: by the standard parser's old policy, which real mails do not break, and by our own limits.

Sources: RFC 5322, RFC 2045-2049 (MIME), read 2026-11-22.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from email.feedparser import BytesFeedParser
from email.message import Message
from itertools import islice

from services.ingest.domain import (
    charsets,
    delivery_report,
    html_text,
    mail_headers,
    mime_fields,
    mime_parts,
    texts,
)
from services.ingest.domain.delivery_report import DeliveryReport

PARTS_MAX = 200
"""Parts that are looked at; the rest counts as attachments."""

DEPTH_MAX = 20
"""Parts inside of parts that are looked at; what is deeper counts as one attachment."""

WORK_MAX = 4_000_000
"""Boundaries times lines: how often the parser may have to compare a line with a boundary, 0.3 s of it.

It asks each line about every part that it stands in. A hundred forwarded mails come to a tenth of this.
A large mail may cost a comparison per byte, which is as long as the parser takes for it anyhow.
"""

LINES_MAX = 1_000_000
"""The parser keeps each line as a text of its own; an attachment as it is usually encoded has 14,000 per megabyte."""

DELIMITERS_MAX = 60_000
"""Lines that may begin a part: the parser makes some kilobytes of each."""

TEXT_MAX_CHARACTERS = 262_144
"""How much text of a mail is read, markup included; an event keeps half of it, RAW all."""

SLICE_BYTES = mime_parts.SLICE_BYTES
"""How much is looked at in one go: nothing else runs in the process meanwhile."""

OVERLAP_BYTES = 32

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

    `text`: all of the text as plain text; `attachments`: how many parts are not text; `files`: the first FILES_MAX of
    them; `report`: what it reports of another mail, `None` for all but delivery reports; `charset`: of its text.
    """

    fields: list[tuple[str, str]]
    content_type: str
    text: str
    attachments: int
    files: Sequence[File] = ()
    report: DeliveryReport | None = None
    charset: str | None = None

    def raw_field(self, name: str) -> str | None:
        """Return the first field of a name as it was written; `None` when there is none."""
        return next((value for each, value in self.fields if each == name), None)

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
    described: list[Message] = field(default_factory=list)
    named: list[tuple[Message, File | None]] = field(default_factory=list)


def read(body: bytes) -> Mail | None:
    """Return the mail in `body`; `None` when it is none or is nested beyond what the parser can follow, or in time."""
    body = _from_its_head(body)
    if _is_too_much(body):
        return None
    try:
        message = _parsed(body)
        fields = [(name.lower(), str(value)) for name, value in message.raw_items()]
        if not TELLING_FIELDS.intersection(name for name, _ in fields):
            return None
        reading = _Reading()
        _collect(message, reading, depth=0)
        report = delivery_report.read(message)
    except RecursionError:
        return None
    text = "\n".join(each.strip("\n") for each in reading.texts if each.strip())
    kind, files, charset = (
        message.get_content_type(),
        reading.files,
        _first_charset(message, fields),
    )
    if not text:
        # Some programs give the text of the mail itself a file name.
        reading.free = TEXT_MAX_CHARACTERS
        for part, itself in reading.named:
            if text := _words(part, reading).strip():
                others = [each for each in files if each is not itself]
                return Mail(fields, kind, text, reading.attachments - 1, others, report, charset)
    return Mail(fields, kind, text, reading.attachments, files, report, charset)


def contents(body: bytes) -> Iterator[bytes]:
    """Give what the attachments of a mail hold that `read` describes."""
    body = _from_its_head(body)
    if _is_too_much(body):
        return
    reading = _Reading()
    try:
        _collect(_parsed(body), reading, depth=0)
    except RecursionError:
        return
    for part in reading.described:
        yield mime_parts.whole(part)


def _from_its_head(body: bytes) -> bytes:
    """Return a mail without the byte order mark and the blank lines that some programs write before it."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")


_BOUNDARY = re.compile(rb"boundary\*?[0-9]*\*?[ \t]*=", re.IGNORECASE)


_REPORT = re.compile(rb"delivery-status", re.IGNORECASE)
_MARKS = (b"\n", b"\r", b"\r\n", b"\n--", b"\r--", b"\n\n", b"\n\r\n", b"\r\r")


def _is_too_much(body: bytes) -> bool:
    """Tell whether the parser would need too many comparisons, or too much memory, without parsing."""
    found: Counter[bytes] = Counter()
    boundaries = reports = 0
    for start in range(0, len(body), SLICE_BYTES):
        stop = start + SLICE_BYTES
        for mark in _MARKS:
            found[mark] += body.count(mark, start, stop + len(mark) - 1)
        boundaries += sum(1 for _ in _BOUNDARY.finditer(body, start, stop + OVERLAP_BYTES))
        reports += _REPORT.search(body, start, stop + OVERLAP_BYTES) is not None
    lines = found[b"\n"] + found[b"\r"] - found[b"\r\n"]
    parts = found[b"\n--"] + found[b"\r--"]
    if reports:
        # Of a delivery report each paragraph becomes a part.
        parts += found[b"\n\n"] + found[b"\n\r\n"] + found[b"\r\r"]
    work = lines * boundaries
    return work > max(WORK_MAX, len(body)) or lines > LINES_MAX or parts > DELIMITERS_MAX


def _parsed(body: bytes) -> Message:
    """Return the message that the standard parser makes of a body, which it is given slice by slice.

    Whole, it would make a text of four bytes per character of it, and let nobody else do anything meanwhile.
    """
    parser = BytesFeedParser(mime_fields.Part, policy=mime_fields.READING)
    for start in range(0, len(body), SLICE_BYTES):
        parser.feed(body[start : start + SLICE_BYTES])
    return parser.close()


def _collect(part: Message, reading: _Reading, depth: int) -> None:
    """Take the texts of a part and of all inside it, in reading order."""
    reading.parts += 1
    if reading.parts > PARTS_MAX or depth > DEPTH_MAX:
        reading.attachments += 1
        return
    kind = part.get_content_type()
    if kind == "message/rfc822" or _is_file(part):
        file = _attach(part, reading)
        if kind in {"text/plain", "text/html"}:
            reading.named.append((part, file))
    elif part.is_multipart():
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        if kind == "multipart/alternative":
            _collect_best(children, reading, depth)
        else:
            for child in children:
                _collect(child, reading, depth + 1)
    elif kind.startswith(("text/", "multipart/")) and kind != "text/calendar":
        reading.texts.append(_words(part, reading))
    else:
        _attach(part, reading)


def _attach(part: Message, reading: _Reading) -> File | None:
    """Count an attachment; describe it if it is one of the first."""
    reading.attachments += 1
    if len(reading.files) >= FILES_MAX:
        return None
    size_bytes, sha256 = mime_parts.measured(part)
    file = File(mime_fields.file_name(part), part.get_content_type(), size_bytes, sha256)
    reading.files.append(file)
    reading.described.append(part)
    return file


def _collect_best(children: list[Message], reading: _Reading, depth: int) -> None:
    """Collect the plain form of a text that comes in several forms, else the last form that has a text."""
    found: list[tuple[bool, list[str]]] = []
    for child in children:
        inner = replace(reading, texts=[])
        _collect(child, inner, depth + 1)
        reading.parts, reading.free = inner.parts, inner.free
        reading.attachments = inner.attachments
        if any(text.strip() for text in inner.texts):
            found.append((child.get_content_type() == "text/plain", inner.texts))
    plain = [each for is_plain, each in found if is_plain]
    for each in plain[:1] or [each for _, each in found][-1:]:
        reading.texts += each


_PICTURE = re.compile(r"data:[a-z]{1,60}/[a-z0-9.+-]{1,60};base64,[a-z0-9+/=%\s]*", re.IGNORECASE)
"""A picture inside the markup, as long as a file."""


def _words(part: Message, reading: _Reading) -> str:
    """Return a text part, or what may still be read of it, as plain text."""
    marked_up = part.get_content_type() == "text/html"
    found = _decoded(part, marked_up) if reading.free else ""
    if marked_up and len(found) > reading.free:
        found = _PICTURE.sub("", found)
    found = found[: reading.free]
    reading.free -= len(found)
    return html_text.to_text(found) if marked_up else texts.of_lines(found)


def _decoded(part: Message, marked_up: bool) -> str:
    """Return the letters of a text part; markup may itself say in which charset it is."""
    body, declared = mime_parts.content(part), _charset(part)
    if declared is None and marked_up:
        declared = html_text.charset(body)
    return charsets.decode(body, declared)


def _is_file(part: Message) -> bool:
    try:
        return part.get_content_disposition() == "attachment" or part.get_filename() is not None
    except (ValueError, LookupError, TypeError):
        return True


def _first_charset(message: Message, fields: list[tuple[str, str]]) -> str | None:
    """Return what the first part of a mail that says it is written in; `None` if no field needs to know."""
    if all(value.isascii() for _, value in fields):
        return None
    return next(
        (found for part in islice(message.walk(), PARTS_MAX) if (found := _charset(part))), None
    )


def _charset(part: Message) -> str | None:
    try:
        declared = part.get_content_charset()
    except (ValueError, LookupError, TypeError):
        return None
    return declared or None


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
