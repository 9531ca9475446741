"""Header fields of a mail, decoded by ourselves: a broken one spoils itself and no other.

Sources: RFC 5322 (fields), RFC 2047 (encoded words), read 2026-11-22.
"""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator

from services.ingest.domain import charsets
from shared import handles

FIELD_MAX_CHARACTERS = 16_384

_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*)\?=")
_BARE = re.compile(r"[^\s<>,;:\"()\[\]]+")
_ANGLE = re.compile(r"<([^<>]*)>")
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|[()]|[^"\\()]+|.', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_QUOTED = str.maketrans({"<": "\ue000", ">": "\ue001", ",": "\ue002", "@": "\ue003"})
"""Stand-ins (Unicode's private use) for what means nothing inside quotes."""
_SHOWN = str.maketrans({to: chr(of) for of, to in _QUOTED.items()})
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,998})>")
_LINE_END = re.compile(r"\r?\n[ \t]?|\r")
_OBSOLETE = re.compile(
    r"\s{0,9}(?:\([^()]{0,99}\)\s{0,9})?([.@])\s{0,9}(?:\([^()]{0,99}\)\s{0,9})?"
)
"""Blanks and comments around the dots of an address, as they were once allowed (RFC 5322, section 4.4)."""
_LOOSE_ID = re.compile(r"<\s*([^<>]{1,998}?)\s*>|([^<>\s,;]{1,998})")


def unfolded(value: str, charset: str | None = None) -> str:
    """Return a raw field on one line, its 8-bit bytes made text; encoded words stay.

    `value` is as the parser gives it: bytes outside ASCII stand as surrogates; `charset`: of the mail's text, in which
    they are written where they are none of UTF-8 (RFC 6532; nodemailer/mailparser#351, read 2026-11).
    """
    try:
        raw = value[:FIELD_MAX_CHARACTERS].encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        raw = value[:FIELD_MAX_CHARACTERS].encode("utf-8", "replace")
    plain = raw.isascii() and b"\x1b" not in raw
    text = raw.decode("ascii") if plain else charsets.decode(raw, _of_bytes(raw, charset))
    return _LINE_END.sub(" ", text).strip()


def _of_bytes(raw: bytes, charset: str | None) -> str | None:
    try:
        raw.decode()
    except ValueError:
        return charset
    return None


def text(value: str, charset: str | None = None) -> str:
    """Return a raw field with its encoded words decoded; a word that cannot be decoded stays as written."""
    return "".join(_decoded(unfolded(value, charset)))


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


def sender(value: str | None, charset: str | None = None) -> tuple[str | None, str | None]:
    """Return (name, address) of the first mailbox in a raw From field; `None` for what the field does not hold.

    The address in angle brackets counts, whatever the words before it look like; only without one a bare address.
    A field that holds neither as it is written may be one encoded word, or have quoted all of it.
    """
    if value is None:
        return None, None
    plain = unfolded(value, charset)
    nobody = (_name(_unquoted(plain)[0].partition("<")[0]) if "<" in plain else None), None
    return _mailbox(plain) or _mailbox(text(value, charset)) or _anywhere(plain) or nobody


def _mailbox(plain: str) -> tuple[str | None, str] | None:
    """Return (name, address) of the first mailbox that has an address where RFC 5322 has addresses."""
    words, comments = _unquoted(plain)
    first = words.partition(",")[0]
    bare = handles.email(first)
    if bare is not None:
        return _name(" ".join(comments)), bare
    for angle in _ANGLE.finditer(words):
        address = handles.email(angle[1]) or handles.email(_OBSOLETE.sub(r"\1", angle[1]))
        if address is not None:
            name = words[: angle.start()].replace("<", " ").replace(">", " ")
            return _name(name) or _name(" ".join(comments)), address
    return None if _ANGLE.search(words) else _anywhere(words)


def _anywhere(plain: str) -> tuple[str | None, str] | None:
    """Return the first bare word that is an address."""
    found = (handles.email(each[0]) for each in _BARE.finditer(plain) if "@" in each[0])
    address = next((each for each in found if each is not None), None)
    return None if address is None else (None, address)


def _unquoted(plain: str) -> tuple[str, list[str]]:
    """Return a field without comments, and the comments. What is quoted cannot be taken for an address or a list."""
    words, comments, depth = [], [""], 0
    for piece in _PIECE.findall(plain):
        if piece == "(":
            depth += 1
        elif piece == ")" and depth:
            depth -= 1
            comments += [""] if not depth else []
        elif depth:
            comments[-1] += piece
        elif piece.startswith('"') and piece.endswith('"') and len(piece) > 1:
            words.append(_QUOTED_PAIR.sub(r"\1", piece[1:-1]).translate(_QUOTED))
        else:
            words.append(piece)
    return "".join(words), comments


def _name(written: str) -> str | None:
    """Return a name as people read it; `None` for no name."""
    shown = "".join(_decoded(" ".join(written.translate(_SHOWN).split())))
    return shown.strip(" ,;") or None


def message_ids(value: str | None) -> list[str]:
    """Return the identifiers of a raw Message-ID, In-Reply-To or References field, without brackets, in order.

    Where none is written as it ought to be, brackets may be missing and blanks be within them: what a program calls its
    mail, others call it too. A word without `@` is one only where it stands alone: older programs write a sentence.
    """
    plain = unfolded(value or "")
    found = _MESSAGE_ID.findall(plain)
    if found:
        return found
    loose = [_OBSOLETE.sub(r"\1", inside) or bare for inside, bare in _LOOSE_ID.findall(plain)]
    return loose if len(loose) == 1 else [each for each in loose if "@" in each]
