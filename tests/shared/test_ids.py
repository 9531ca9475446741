"""Ids: the same wherever they are computed, and never the same for two things."""

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from shared import ids, subjects


def test_an_id_is_what_its_definition_says() -> None:
    """Base32 of 160 bits of the SHA-256 over length-prefixed parts, computed here once more."""
    framed = b"\0\0\0\2ab" + b"\0\0\0\1c"
    wanted = base64.b32encode(hashlib.sha256(framed).digest()[:20]).decode().lower()
    assert ids.scoped_id("ab", "c") == wanted


@given(st.lists(st.text(), min_size=1, max_size=5), st.lists(st.text(), min_size=1, max_size=5))
def test_different_scopes_have_different_ids(one: list[str], other: list[str]) -> None:
    """However the parts are cut: ("ab", "c") is not ("a", "bc")."""
    assert (ids.scoped_id(*one) == ids.scoped_id(*other)) == (one == other)


@given(st.lists(st.text(), max_size=5))
def test_an_id_fits_a_subject(scope: list[str]) -> None:
    """Whatever it is made of, it is 32 characters of one token, also with its aggregate's prefix."""
    found = ids.scoped_id(*scope)
    assert len(found) == 32
    assert subjects.is_token(found)


def test_the_kinds_of_ids_do_not_meet() -> None:
    """A contact event and a decision of the same parts are two ids; so are the k-th and the next."""
    found = {
        ids.contact_event_id("demo", "a", "b", "c", "0"),
        ids.contact_event_id("demo", "a", "b", "c", "0", 1),
        ids.decision_event_id("demo", "a/b", "c", 0),
        ids.decision_event_id("demo", "a/b", "c", 1),
        ids.scoped_id("demo", "a/b", "c", "0"),
    }
    assert len(found) == 5


def test_a_handle_is_hashed_under_the_tenants_key() -> None:
    """Another key, kind or value is another token; the parts are framed."""
    found = {
        ids.keyed_hash(b"k", "phone", "1"),
        ids.keyed_hash(b"K", "phone", "1"),
        ids.keyed_hash(b"k", "email", "1"),
        ids.keyed_hash(b"k", "phone1", ""),
    }
    assert len(found) == 4
