"""How a mail is divided into its parts: what is written is read back, and every byte has its place."""

import email
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.domain import mime_tree
from services.ingest.domain.mime_tree import Part

# -- what is written ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A part as its writer means it. `inside`: `None` for a text; `text`: also what stands before and behind parts."""

    kind: str
    text: bytes = b""
    inside: tuple["Written", ...] | None = None
    closed: bool = True


LINES = st.lists(
    st.sampled_from([b"", b"hello", b"--", b"-- ", b"--a", b"a--", b"From me", b"x: y", b" \xc4\x85"]),
    max_size=4,
)  # fmt: skip
TEXTS = st.builds(
    Written,
    kind=st.sampled_from(["text/plain", "text/html", "image/png"]),
    text=LINES.map(b"\n".join),
)
TREES = st.recursive(
    TEXTS,
    lambda inner: st.one_of(
        st.builds(
            Written,
            kind=st.sampled_from(["multipart/mixed", "multipart/alternative", "multipart/signed"]),
            text=LINES.map(b"\n".join),
            inside=st.lists(inner, min_size=1, max_size=4).map(tuple),
            closed=st.booleans(),
        ),
        st.builds(Written, kind=st.just("message/rfc822"), inside=st.tuples(inner)),
    ),
    max_leaves=12,
)


def written(part: Written, boundary: bytes = b"b") -> bytes:
    """A part with its head; a boundary inside begins with the one around it."""
    if part.inside is None:
        return b"Content-Type: %s\n\n%s" % (part.kind.encode(), part.text)
    if part.kind == "message/rfc822":
        return b"Content-Type: message/rfc822\n\n" + written(part.inside[0], boundary)
    lines = [b'Content-Type: %s;\n boundary="%s"\n' % (part.kind.encode(), boundary), part.text]
    for inner_part in part.inside:
        lines += [b"--" + boundary, written(inner_part, boundary + b"b")]
    if part.closed:
        lines += [b"--" + boundary + b"--", part.text]
    return b"\n".join(lines)


def read_back(part: Part) -> Written:
    """What was read, in the words of what was written; whether it is closed is not looked at."""
    if not part.inside:
        return Written(part.kind, part.octets(part.text).replace(b"\r\n", b"\n"))
    inside = tuple(read_back(each) for each in part.inside)
    if part.kind == "message/rfc822":
        return Written(part.kind, b"", inside)
    assert part.preamble is not None
    preamble = part.octets(part.without_line_end(part.preamble)).replace(b"\r\n", b"\n")
    return Written(part.kind, preamble, inside)


def is_text(part: Written) -> bool:
    """Tell whether no boundary ends it: of a text between boundaries the last line end is not its own."""
    return part.inside is None or (part.kind == "message/rfc822" and is_text(part.inside[0]))


def opened(part: Written) -> Written:
    """The same, with nothing said of its end."""
    inside = None if part.inside is None else tuple(opened(each) for each in part.inside)
    return Written(part.kind, part.text, inside)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@given(tree=TREES)
def test_a_tree_of_parts_is_read_back_as_it_was_written(end: bytes, tree: Written) -> None:
    """However deep, closed or open, and although each boundary begins like the one around it."""
    body = b"From: a@b.example\n" + written(tree) + (b"" if is_text(tree) else b"\n")
    assert read_back(mime_tree.read(body.replace(b"\n", end))) == opened(tree)


# -- every byte --------------------------------------------------------------------------------------------

PIECES = (
    *(b"\n", b"\r\n", b"\r", b"\n\n", b"--b", b"--b--", b"--bb", b"--bb--", b" ", b"--", b"a", b"x: y\n"),
    *(b"From z\n", b"\x00", b"\xff", b":", b"Content-Type: multipart/mixed; boundary=b\n"),
    *(b"Content-Type: multipart/digest; boundary=bb\n", b"Content-Type: message/rfc822\n"),
    *(b"Content-Type: message/delivery-status\n", b'Content-Type: multipart/x; boundary=""\n'),
    *(b"\n--b\n", b"\n--bb\n", b"\n--b--\n", b"\n--bb--\n"),
)  # fmt: skip
BODIES = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)


def accounted(part: Part) -> None:
    """Each byte is of a part's head, of what stands around its parts, of a line between these, or of its text."""
    start, stop = part.span
    assert start <= part.below[0] <= part.below[1] == stop
    for name, value in part.fields:
        assert f"{name}:".encode() in part.octets((start, part.below[0]))
        assert value.encode("ascii", "surrogateescape") in part.octets((start, part.below[0]))
    at, inside = part.below[0], [each.span for each in part.inside]
    around = [part.preamble, *inside, part.epilogue]
    for begin, end in (each for each in around if each is not None and part.inside):
        between_parts(part, part.octets((at, begin)))
        assert begin <= end
        at = end
    between_parts(part, part.octets((at if part.inside else part.text[1], stop)))
    for each in part.inside:
        accounted(each)


def between_parts(part: Part, octets: bytes) -> None:
    """What stands between parts is nothing but boundaries and blank lines; behind a text at most one line end."""
    if part.inside and part.kind.startswith("multipart/"):
        mark = re.escape(part.boundary or b"")
        assert re.fullmatch(rb"(?:--%s(?:--)?[ \t]*(?:\r?\n|\r|\Z))*" % mark, octets), octets
    else:
        assert octets in {b"", b"\r\n", b"\n", b"\r"} or ends_nothing(part, octets)


