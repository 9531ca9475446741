"""No pattern of a policy takes long, whatever a customer writes; those that do not are read as ever."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import patterns, policy
from shared.errors import PolicyInvalid

GOOD = [
    r"\b(ORD-\d{4,12})\b",
    r"order number|numer\w* zamówienia",
    r"^(no-?reply|mailer-daemon)@",
    r"[\w.+-]+@[\w-]+\.[\w.-]+",
    r"(\d{2,4}[ -]?){1,6}",
    r"\d+(,\d+)*(\.\d+)?",
    r"order(?: (?:no|nr))?\s*+[:#]?+\s*+(\d{6,10})",
    r"(?i)\W{0,3}(?<=nr )(?:ab|cd)*(?!x)([^\W_a-dA-D]+)-?$",
    r"(?:x)(?P<no>\d)(?(no)y|z)(?>a+)(?=b)",
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"[A-Z0-9]{4,}-?[0-9]{3,}",
    r"\w+(?=-\d)",
    r".*@shop\.example",
    r"\border[:\s#-]*([A-Z0-9-]{6,20})\b",
]
SLOW = [
    r"(a+)+b",
    r"(a|a)*b",
    r"(?:ab|[ab]b)*c",
    r"(a?){32}a{32}",
    r"(\w+\s?)+$",
    r"(?:(?:(?:){512}){512}){512}",
    r".*foo.*bar",
    r"\w+[a-z]+-",
    r"(.*)\1",
    r"(?i)s+[A-Z]+-",
    r"ę+\w+-",
    r"[^x]+\w+-",
    r"(?=(a+)+b)",
    r"a+(?=\w*)b",
    r"a+(?=(?:ab?){0,500})b",
    r"a+(?<=(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a))b",
    r"a*(?>a*)b",
    r"[a-z.]+\.[a-z]{2,}$",
]
ASCII = st.text("ab1- ", max_size=700)


@pytest.mark.parametrize("pattern", GOOD)
def test_a_pattern_as_people_write_them_is_taken(pattern: str) -> None:
    """What repeats ends where something else begins, or nothing long comes after it."""
    assert patterns.complaint(pattern) is None


@pytest.mark.parametrize("pattern", SLOW)
def test_a_pattern_that_may_take_too_long_is_refused(pattern: str) -> None:
    """However it is slow: a repetition within one, ways that begin alike, or two that share out the same characters."""
    assert patterns.complaint(pattern) == patterns.TOO_LONG


@pytest.mark.parametrize("pattern", ["(", "a" * (patterns.PATTERN_MAX_CHARACTERS + 1)])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """With a reason of its own."""
    assert patterns.complaint(pattern) not in {None, patterns.TOO_LONG}


@pytest.mark.parametrize(
    "where",
    [
        "patterns: [{fact: f, pattern: '(a+)+b'}]",
        "patterns: [{fact: f, pattern: f, asks: '(a+)+b'}]",
        "never_identifies: ['(a+)+b']",
    ],
)
def test_a_policy_with_a_slow_pattern_is_none(where: str) -> None:
    """Whatever the pattern is for."""
    text = f"tenant: t\nqueues: {{q: {{title: Q}}}}\nagents: {{}}\naccounts: {{}}\n{where}\n"
    with pytest.raises(PolicyInvalid, match=r"pattern \(a\+\)\+b: it may take too long"):
        policy.parse(text.encode())


@given(ASCII, st.sampled_from([r"\b\w{1,9}\b", "a+", r"(?<=-)\d*", "b{2,3}$", r"^a|-", "1?"]))
def test_windows_change_nothing_that_is_short(text: str, pattern: str) -> None:
    """What is found is what one search over the whole text finds, but for what is longer than any fact."""
    whole = [each.span() for each in re.finditer(pattern, text)]
    found = [each.span() for each in patterns.found_in(pattern, text)]
    if all(end - start < patterns.STRIDE for start, end in whole):
        assert found == whole


def test_a_value_is_found_wherever_it_stands() -> None:
    """Also across the end of a window; a longer one than any fact is none, and hides nothing behind it."""
    for before in range(3 * patterns.WINDOW):
        text = " " * before + "ORD-123456 " + "x" * 700
        assert [each[0] for each in patterns.found_in(r"\bORD-\d+\b", text)] == ["ORD-123456"]
    assert [each[0] for each in patterns.found_in(r"\b\d+\b", "1" * 2_000 + " 22")] == ["22"]


def test_what_ends_a_text_ends_no_window() -> None:
    """`$` means the end of the text."""
    assert [each.start() for each in patterns.found_in("x?$", "x" * 1_500)] == [1_499, 1_500]
