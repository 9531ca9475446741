"""A mail and its parts, found in its bytes where they lie: nothing is copied, and no part is looked into unasked.

Real mails break the rules below in every way; what breaks one is read as the most common readers do it.
Sources: RFC 5322, section 2 (lines and fields), RFC 2046, sections 5.1 (multipart) and 5.2 (message), RFC 3464, section
2.1 (reports are blocks of fields), read 2026-11-22.
"""

import heapq
import re
from collections.abc import Iterator, Sequence

from services.ingest.domain import mail_headers, mime_parameters

PARTS_MAX = 60_000
"""Parts that are made of a mail, whoever asks for them, and lines that may begin one: a part takes about a kilobyte."""

HEADS_MAX_BYTES = 2_097_152
"""All heads of a mail: mail servers refuse one of more than some hundred kilobytes."""

TEXT = "text/plain"
MAIL = "message/rfc822"
REPORT = "message/delivery-status"

_HEAD = re.compile(rb"((?:(?:[!-9;-~]*+:|[ \t]|From )[^\r\n]*+(?:\r?\n|\r|\Z))*+)(?:\r?\n|\r)?")
"""A head, and the end of the line that is blank below it."""
_FIELD = re.compile(
    r"(?:([!-9;-~]++):[ \t]*+)?([^\r\n]*+(?:(?:\r?\n|\r)[ \t][^\r\n]*+)*+)(?:\r?\n|\r|\Z)"
)
"""A field; what has no name is the line that a mailbox begins its mails with, or broken."""
_MAILBOX_LINE = re.compile(rb"[\r\n](From [^\r\n]*+(?:\r?\n|\r)?)\Z")
_BLANK_LINE = re.compile(rb"(?>\r?\n|\r)(\r?\n|\r)")
_BEHIND_BOUNDARY = re.compile(rb"(--)?[ \t]*+(?:\r?\n|\r|\Z)")

Span = tuple[int, int]
"""Where something begins and ends."""


class TooMuch(Exception):
    """A mail has more parts, or longer heads, than anybody writes."""


class _Octets:
    """The bytes of a mail, and how much was made of them. Raises: TooMuch."""

    __slots__ = ("all", "heads_bytes", "parts")

    def __init__(self, octets: bytes) -> None:
        self.all = octets
        self.parts = self.heads_bytes = 0
        if octets.count(b"\n--") + octets.count(b"\r--") > PARTS_MAX:
            raise TooMuch

    def take_note(self, head_bytes: int) -> None:
        """Count a part. Raises: TooMuch."""
        self.parts += 1
        self.heads_bytes += head_bytes
        if self.parts > PARTS_MAX or self.heads_bytes > HEADS_MAX_BYTES:
            raise TooMuch