def ends_nothing(part: Part, octets: bytes) -> bool:
    """Tell whether it is a boundary's last line, with nothing before or behind."""
    return octets.strip() == b"--%s--" % (part.boundary or b"")


@given(BODIES)
@example(b"Content-Type: multipart/mixed; boundary=b\n\n--b--\n\nhello")
@example(b"x: y\nFrom z\n\nhello")
def test_every_byte_has_its_place(body: bytes) -> None:
    """Nothing of a mail is lost between its parts, whatever is broken in it, and nothing is twice."""
    accounted(mime_tree.read(body))
    accounted(mime_tree.read(b"Content-Type: multipart/mixed; boundary=b\n\n" + body))


# -- beside the standard parser ----------------------------------------------------------------------------


def told(part: Part) -> Any:
    """What a part is, in a form that the standard parser's can be compared with."""
    inside = [told(each) for each in part.inside]
    return [part.kind, part.fields, inside or part.octets(part.text)]


def told_by_standard(part: Message) -> Any:
    """The same of the standard parser's."""
    payload: Any = part.get_payload()
    inside = [told_by_standard(each) for each in payload] if part.is_multipart() else None
    return [
        part.get_content_type(),
        list(part.raw_items()),
        inside or part.get_payload(decode=True),
    ]


def comparable(body: bytes) -> bool:
    """Not where it loses a blank line, nor a field whose first line is empty, of which its versions differ."""
    return b"From " not in body and not re.search(rb":(?:\r\n|\n|\r) ", body)


def loses_text(part: Message) -> bool:
    """Tell whether the standard parser gives up what stands behind a boundary that ends what never began."""
    return part.get_content_maintype() == "multipart" and not part.is_multipart()


@given(BODIES.filter(comparable))
def test_parts_are_those_of_the_standard_parser(body: bytes) -> None:
    """Real mails are written for readers like it."""
    whole = b"Content-Type: multipart/mixed; boundary=b\n\n" + body
    standard = email.message_from_bytes(whole)
    if not any(loses_text(each) for each in standard.walk()):
        assert told(mime_tree.read(whole)) == told_by_standard(standard)


# -- one by one --------------------------------------------------------------------------------------------


def texts_of(part: Part) -> Sequence[Any]:
    return [texts_of(each) if each.inside else each.octets(each.text) for each in part.inside]


@pytest.mark.parametrize(
    ("boundary", "body", "texts"),
    [
        (b"b", b"--b\n\none\n--b\n\ntwo\n--b--\n", [b"one", b"two"]),
        (b"b", b"--b\n\none\n--b\n\ntwo", [b"one", b"two"]),
        (b"b", b"--b\n\none\n--bc\n--b--\n", [b"one\n--bc"]),
        (b"b", b"--b\n--b \t\n\none\n--b-- \n", [b"one"]),
        (b"b", b"--b\n\none\r--b\r\r\ntwo\r--b--", [b"one", b"two"]),
        (b"b", b"--b\n\n x--b\n --b\n--b--", [b" x--b\n --b"]),
        (b"b", b"--b", [b""]),
        (b"", b"--\n\none\n--\n\ntwo\n----\n", [b"one", b"two"]),
        (b"b--", b"--b--\n\none\n--b----\n--b--\n\nmore", [b"one"]),
        (b'"b c"', b"--b c\n\none\n--b c--", [b"one"]),
        (b'"b\r\n c"', b"--b\r\n c\n\none", []),
        (b'"b\xc4\x85"', b"--b\xc4\x85\n\none", [b"one"]),
        (b"b", b"--b--\n\none\n--b\n\ntwo", []),
        (b"b", b"one\n--b--x", []),
    ],
)
def test_boundaries_divide_a_mail(boundary: bytes, body: bytes, texts: Sequence[bytes]) -> None:
    """Also when several stand in a row, none is the last, or one begins like another."""
    head = b"Content-Type: multipart/mixed; boundary=%s\n\n" % boundary
    part = mime_tree.read(head + body)
    assert texts_of(part) == texts
    assert texts or part.octets(part.text) == body


def test_a_boundary_that_ends_what_never_began_is_no_text() -> None:
    """What stands above it is, and nothing below it is lost."""
    head = b"Content-Type: multipart/mixed; boundary=b\n\n"
    alone, followed = (mime_tree.read(head + b"one\n--b--\n" + more) for more in (b"\n", b"two"))
    assert alone.octets(alone.text) == b"one\n"
    assert followed.octets(followed.text) == b"one\n--b--\ntwo"


def test_a_line_of_a_mailbox_at_the_end_of_a_head_begins_the_text() -> None:
    """The blank line below it is the writer's as well."""
    part = mime_tree.read(b"From: a@b.example\nFrom me to you:\n\nhello")
    assert part.octets(part.text) == b"From me to you:\n\nhello"
    assert part.fields == [("From", "a@b.example")]


def test_a_boundary_around_ends_what_is_inside() -> None:
    """Whatever is not closed there (RFC 2046, section 5.1.2)."""
    inner = b"Content-Type: multipart/mixed; boundary=c\n\n--c\n\none\n"
    head = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
    part = mime_tree.read(head + inner + b"--b\n\ntwo\n--c\n\n--b--\n")
    assert texts_of(part) == [[b"one"], b"two\n--c\n"]
