"""Whether a body is a mail, or the text of one that has lost its head on the way.

Whoever handed it over means it as a mail: what is a text of somebody's is read, without a sender, and not put aside.
"""

import re

HEAD = (
    b"Subject:\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n"
)
"""What stands above a text that has no head of its own."""
PART_HEAD = b"MIME-Version: 1.0\r\n"
"""What stands above what only says of which kind it is: a part of a mail, or all that is left of one."""
HEAD_MAX_BYTES = 262_144
TEXT_LOOKED_AT_BYTES = 65_536
CONTROLS_MAX_SHARE = 1 / 32
"""A text may hold a stray control character; a file of a program is full of them."""

_PART = re.compile(rb"Content-(?:Type|Transfer-Encoding|Disposition|ID)[ \t]*:", re.IGNORECASE)
_FIELD = re.compile(rb"\A([!-9;-~]+)[ \t]*:")
_FIELDS = re.compile(rb"\n([!-9;-~]+)[ \t]*:")
_STRAY = re.compile(rb"\n(?![!-9;-~]+[ \t]*:|[ \t]|>?From |\r?\n|\Z)([^\r\n]+)")
_GOES_ON = re.compile(
    rb"^(From|Message-ID|MIME-Version|Content-Type|Received|Return-Path|X-[\w-]+ [\w -]{1,40})[ \t]*:",
    re.MULTILINE | re.IGNORECASE,
)
"""What stands in a head only: also a field of a program's own that has a blank in its name."""
_OBSOLETE = re.compile(rb"^([!-9;-~]+)[ \t]+:", re.MULTILINE)
"""A field with a blank before its colon, as it was once allowed (RFC 5322, section 4.5)."""
_HEAD_END = re.compile(rb"\r?\n\r?\n|\r\r")
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_DATA = re.compile(rb"\s*(?:\{\s*(?:\"|\})|\[\s*[\"\[{\]])")
"""JSON: no person begins a mail so."""
_MAILS_OWN = frozenset(
    {b"received", b"return-path", b"message-id", b"date", b"mime-version", b"delivered-to"}
)
_QUOTED_TOO = frozenset({b"from", b"sender", b"to", b"subject"})
"""Fields that programs also write above the mail that they quote; with `Sent:` they do."""


def whole(body: bytes) -> bytes:
    """Return a body as a mail with a head, in which nothing is broken."""
    if has_head(body):
        return mended(body)
    return (PART_HEAD if _PART.match(_start(body)) else HEAD) + body.lstrip(b"\r\n")


def _start(body: bytes) -> bytes:
    return body[:HEAD_MAX_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")


def has_head(body: bytes) -> bool:
    """Tell whether a body begins with the header block of a mail."""
    start = _start(body)
    if start.startswith((b"From ", b">From ")):
        return True
    end = _HEAD_END.search(start)
    head = start[: end.start()] if end else start
    if _FIELD.match(head) is None:
        return False
    names = {name.lower() for name in _FIELDS.findall(b"\n" + head)}
    return bool(names & _MAILS_OWN) or bool(names & _QUOTED_TOO and b"sent" not in names)


def mended(body: bytes) -> bytes:
    """Return a mail whose head goes on below a line that is no field: parsers would end it there.

    It goes on where fields of a mail's own stand below that line and not above it; else what begins there is the text,
    without a blank line. The line becomes a part of the field above it.
    """
    end = _HEAD_END.search(body, 0, HEAD_MAX_BYTES)
    head = body[: end.start() if end else HEAD_MAX_BYTES]
    if (b" :" in head or b"\t:" in head) and _OBSOLETE.search(head):
        head, body = _OBSOLETE.sub(rb"\1:", head), body[len(head) :]
        body = head + body
    stray = _STRAY.search(head)
    if stray is None:
        return body
    known = {each[1].lower() for each in _GOES_ON.finditer(head, 0, stray.start())}
    below = _GOES_ON.finditer(head, stray.start())
    cut = max((each.end() for each in below if each[1].lower() not in known), default=0)
    return _STRAY.sub(rb"\n \1", head[:cut]) + body[cut:] if cut else body


def is_text(body: bytes) -> bool:
    """Tell whether a body is what somebody may have written: no file, and no data."""
    start = body[:TEXT_LOOKED_AT_BYTES]
    if not start.strip() or b"\0" in start:
        return False
    return len(_CONTROLS.findall(start)) <= len(start) * CONTROLS_MAX_SHARE


def is_data(body: bytes) -> bool:
    """Tell whether a body is what programs send each other."""
    return _DATA.match(body[:TEXT_LOOKED_AT_BYTES]) is not None
