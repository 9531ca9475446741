"""Bytes of unknown or wrongly declared charset, made text. It always succeeds."""

import charset_normalizer

SAMPLE_MAX_BYTES = 16_384
"""The charset is guessed from the beginning only: guessing costs milliseconds per kilobyte."""

SAMPLE_MIN_BYTES = 64
"""A guess from less is worse than Latin-1: `caf\xe9` was taken for Chinese."""

WIDER: dict[str, str] = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "gb2312": "gb18030",
    "ks_c_5601-1987": "cp949",
    "x-unknown": "utf-8",
    "unknown-8bit": "utf-8",
}
"""What senders declare -> what they mean (WHATWG Encoding Standard, "Names and labels", read 2026-11-22)."""

NO_CHARSETS = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7", "utf-7"}
)
"""Python codecs that no mail is written in."""


def decode(body: bytes, declared: str | None = None) -> str:
    """Return `body` as text: by the declared charset, else UTF-8, else a guess, else Latin-1."""
    name = (declared or "").strip().strip("\"'").lower()
    for charset in (WIDER.get(name, name), "utf-8"):
        text = _strictly(body, charset)
        if text is not None:
            return text
    guessed = _guessed(body)
    return body.decode("latin-1") if guessed is None else guessed


def _guessed(body: bytes) -> str | None:
    if len(body) < SAMPLE_MIN_BYTES:
        return None
    best = charset_normalizer.from_bytes(body[:SAMPLE_MAX_BYTES]).best()
    return None if best is None else _strictly(body, best.encoding)


def _strictly(body: bytes, charset: str) -> str | None:
    if not charset or charset.replace("-", "_") in NO_CHARSETS or charset in NO_CHARSETS:
        return None
    try:
        return body.decode(charset)
    except (LookupError, ValueError):
        return None
