"""Header fields of a mail, decoded by ourselves: a broken one spoils itself and no other.

Sources: RFC 5322 (fields), RFC 2047 (encoded words), read 2026-11-22.
"""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from email.utils import parseaddr

from services.ingest.domain import charsets
from shared import handles

FIELD_MAX_CHARACTERS = 16_384

_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*)\?=")
_BARE = re.compile(r"[^\s<>,;:\"()\[\]]+")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,998})>")


def unfolded(value: str) -> str:
    """Return a raw field on one line, its 8-bit bytes made text; encoded words stay.

    `value` is as the parser gives it: bytes outside ASCII stand as surrogates.
    """
    try:
        raw = value[:FIELD_MAX_CHARACTERS].encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        raw = value[:FIELD_MAX_CHARACTERS].encode("utf-8", "replace")
    text = raw.decode("ascii") if raw.isascii() else charsets.decode(raw)
    return re.sub(r"\r?\n[ \t]?|\r", " ", text).strip()


def text(value: str) -> str:
    """Return a raw field with its encoded words decoded; a word that cannot be decoded stays as written."""
    plain = unfolded(value)
    return "".join(_decoded(plain))


def _decoded(plain: str) -> Iterator[str]:
    """Give plain text and decoded words in order.

    Blanks between two words do not count, and a character may be split between words of one charset.
    """
    end, charset, pending = 0, "", b""
    for word in _WORD.finditer(plain):
        between = plain[end : word.start()]
        octets = _octets(word[2], word[3])
        adjacent = not between.strip() and end > 0
        joined = adjacent and octets is not None and word[1].lower() == charset
        if not joined:
            yield charsets.decode(pending, charset) if pending else ""
            pending = b""
        yield between if not adjacent else ""
        if octets is None:
            yield word[0]
        else:
            pending += octets
        charset, end = word[1].lower(), word.end()
    yield charsets.decode(pending, charset) if pending else ""
    yield plain[end:]


def _octets(encoding: str, encoded: str) -> bytes | None:
    try:
        if encoding in "bB":
            return base64.b64decode(encoded + "=" * (-len(encoded) % 4))
        return quopri.decodestring(encoded.encode("ascii"), header=True)
    except (binascii.Error, ValueError):
        return None


def sender(value: str | None) -> tuple[str | None, str | None]:
    """Return (name, address) of a raw From field; `None` for what it does not hold."""
    if value is None:
        return None, None
    plain = unfolded(value)
    try:
        name, written = parseaddr(plain)
    except (ValueError, IndexError):
        name, written = "", ""
    address = handles.email(written)
    if address is None:
        found = (handles.email(each[0]) for each in _BARE.finditer(plain) if "@" in each[0])
        address = next((each for each in found if each is not None), None)
    shown = "".join(_decoded(name)).strip() if name else None
    return shown or None, address


def message_ids(value: str | None) -> list[str]:
    """Return the identifiers of a raw Message-ID, In-Reply-To or References field, without brackets, in order."""
    return [] if value is None else _MESSAGE_ID.findall(unfolded(value))
