"""The fields of a submitted form, in the three formats of the web and in JSON; read as far as they can be read.

Sources: WHATWG URL Standard, section 5 (urlencoded); RFC 7578 (multipart/form-data); both read 2026-11-22.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec

from services.ingest.domain import charsets, texts
from shared import codec, strict

FIELDS_READ_MAX = 1_024
URLENCODED = "application/x-www-form-urlencoded"
FORM_DATA = "multipart/form-data"
BYTES = "application/octet-stream"
"""What a file is whose kind nobody says."""

Pairs = Sequence[tuple[str, str]]
"""The fields in order, as (name, value)."""

_CHARSET = re.compile(r";\s*charset=\"?([\w.:-]{1,40})", re.IGNORECASE)
_BOUNDARY = re.compile(r";\s*boundary=(?:\"([^\"]{1,70})\"|([^\s;\"]{1,70}))", re.IGNORECASE)
_PART = re.compile(
    rb"content-disposition:\s*form-data;(?:[^\r\n]{0,512};)?\s*name=\"([^\"\r\n]{0,512})\""
    rb"(?:[^\r\n]{0,512}\bfilename=\"([^\"\r\n]{0,512})\")?",
    re.IGNORECASE,
)

_KIND = re.compile(rb"^content-type:\s*([^\r\n;]{1,128})", re.IGNORECASE | re.MULTILINE)

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_values = msgspec.json.Decoder(list[msgspec.Raw])
_value = msgspec.json.Decoder(str | int | float | bool | None)


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a form. `media_type`: as its sender says."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Part:
    name: bytes
    file_name: bytes | None
    media_type: str
    content: bytes
    charset: str | None


def pairs(body: bytes, content_type: str) -> Pairs | None:
    """Return the fields; `None` when the body is in none of the formats. `content_type`: as sent, also empty.

    What begins as JSON is read as JSON whatever it is called: some programs never name what they send.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    charset = _CHARSET.search(content_type)
    declared = charset[1] if charset else None
    if media_type == FORM_DATA:
        return _of_parts(body, content_type)
    text = charsets.decode(body, declared)
    found = _of_json(text) if text.lstrip("\ufeff \t\r\n").startswith("{") else None
    if found is None and media_type in {"", URLENCODED}:
        found = _of_query(body, declared)
    return found


def _of_query(body: bytes, declared: str | None) -> Pairs | None:
    if b"=" not in body:
        return None
    try:
        found = parse_qsl(
            body.decode("ascii", "surrogateescape"),
            keep_blank_values=True,
            max_num_fields=FIELDS_READ_MAX,
            errors="surrogateescape",
        )
    except ValueError:
        return None
    return [(_read(name, declared), _read(value, declared)) for name, value in found]


def _read(escaped: str, declared: str | None) -> str:
    """Return a name or a value; bytes that are no UTF-8 stand in it as surrogates."""
    if escaped.isascii():
        return escaped
    return charsets.decode(escaped.encode("utf-8", "surrogateescape"), declared)


def files(body: bytes, content_type: str) -> Sequence[SentFile]:
    """Return the files that came in the parts of a form, in order; a field of files left empty is none."""
    return [
        SentFile(_decoded(part.file_name, part.charset), part.media_type, part.content)
        for part in _parts(body, content_type)
        if part.file_name
    ]


def _of_parts(body: bytes, content_type: str) -> Pairs | None:
    """Of a file its name is the value."""
    if _BOUNDARY.search(content_type) is None:
        return None
    return [
        (
            _decoded(part.name, part.charset),
            _decoded(part.content if part.file_name is None else part.file_name, part.charset),
        )
        for part in _parts(body, content_type)
    ]


def _parts(body: bytes, content_type: str) -> Iterator[_Part]:
    """Give the parts that have a name."""
    boundary, declared = _BOUNDARY.search(content_type), _CHARSET.search(content_type)
    if content_type.partition(";")[0].strip().lower() != FORM_DATA or boundary is None:
        return
    charset = declared[1] if declared else None
    mark = b"\r\n--" + (boundary[1] or boundary[2]).encode("latin-1", "replace")
    for part in (b"\r\n" + body).split(mark, FIELDS_READ_MAX + 1)[1:]:
        head, ended, content = part.partition(b"\r\n\r\n")
        named = _PART.search(head)
        if ended and named is not None:
            kind = _KIND.search(head)
            media_type = kind[1].decode("latin-1").strip().lower() if kind else BYTES
            yield _Part(named[1], named[2], media_type, content, charset)


def _decoded(written: bytes, charset: str | None) -> str:
    return charsets.decode(written, charset)


def _of_json(text: str) -> Pairs | None:
    try:
        given = strict.read_json(texts.whole_json(text), _fields)
    except codec.UNREADABLE:
        return None
    return [(name, _text(value)) for name, field in given.items() for value in _each(field)]


def _each(field: msgspec.Raw) -> Sequence[msgspec.Raw]:
    """Return the values of a field; an empty list is a field left empty."""
    try:
        return _values.decode(field) or [msgspec.Raw(b"null")]
    except codec.UNREADABLE:
        return [field]


def _text(value: msgspec.Raw) -> str:
    """Return a value as a text; what is none, as its JSON."""
    try:
        read = _value.decode(value)
    except codec.UNREADABLE:
        return bytes(value).decode()
    if isinstance(read, str):
        return read
    return "" if read is None else msgspec.json.encode(read).decode()
