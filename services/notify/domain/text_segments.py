"""In how many pieces a text message travels: each is paid for. Pure.

Source, read 2026-11: 3GPP TS 23.038, section 6.2.1 (the default alphabet and its extension table), and TS 23.040,
section 9.2.3.24.1 (what is left of 140 bytes beside the header of a text of several pieces).
"""

from dataclasses import dataclass
from typing import Literal

Alphabet = Literal["gsm", "ucs2"]

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")
"""Each takes two places of the default alphabet, and both in one piece."""

ROOM: dict[Alphabet, tuple[int, int]] = {"gsm": (160, 153), "ucs2": (70, 67)}
"""Places in a text of one piece, and in each piece of several."""


@dataclass(frozen=True, slots=True)
class Segments:
    """`alphabet`: `gsm` of 7 bits a place, `ucs2` of 16; `places`: how many the text takes; `count`: pieces."""

    alphabet: Alphabet
    places: int
    count: int


def segments(text: str) -> Segments:
    """Return in what a text travels: one character beyond the default alphabet costs more than half of the room."""
    alphabet: Alphabet = "gsm" if set(text) <= BASIC | EXTENDED else "ucs2"
    widths = [_width(character, alphabet) for character in text]
    single, several = ROOM[alphabet]
    if sum(widths) <= single:
        return Segments(alphabet, sum(widths), 1)
    count, free = 1, several
    for width in widths:
        if width > free:
            count, free = count + 1, several
        free -= width
    return Segments(alphabet, sum(widths), count)


def _width(character: str, alphabet: Alphabet) -> int:
    if alphabet == "gsm":
        return 2 if character in EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1
