"""A part of a mail written out anew, as a file of its own: a mail inside a mail, whose lines end in CR LF.

Sizes and hashes of attached mails stand in events. So it is written as it always was here, which is how the standard
library writes it: fields on their lines, each with one blank behind its colon, and each boundary where it belongs.
"""

import io
import re
from collections.abc import Callable, Iterator

from services.ingest.domain import mime_tree
from services.ingest.domain.mime_tree import Part, Span

SLICE_BYTES = 262_144
"""How much is looked at in one go: nothing else runs in the process meanwhile."""

DEPTH_MAX = 40
"""Parts inside of parts that are written anew; what is deeper is written as it stands."""

LINE_END = b"\r\n"

_LAST_BLANK = re.compile(r"(?<![ \t]) \Z")
_LOOKS_LIKE_A_FIELD = re.compile(r"\n[^ \t]+:")

Write = Callable[[bytes], object]
"""What is called with the pieces, in order."""


def field(name: str, value: str) -> bytes:
    """Return a field as it is written, `value` with bytes outside ASCII as surrogates: these stay as they are."""
    written = value if not value.isascii() else _lines(value)
    return f"{name}: {written}\r\n".encode("ascii", "surrogateescape")


def _lines(value: str) -> str:
    """Return the lines of a field that go on: empty ones are left out, and of each line a single blank at its end.

    What would look like two fields then is written as it stands.
    """
    first, *others = value.splitlines() or [""]
    if not others:
        return first
    lines = [_LAST_BLANK.sub("", first)]
    for line in (_LAST_BLANK.sub("", each) for each in others):
        if line.isspace():
            lines[-1] += line
        elif line:
            lines.append(line)
    written = "\r\n".join(lines)
    looks = _LOOKS_LIKE_A_FIELD.search(written)
    return value.replace("\r\n", "\n").replace("\n", "\r\n") if looks else written


def slices(span: Span) -> Iterator[Span]:
    """Give a span in pieces."""
    start, stop = span
    for begin in range(start, stop, SLICE_BYTES):
        yield begin, min(stop, begin + SLICE_BYTES)


def write_content(part: Part, write: Write) -> None:
    """Write the mail that a part holds, or of parts under one name all with their head."""
    itself = part.kind.startswith("message/") and len(part.inside) == 1
    _write(part.inside[0] if itself else part, write, 0)


def _write(part: Part, write: Write, depth: int) -> None:
    if depth > DEPTH_MAX:
        _write_lines(part, part.span, write)
        return
    for name, value in part.fields:
        write(field(name, value))
    write(LINE_END)
    if part.kind == mime_tree.REPORT:
        write(LINE_END.join(_block(each, depth) for each in part.inside))
    elif part.kind.startswith("message/"):
        _write(part.inside[0], write, depth + 1)
    elif part.inside:
        _write_parts(part, write, depth)
    elif part.kind.startswith("multipart/"):
        write(part.octets(part.text))
    else:
        _write_lines(part, part.text, write)


def _block(part: Part, depth: int) -> bytes:
    """Return a block of a report's fields; a blank line stands between two."""
    written = io.BytesIO()
    _write(part, written.write, depth + 1)
    return written.getvalue().removesuffix(LINE_END)


def _write_parts(part: Part, write: Write, depth: int) -> None:
    mark = b"--" + (part.boundary or b"")
    if part.preamble is not None and part.preamble[0] < part.preamble[1]:
        _write_lines(part, part.without_line_end(part.preamble), write)
        write(LINE_END)
    for number, each in enumerate(part.inside):
        write((LINE_END if number else b"") + mark + LINE_END)
        _write(each, write, depth + 1)
    write(LINE_END + mark + b"--" + LINE_END)
    if part.epilogue is not None:
        trimmed = part.without_line_end(part.epilogue)
        _write_lines(part, trimmed if part.before_boundary else part.epilogue, write)


def _write_lines(part: Part, span: Span, write: Write) -> None:
    start, stop = span
    while start < stop:
        end = min(stop, start + SLICE_BYTES)
        piece = part.octets((start, end))
        if end < stop and piece.endswith(b"\r"):
            piece, end = piece[:-1], end - 1
        lines = piece.replace(LINE_END, b"\n").replace(b"\r", b"\n")
        write(lines.replace(b"\n", LINE_END))
        start = end
