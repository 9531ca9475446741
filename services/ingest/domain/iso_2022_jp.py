"""ISO-2022-JP as mails are written in it: seven bits a byte, and escapes that say what the next bytes are.

It is known by its escapes wherever it stands, since some programs declare nothing. Rows that vendors have added to its
tables are read as Windows reads them. Sources, from memory: RFC 1468, JIS X 0208 and its form in Shift_JIS.
"""

import re

_SIGN = re.compile(rb"\x1b\$[@B]")
_ESCAPE = re.compile(rb"\x1b(\$[@B]|\([BIJ])")
_PAIRS = re.compile(rb"(?:[\x21-\x7e]{2})+")
_KANA = bytes(range(0x21)) + bytes(range(0xA1, 0xE0)) + bytes(range(0x60, 0x100))
"""Half-width syllables: as seven bits, and as Shift_JIS has them."""


def is_it(body: bytes) -> bool:
    """Tell whether bytes are text in this charset: no other one has its escapes."""
    return b"\x1b$" in body and body.isascii() and _SIGN.search(body) is not None


def decode(body: bytes) -> str:
    """Return the text; what is in no table is U+FFFD."""
    pieces, mode = [], b"(B"
    for position, piece in enumerate(_ESCAPE.split(body)):
        if position % 2:
            mode = piece
        elif mode.startswith(b"$"):
            pieces.append(_PAIRS.sub(lambda found: _shifted(found[0]), piece))
        else:
            pieces.append(piece.translate(_KANA) if mode == b"(I" else piece)
    return b"".join(pieces).decode("cp932", "replace")


def _shifted(pairs: bytes) -> bytes:
    """Return pairs of seven bits, a row and a cell each, in the form of Shift_JIS."""
    found = bytearray()
    for row, cell in zip(pairs[::2], pairs[1::2], strict=True):
        found.append((row + 1) // 2 + (0x70 if row < 0x5F else 0xB0))
        found.append(cell + (0x1F + (cell >= 0x60) if row % 2 else 0x7E))
    return bytes(found)
