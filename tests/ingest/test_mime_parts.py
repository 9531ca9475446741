"""A mail inside a mail is written as the standard library writes it, by a shorter way where nothing is to be folded."""

from email.policy import Compat32, compat32

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import mime_parts

STANDARD = compat32.clone(linesep="\r\n", max_line_length=None)
PIECES = (
    *("a", "b;", "c,", "<a@b>", "x:y", "~", "=?utf-8?q?x?=", "ł", "\udcff"),
    *(" ", "\t", "\n", "\r\n", "\r", "\n ", "\x0b"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_a_field_is_written_as_the_standard_library_writes_it(value: str) -> None:
    """Sizes and hashes of attached mails stand in events: a shorter way may not change a byte of them."""
    assert _written(mime_parts.AS_WRITTEN, value) == _written(STANDARD, value)


def _written(policy: Compat32, value: str) -> bytes | str:
    try:
        return policy.fold_binary("Subject", value)
    except (ValueError, UnicodeError) as error:
        return type(error).__name__
