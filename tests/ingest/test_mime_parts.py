"""A mail inside a mail is written as the standard library writes it, by a shorter way where nothing is to be folded."""

from email.errors import MessageError
from email.policy import compat32

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.ingest.domain import mime, mime_written
from shared import ids

STANDARD = compat32.clone(linesep="\r\n", max_line_length=None)
PIECES = (
    *("a", "b;", "c,", "<a@b>", "x:y", "~", "=?utf-8?q?x?=", "\udcff"),
    *(" ", "\t", "\n", "\r\n", "\r", "\n ", "\x0b"),
)

ATTACHED = b"""From: anna@customer.example
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: message/rfc822

From: shop@shop.example
Subject: aENDx:y

hello
--x--
"""


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_a_field_is_written_as_the_standard_library_writes_it(value: str) -> None:
    """Sizes and hashes of attached mails stand in events: a shorter way may not change a byte of them."""
    try:
        expected = STANDARD.fold_binary("Subject", value)
    except MessageError:
        assume(False)
    assert mime_written.field("Subject", value) == expected


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85"])
def test_a_field_that_looks_like_two_is_written_as_it_stands(end: str) -> None:
    """The standard library refuses to write it; the mail that a customer passed on is read all the same."""
    body = ATTACHED.replace(b"END", end.encode("latin-1"))
    found = mime.read(body)
    assert found is not None
    (file,) = found.files
    (inside,) = mime.contents(body)
    assert b"Subject: a" + end.encode("latin-1") + b"x:y\r\n" in inside
    assert (file.size_bytes, file.sha256) == (len(inside), ids.body_sha256(inside))
