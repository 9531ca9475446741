"""In how many pieces a text travels, by the standard's own numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.text_segments import Segments, segments


@pytest.mark.parametrize(
    ("text", "alphabet", "places", "count"),
    [
        ("", "gsm", 0, 1),
        ("a" * 160, "gsm", 160, 1),
        ("a" * 161, "gsm", 161, 2),
        ("a" * 306, "gsm", 306, 2),
        ("a" * 307, "gsm", 307, 3),
        ("€" * 80, "gsm", 160, 1),
        ("a" * 152 + "€" + "a" * 152, "gsm", 306, 3),
        ("ż" * 70, "ucs2", 70, 1),
        ("ż" + "a" * 70, "ucs2", 71, 2),
        ("ż" * 134, "ucs2", 134, 2),
        ("\U0001f600" * 35, "ucs2", 70, 1),
        ("a" * 66 + "\U0001f600" + "ż" * 66, "ucs2", 134, 3),
    ],
)
def test_a_text_is_cut_as_the_standard_cuts_it(
    text: str, alphabet: str, places: int, count: int
) -> None:
    """No piece holds half a character; one letter of another alphabet costs the small one."""
    found = segments(text)
    assert (found.alphabet, found.places, found.count) == (alphabet, places, count)


@given(text=st.text(max_size=700), more=st.text(max_size=50))
def test_more_text_never_takes_fewer_pieces(text: str, more: str) -> None:
    """And never more than its places ask for, with one lost at most in each."""
    found, longer = segments(text), segments(text + more)
    assert longer.count >= found.count
    room = 153 if found.alphabet == "gsm" else 67
    assert found.count <= max(1, -(-found.places // (room - 1)))


def test_a_hint_is_worth_it() -> None:
    """One typographic mark doubles the price of a long text."""
    plain, typographic = segments("a" * 100 + "'"), segments("a" * 100 + "’")
    assert plain == Segments("gsm", 101, 1)
    assert typographic == Segments("ucs2", 101, 2)
