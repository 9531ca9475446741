"""One definition of a mail address: what is taken as a customer's can be written to, if mail servers take it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import mail_address


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("anna@customer.example", "anna@customer.example"),
        ("O'Neil+box@foo_bar.example", "O'Neil+box@foo_bar.example"),
        ("a" * 64 + "@b.example", "a" * 64 + "@b.example"),
        ("anna@żółw.example", "anna@xn--w-uga1v8h.example"),
        ("anna@localhost", "anna@localhost"),
    ],
)
def test_an_address_is_written_in_ascii(text: str, written: str) -> None:
    """The local part stays as it is, the domain is written by IDNA."""
    assert mail_address.ascii_form(text) == written


def test_an_address_that_needs_more_than_ascii_is_one_that_we_cannot_write_to() -> None:
    """It names a person; a mail server without SMTPUTF8 does not take it."""
    assert mail_address.is_address("zażółć@x.example")
    assert mail_address.ascii_form("zażółć@x.example") is None


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "anna", "anna@", "@x.example", "a b@x.example", "a@x example", "<anna@x.example>",
        "anna@customer.example.", "anna@.example", "anna@a..example", "a@b\x01c.pl", "a@b\\c.pl", "a@b＠c.pl",
        ".a@x.example", "a.@x.example", "a..b@x.example", '"a b"@x.example', "a@[192.0.2.1]", "a@-b.example",
        "a@b.example\n", "a\x00@b.example", "a\ud83d@b.example", "a\ufffdb@b.example", "a\u200b@b.example",
        "a" * 65 + "@b.example", "a@" + "b" * 64 + ".example", "a@" + "b.c" * 90, "a@" + "ż" * 60,
    ],
)  # fmt: skip
def test_what_is_no_address_is_nobodys(text: str) -> None:
    """Neither is it anybody's nor can it be written to."""
    assert not mail_address.is_address(text)
    assert mail_address.ascii_form(text) is None


@given(
    st.text(max_size=300) | st.builds("{}@{}".format, st.text(max_size=70), st.text(max_size=300))
)
def test_any_text_is_an_address_or_none(text: str) -> None:
    """It never fails; what is written is plain ASCII without blanks, and an address again."""
    written = mail_address.ascii_form(text)
    if written is not None:
        assert mail_address.is_address(text)
        assert written.isascii()
        assert written.isprintable()
        assert " " not in written
        assert mail_address.ascii_form(written) == written
