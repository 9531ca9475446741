"""Bytes of unknown or wrongly declared charset, made text. It always succeeds.

What is almost a text of the charset it is declared in, or of UTF-8, is that text: one damaged byte costs one character
and not all the others. Sources: WHATWG Encoding Standard, "Names and labels" (read 2026-11-22), RFC 1468 and Unicode's
TR 26 from memory; what mails do to it, read 2026-11 in reports to Zammad and FreeScout.
"""

import re

import charset_normalizer

from services.ingest.domain import iso_2022_jp

SAMPLE_MAX_BYTES = 16_384
"""The charset is guessed from the beginning only: guessing costs milliseconds per kilobyte."""

SAMPLE_MIN_BYTES = 64
"""A guess from less is worse than Windows' Latin-1: `caf\xe9` was taken for Chinese."""

WESTERN = "cp1252"

WIDER: dict[str, str] = {
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "latin-1", "latin1"), WESTERN),
    **dict.fromkeys(("us-ascii", "ascii", "x-unknown", "unknown-8bit", "utf8mb4"), "utf-8"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620"), "cp874"),
    **dict.fromkeys(("iso-8859-8-i", "iso-8859-8-e"), "iso-8859-8"),
    **dict.fromkeys(("gb2312", "gb_2312-80", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "cp943"), "cp932"),
    **dict.fromkeys(("eucjp", "x-euc-jp"), "euc-jp"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ks_c_5601-1989", "ksc5601"), "cp949"),
    **dict.fromkeys(("big5", "big-5", "x-x-big5"), "big5hkscs"),
}
"""What senders declare -> what they mean."""

OF_MANY_BYTES = frozenset({"utf-8", "utf8", "gb18030", "cp932", "cp949", "big5hkscs", "euc-jp"})
"""Charsets whose letters take several bytes each: a text of another one hardly ever looks like theirs."""

UTF_8 = frozenset({"utf-8", "utf8"})
OF_ONE_BYTE = frozenset({WESTERN, "cp1250", "iso-8859-2"})
"""Charsets that programs declare without a look at what they send."""

WHOLE_OF_UTF_8 = 1
WHOLE_UNDECLARED = 4
WHOLE_OF_OTHERS = 10
"""So many whole letters outweigh a damaged one: in UTF-8 hardly anything else is whole, in the others nearly all is."""

ABOVE_ASCII = frozenset({"", "utf-8", "us-ascii", "iso-8859-1", "iso-8859-2", "windows-1252"})
"""What most mails declare: bytes of ASCII are ASCII in all of them."""

NO_CHARSETS = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7"}
)
"""Python codecs that no mail is written in."""

_LATIN = re.compile(
    "[\x00-\x7f\xa0-\u017f\u200b-\u200f\u2010-\u2044\u20ac\u2122\ufe0f\ufeff\U0001f000-\U0001faff]*"
)
"""Letters of Latin with their marks, and signs: as single bytes these are sequences that nobody writes."""
_CODE_PAGE = re.compile(r"(?:x-)?(?:cp|win|windows|ibm|ms)[-_ ]?(\d{3,5})\Z")
"""A code page by its number, however its label is written."""
_HIGH = {byte: bytes([byte]).decode(WESTERN, "replace") for byte in range(0x80, 0xA0)}
_WESTERN_SIGNS = {byte: sign for byte, sign in _HIGH.items() if sign != "\ufffd"}


def decode(body: bytes, declared: str | None = None) -> str:
    """Return `body` as text: by the declared charset, else UTF-8, else a guess, else Windows' Latin-1."""
    if body.isascii() and b"\x1b" not in body and (declared or "").lower() in ABOVE_ASCII:
        return body.decode("ascii")
    written = (declared or "").partition(";")[0].partition("*")[0].strip().strip("\"'").lower()
    written = _CODE_PAGE.sub(r"cp\1", written)
    name = WIDER.get(written, written)
    if iso_2022_jp.is_it(body):
        return _strictly(body, name if "2022" in name else "") or iso_2022_jp.decode(body)
    found = (_of_utf_8(body) if name in OF_ONE_BYTE else None) or _strictly(body, name)
    if found is None:
        found = _strictly(body, "utf-8") or _damaged(body, name)
    if found is None and name not in OF_ONE_BYTE:
        found = _guessed(body)
    return body.decode("latin-1").translate(_WESTERN_SIGNS) if found is None else found


def _of_utf_8(body: bytes) -> str | None:
    """Return a text that is declared in single bytes and is one of UTF-8; `None` if it may be what it says."""
    text = None if body.isascii() else _strictly(body, "utf-8")
    return text if text is not None and _LATIN.fullmatch(text) else None


def _damaged(body: bytes, declared: str) -> str | None:
    """Return a text with signs in the place of what is damaged; `None` where too much of it would be."""
    charset = declared if declared in OF_MANY_BYTES else "utf-8"
    text = _halves_joined(body) if charset in UTF_8 else None
    text = body.decode(charset, "replace") if text is None else text
    lost = text.count("\ufffd")
    whole = len(text) - len(text.encode("ascii", "ignore")) - lost
    needed = WHOLE_OF_UTF_8 if declared in UTF_8 else WHOLE_UNDECLARED
    needed = needed if charset in UTF_8 else WHOLE_OF_OTHERS
    return text if whole >= max(1, lost * needed) else None


def _halves_joined(body: bytes) -> str | None:
    """Return a text of which Java, or an older database, wrote each sign beyond 16 bits as two halves (CESU-8)."""
    try:
        halves = body.decode("utf-8", "surrogatepass")
    except ValueError:
        return None
    return halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _guessed(body: bytes) -> str | None:
    if len(body) < SAMPLE_MIN_BYTES:
        return None
    best = charset_normalizer.from_bytes(body[:SAMPLE_MAX_BYTES]).best()
    return None if best is None else _strictly(body, best.encoding)


def _strictly(body: bytes, charset: str) -> str | None:
    if not charset or charset.replace("-", "_") in NO_CHARSETS:
        return None
    try:
        return body.decode(charset)
    except (LookupError, ValueError):
        return None
