"""What a part of a mail holds, decoded: measured as it is read, or whole where somebody keeps it."""

import binascii
import contextlib
import hashlib
import io
import re
from collections.abc import Callable
from email.errors import MessageError
from email.generator import BytesGenerator
from email.message import Message
from email.policy import Compat32
from typing import Any, TypeVar

from typing_extensions import override

SLICE_BYTES = 262_144
"""How much is looked at in one go: nothing else runs in the process meanwhile."""

_MISTAKES = (TypeError, ValueError, LookupError, AttributeError, IndexError)


_SIMPLE = re.compile(r"[!-~]+(?: [!-~]+)*(?:\r?\n[ \t][!-~]+(?: [!-~]+)*)*\Z")
"""A field of words with a blank between them, or a new line and a blank: it stays as it is written."""
_LINE_END = re.compile(r"\r?\n")


class FieldPolicy(Compat32):
    """The standard parser's old policy, which takes the long way only with the fields that need it.

    What that refuses to write, since it looks like two fields, is written as it stands.
    """

    @override
    def fold_binary(self, name: str, value: Any) -> bytes:
        if not (isinstance(value, str) and _SIMPLE.match(value)):
            with contextlib.suppress(MessageError):
                return super().fold_binary(name, value)
        lines = _LINE_END.sub(self.linesep, str(value))
        return f"{name}: {lines}{self.linesep}".encode("utf-8", "surrogateescape")


AS_WRITTEN = FieldPolicy(linesep="\r\n", max_line_length=None)


class _Measure(io.RawIOBase):
    """What is written to it is measured and not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.size_bytes = 0
        self.digest = hashlib.sha256()

    @override
    def write(self, piece: Any) -> int:
        self.size_bytes += len(piece)
        self.digest.update(piece)
        return len(piece)


Sink = TypeVar("Sink", _Measure, io.BytesIO)


def measured(part: Message) -> tuple[int, str]:
    """Return the size and the SHA-256 of what a part holds."""
    measure = _poured(part, _Measure)
    return measure.size_bytes, measure.digest.hexdigest()


def whole(part: Message) -> bytes:
    """Return what a part holds: what `measured` measures."""
    return _poured(part, io.BytesIO).getvalue()


_WORD = re.compile(r"\s*([!-:<-~]*)")
_BLANKS = re.compile(rb"[ \t\r\n]+")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]*\Z")
_PADDING = re.compile(rb"=+")


def first_word(field: str) -> str:
    """Return the word that a field begins with, without what stands behind it."""
    found = _WORD.match(field)
    return found[1] if found else ""


def _joined(part: Message) -> bytes | None:
    """Return all of several texts in base64 that stand one behind the other; `None` for anything else.

    Lists add a footer so; the standard reader, up to some of its versions, ends where the first one ends
    (python/cpython#137687 and staktrace/mailparse#95, read 2026-11).
    """
    written = part.get_payload()
    if not isinstance(written, str) or "=" not in written or not _is_base64(part):
        return None
    plain = _BLANKS.sub(b"", written.encode("utf-8", "surrogateescape"))
    texts = [each for each in _PADDING.split(plain) if each]
    if len(texts) < 2 or not _BASE64.match(plain) or any(len(each) % 4 == 1 for each in texts):
        return None
    return b"".join(binascii.a2b_base64(each + b"=" * (-len(each) % 4)) for each in texts)


def _is_base64(part: Message) -> bool:
    return str(part.get("content-transfer-encoding", "")).strip().lower() == "base64"


def content(part: Message) -> bytes:
    """Return what a part holds; what its transfer encoding does not allow is read as it stands."""
    if (joined := _joined(part)) is not None:
        return joined
    try:
        body = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        body = None
    if not isinstance(body, bytes):
        written = part.get_payload()
        body = str(written).encode("utf-8", "surrogateescape")
    return body


def _poured(part: Message, make: Callable[[], Sink]) -> Sink:
    """Return a new sink that was given what a part holds, piece by piece as far as it is written without mistakes."""
    sink = make()
    try:
        (_pour_mail if part.is_multipart() else _pour_base64)(part, sink)
    except _MISTAKES:
        sink = make()
        sink.write(content(part))
    return sink


def _pour_mail(part: Message, sink: _Measure | io.BytesIO) -> None:
    """Give a mail inside a mail, or parts under one name; its lines end in CR LF."""
    writer = BytesGenerator(sink, mangle_from_=False, policy=AS_WRITTEN)
    inside = [each for each in part.get_payload() if isinstance(each, Message)]
    itself = part.get_content_maintype() == "message" and len(inside) == 1
    writer.flatten(inside[0] if itself else part)


def _pour_base64(part: Message, sink: _Measure | io.BytesIO) -> None:
    """Give what stands in base64. Raises: ValueError for another encoding, or a mistake in it."""
    written = part.get_payload()
    if not _is_base64(part) or not isinstance(written, str):
        raise ValueError
    rest = b""
    for start in range(0, len(written), SLICE_BYTES):
        slice_ = written[start : start + SLICE_BYTES].encode("ascii")
        rest += slice_.translate(None, b"\r\n")
        ready = len(rest) - len(rest) % 4
        sink.write(binascii.a2b_base64(rest[:ready], strict_mode=True))
        rest = rest[ready:]
    if rest:
        raise ValueError
