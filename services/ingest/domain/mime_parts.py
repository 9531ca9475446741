"""What a part of a mail holds, decoded: measured as it is read, or whole where somebody keeps it.

Sources: RFC 2045, section 6 (transfer encodings), read 2026-11-22.
"""

import binascii
import hashlib
import io
import re
from collections.abc import Callable
from typing import TypeVar

from services.ingest.domain import charsets, mail_headers, mime_parameters, mime_written
from services.ingest.domain.mime_tree import Part

UUENCODED = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})


class _Measure:
    """What is written to it is measured and not kept."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self.digest = hashlib.sha256()

    def write(self, piece: bytes) -> int:
        self.size_bytes += len(piece)
        self.digest.update(piece)
        return len(piece)


Kept = TypeVar("Kept", _Measure, io.BytesIO)


def measured(part: Part) -> tuple[int, str]:
    """Return the size and the SHA-256 of what a part holds."""
    measure = _poured(part, _Measure)
    return measure.size_bytes, measure.digest.hexdigest()


def whole(part: Part) -> bytes:
    """Return what a part holds: what `measured` measures."""
    return _poured(part, io.BytesIO).getvalue()


def content(part: Part) -> bytes:
    """Return what a part holds; what its transfer encoding does not allow is read as it stands."""
    encoding, written = _encoding(part), part.octets(part.text)
    if encoding == "base64":
        return _of_base64(written)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(written)
    return _of_uu(written) if encoding in UUENCODED else written


def charset(part: Part) -> str | None:
    """Return the charset that a part says it is written in; `None` where it says none."""
    said = part.parameter("content-type", "charset")
    try:
        name = said if said is None or isinstance(said, str) else _of_itself(said)
    except ValueError:
        return None
    return name.lower() if name and name.isascii() else None


def _of_itself(said: mime_parameters.Extended) -> str:
    """Return a charset's name, which may itself say in which charset it is."""
    try:
        return said[1].encode("raw-unicode-escape").decode(said[0] or "us-ascii")
    except (LookupError, UnicodeError):
        return said[1]


def is_file(part: Part) -> bool:
    """Tell whether a part is a file rather than a text of the mail (RFC 2183)."""
    written = part.field("content-disposition")
    if written is not None:
        if written.partition(";")[0].strip().lower() == "attachment":
            return True
        if mime_parameters.of(written, "filename") is not None:
            return True
    return part.parameter("content-type", "name") is not None


_NAMES = (("filename", "content-disposition"), ("name", "content-type"))


def file_name(part: Part) -> str | None:
    """Return a part's file name; of one that is given in both forms that of RFC 2231, which loses nothing."""
    for name, field in _NAMES:
        value = _better_form(part.field(field) or "", name) or part.parameter(field, name)
        if isinstance(value, tuple):
            return charsets.decode(value[1].encode("latin-1", "replace"), value[0]).strip()
        if value is not None:
            return mail_headers.text(value).strip()
    return None


def _better_form(written: str, name: str) -> str | mime_parameters.Extended | None:
    if "*" not in written or len(written) > mime_parameters.LOOKED_AT_MAX_CHARACTERS:
        return None
    try:
        forms = [value for each, value in mime_parameters.every(written) if each == name]
    except TypeError:
        return None
    return next((each for each in forms if isinstance(each, tuple)), forms[0] if forms else None)


# -- transfer encodings ------------------------------------------------------------------------------------


_WORD = re.compile(r"\s*([!-:<-~]*)")
_BLANKS = b" \t\r\n"
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]*\Z")
_PADDING = re.compile(rb"=+")


def _encoding(part: Part) -> str:
    """Return the word that says a part's encoding: blanks and a semicolon behind it have kept files from being read."""
    found = _WORD.match(part.field("content-transfer-encoding") or "")
    return found[1].lower() if found else ""


def _of_base64(written: bytes) -> bytes:
    """Return what stands in base64, with as little left out as can be; as it stands where it is none."""
    packed = written.translate(None, b"\r\n")
    try:
        return binascii.a2b_base64(packed + b"=" * (-len(packed) % 4), strict_mode=True)
    except binascii.Error:
        pass
    if (joined := _joined(written)) is not None:
        return joined
    for padding in (b"", b"=="):
        try:
            return binascii.a2b_base64(packed + padding)
        except binascii.Error:
            continue
    return packed


def _joined(written: bytes) -> bytes | None:
    """Return all of several texts in base64 that stand one behind the other; `None` for anything else.

    Lists add a footer so; many readers end where the first one ends (python/cpython#137687 and staktrace/mailparse#95,
    read 2026-11).
    """
    plain = written.translate(None, _BLANKS)
    texts = [each for each in _PADDING.split(plain) if each]
    if len(texts) < 2 or not _BASE64.match(plain) or any(len(each) % 4 == 1 for each in texts):
        return None
    return b"".join(binascii.a2b_base64(each + b"=" * (-len(each) % 4)) for each in texts)


def _of_uu(written: bytes) -> bytes:
    """Return what stands between `begin` and `end`, the way mails had files before MIME; all where it is broken."""
    lines = iter(written.splitlines())
    if not any(_BEGIN.match(line) for line in lines):
        return written
    found: list[bytes] = []
    for line in lines:
        if line.strip() == b"end":
            break
        if not line:
            return written
        try:
            found.append(_of_uu_line(line))
        except binascii.Error:
            return written
    return b"".join(found)


_BEGIN = re.compile(rb"begin [0-7]+(?: |\Z)")


def _of_uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders write more than the length says that the line begins with.
        return binascii.a2b_uu(line[: ((line[0] - 32 & 63) * 4 + 5) // 3])


# -- pouring -----------------------------------------------------------------------------------------------


def _poured(part: Part, make: Callable[[], Kept]) -> Kept:
    """Return a new sink that was given what a part holds, piece by piece as far as it is written without mistakes."""
    sink, encoding = make(), _encoding(part)
    if part.inside:
        mime_written.write_content(part, sink.write)
    elif encoding == "base64":
        try:
            _pour_base64(part, sink.write)
        except ValueError:
            sink = make()
            sink.write(content(part))
    elif encoding == "quoted-printable" or encoding in UUENCODED:
        sink.write(content(part))
    else:
        for start, stop in mime_written.slices(part.text):
            sink.write(part.octets((start, stop)))
    return sink


def _pour_base64(part: Part, write: mime_written.Write) -> None:
    """Give what stands in base64. Raises: ValueError for a mistake in it."""
    rest = b""
    for piece in mime_written.slices(part.text):
        rest += part.octets(piece).translate(None, b"\r\n")
        ready = len(rest) - len(rest) % 4
        write(binascii.a2b_base64(rest[:ready], strict_mode=True))
        rest = rest[ready:]
    if rest:
        raise ValueError