class Part:
    """A mail, or a part of one. Raises: TooMuch, also when its parts are asked for.

    `fields`: as they are written, in order, with bytes outside ASCII as surrogates; `first`: the first of each name, in
    lower case; `kind`: its media type in lower case; `span`: all of it; `below`: all below its head; `before_boundary`:
    its last line end belongs to a boundary; `preamble`, `epilogue`: what stands around its parts, once they are known.
    """

    __slots__ = (
        *("_inside", "_octets", "_text", "before_boundary", "below", "epilogue"),
        *("fields", "first", "kind", "preamble", "span"),
    )

    def __init__(
        self, octets: _Octets, span: Span, kind: str = TEXT, *, before_boundary: bool = False
    ) -> None:
        self._octets = octets
        self.span = span
        self.before_boundary = before_boundary
        self.preamble: Span | None = None
        self.epilogue: Span | None = None
        self._inside: Sequence[Part] | None = None
        self.fields, below = self._head()
        self.first = {name.lower(): value for name, value in reversed(self.fields)}
        self.kind = self._kind(kind)
        self.below = self._text = (below, span[1])

    def _head(self) -> tuple[list[tuple[str, str]], int]:
        """Return the fields, and where the head ends: at the first line that is none of its."""
        octets, (start, stop) = self._octets, self.span
        found = _HEAD.match(octets.all, start, stop)
        head, below = (found[1], found.end()) if found else (b"", start)
        octets.take_note(len(head))
        if b"From " in head and (mailbox_line := _MAILBOX_LINE.search(head)) is not None:
            # It begins the text: the lines above it were the head.
            head, below = head[: mailbox_line.start(1)], start + mailbox_line.start(1)
        written = head.decode("ascii", "surrogateescape")
        return [each for each in _FIELD.findall(written) if each[0]], below

    def _kind(self, unsaid: str) -> str:
        """Return the media type; what is none is plain text (RFC 2045, section 5.2)."""
        written = self.field("content-type")
        if written is None:
            return unsaid
        kind = written.partition(";")[0].strip().lower()
        return kind if kind.count("/") == 1 else TEXT

    def field(self, name: str) -> str | None:
        """Return the first field of a name in lower case: letters of eight bits as text; `None` where there is none."""
        written = self.first.get(name)
        if written is None or written.isascii():
            return written
        return mail_headers.unfolded(written)

    def by_name(self) -> dict[str, str]:
        """Return the first field of each name, as `field` gives it."""
        return {name: self.field(name) or "" for name in self.first}

    def parameter(self, field: str, name: str) -> str | mime_parameters.Extended | None:
        """Return a parameter of a field; `None` where there is none. Both names in lower case."""
        written = self.field(field)
        return None if written is None else mime_parameters.of(written, name)

    @property
    def inside(self) -> Sequence["Part"]:
        """The parts of a part; none where it is one by itself."""
        if self._inside is None:
            self._inside = self._divided()
        return self._inside

    @property
    def text(self) -> Span:
        """Where what it holds itself lies, if no parts are inside."""
        if not self.inside and self.before_boundary and not self.kind.startswith("multipart/"):
            return self.without_line_end(self._text)
        return self._text

    def octets(self, span: Span) -> bytes:
        """Return the bytes that lie somewhere in the mail."""
        return self._octets.all[span[0] : span[1]]

    def without_line_end(self, span: Span) -> Span:
        """Return a span without the line end that it ends with: one before a boundary belongs to it."""
        start, stop = span
        last = self.octets((max(start, stop - 2), stop))
        return start, stop - (2 if last == b"\r\n" else last[-1:] in {b"\r", b"\n"})

    def _part(self, span: Span, kind: str = TEXT, *, before_boundary: bool) -> "Part":
        return Part(self._octets, span, kind, before_boundary=before_boundary)

    def _divided(self) -> Sequence["Part"]:
        if self.kind == REPORT:
            return list(self._blocks())
        if self.kind.startswith("message/"):
            return [self._part(self.below, before_boundary=self.before_boundary)]
        boundary = self.boundary if self.kind.startswith("multipart/") else None
        return [] if boundary is None else self._bounded(boundary)

    def _blocks(self) -> Iterator["Part"]:
        """Give the blocks of fields of a report: blank lines stand between them."""
        start, stop = self.below
        more = True
        while more:
            blank = _BLANK_LINE.search(self._octets.all, start - 1, stop)
            end, after = blank.span(1) if blank else (stop, stop)
            more = after < stop
            yield self._part((start, end), before_boundary=self.before_boundary and not more)
            start = after

    @property
    def boundary(self) -> bytes | None:
        """Return what its parts are divided by, as it is written; `None` for nothing that could stand in a line."""
        field = self.first.get("content-type")
        said = None if field is None else mime_parameters.of(field, "boundary")
        try:
            boundary = None if said is None else mime_parameters.collapsed(said).rstrip()
            written = None if boundary is None else boundary.encode("ascii", "surrogateescape")
        except ValueError:
            return None
        return None if written is None or b"\n" in written or b"\r" in written else written

    def _bounded(self, boundary: bytes) -> Sequence["Part"]:
        """Return what stands between the lines of a boundary. Several in a row are one, and the last may be missing."""
        kind = MAIL if self.kind == "multipart/digest" else TEXT
        found: list[Part] = []
        begin: int | None = None
        for start, end, closes in self._boundary_lines(b"--" + boundary):
            if begin is None:
                if closes:
                    # It ends what never began: all is text, and where nothing follows it is no part of that.
                    nothing = not self.octets((end, self.span[1])).strip()
                    self._text = (self.below[0], start if nothing else self.span[1])
                    return []
                self.preamble = (self.below[0], start)
            elif start > begin:
                found.append(self._part((begin, start), kind, before_boundary=True))
                if closes:
                    self.epilogue = (end, self.span[1])
                    return found
            begin = end
        if begin is not None:
            found.append(self._part((begin, self.span[1]), kind, before_boundary=True))
        return found

    def _boundary_lines(self, mark: bytes) -> Iterator[tuple[int, int, bool]]:
        """Give (start, end, whether it is the last) of the lines of a boundary."""
        octets, stop = self._octets.all, self.below[1]
        for at in heapq.merge(self._all_of(b"\n" + mark), self._all_of(b"\r" + mark)):
            behind = _BEHIND_BOUNDARY.match(octets, at + 1 + len(mark), stop)
            if behind is not None:
                yield at + 1, behind.end(), behind[1] is not None

    def _all_of(self, line: bytes) -> Iterator[int]:
        """Give where lines begin so, each with the line end before it."""
        octets, (start, stop) = self._octets.all, self.below
        at = octets.find(line, start - 1, stop)
        while at >= 0:
            yield at
            at = octets.find(line, at + len(line), stop)


def read(octets: bytes) -> Part:
    """Return a mail. Raises: TooMuch."""
    return Part(_Octets(octets), (0, len(octets)))


def walked(mail: Part, depth_max: int) -> Iterator[Part]:
    """Give a mail and its parts in reading order, as far as they do not lie deeper than so."""
    yield mail
    for part in mail.inside if depth_max else ():
        yield from walked(part, depth_max - 1)
