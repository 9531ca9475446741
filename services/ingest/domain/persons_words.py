"""Tells whether a delivery that could not be read may hold what a person wrote: then a person is told of it.

What it holds is not repeated anywhere; that somebody may have said something is all that leaves this file.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

LOOKED_AT_BYTES = 65_536
"""Of a body so much is looked at."""
WORDS_IN_A_ROW = 3
UNSPACED_LETTERS = 4
"""So many letters in a row say something where words are written without blanks between them."""
FIRST_UNSPACED = 0x0E00
"""Thai, and what stands behind it in Unicode: most of what is written without blanks."""
GAP_MAX_CHARACTERS = 3

_WORD = re.compile(r"[^\W\d_]+")
_BETWEEN_WORDS = re.compile(r"[\s,.;!?]*\s\Z")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def seem_to_stand_in(body: bytes) -> bool:
    """Tell whether three words stand in a row somewhere, as they are or as a form or JSON writes them."""
    text = body[:LOOKED_AT_BYTES].decode(errors="replace").replace("\0", "")
    return any(map(_holds_words, _readings(text)))


def _readings(text: str) -> Iterator[str]:
    yield text
    if "\\u" in text:
        yield _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    if "%" in text or "+" in text:
        yield unquote_plus(text)


def _holds_words(text: str) -> bool:
    in_a_row, end = 0, 0
    for found in _WORD.finditer(text):
        word, between = found[0], text[end : found.start()]
        if len(word) >= UNSPACED_LETTERS and ord(word[0]) >= FIRST_UNSPACED:
            return True
        near = len(between) <= GAP_MAX_CHARACTERS and _BETWEEN_WORDS.match(between)
        in_a_row, end = (in_a_row + 1 if near else 1), found.end()
        if in_a_row >= WORDS_IN_A_ROW:
            return True
    return False
