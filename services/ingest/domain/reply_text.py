"""The new part of an answer: a view that can be computed again; the full text is kept beside it.

A word of hers that is lost is worse than a quote that stays: what is not known for a quote counts as hers.
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum

from services.ingest.domain import mail_words

LINES_MAX = 10_000
"""A text of more lines is no letter: it has no view."""

LINE_LOOKED_AT_CHARACTERS = 300
ANNOUNCING_LINES_MAX = 4
ANNOUNCED_WITHIN_LINES = ANNOUNCING_LINES_MAX + 1
"""Of them the first may be drawn."""

HEAD_LINES_MAX = 12
SIGNATURE_LINES_MAX = 12
SIGNATURE_SPAN_MAX = 40
ADVERTISEMENT_MAX_CHARACTERS = 120


class Kind(Enum):
    """What a line is. `ANNOUNCING`: says who wrote what is quoted below; `HEAD`: of a quoted mail's head; `CLOSING`: of
    a signature or a program's advertisement; `HERS`: the rest.
    """

    BLANK = "blank"
    QUOTED = "quoted"
    ANNOUNCING = "announcing"
    HEAD = "head"
    CLOSING = "closing"
    HERS = "hers"


_LEADS = (Kind.ANNOUNCING, Kind.HEAD)
_NOT_HERS = tuple(each for each in Kind if each is not Kind.HERS)


def _either(words: Iterable[str]) -> str:
    return "|".join(re.escape(each) for each in sorted(set(words), key=len, reverse=True))


_QUOTED = re.compile(r"[ \t]{0,3}>")
_INITIALS = re.compile(r"([A-Za-z]{1,3})>(?:\s|\Z)")
_MARKS = re.compile(r"[>\s]*")

_WROTE = rf"(?<!\w)(?:{_either(mail_words.WROTE)})(?!\w)"
_DAY = (
    rf"(?:(?:{_either(mail_words.BEFORE_DATE)})\s(?=.{{0,40}}\d)"  # On Sunday, 22
    r"|\d{1,4}[^\W\d]?[-./\s年,]"  # 22.11., 2026-11-22, 2026年
    r"|[^\W\d]{2,14}[.,]{1,2}\s(?=.{0,25}\d))"  # Sun, 22
)
_ADDRESS = r"[^\s<>@]+@[^\s<>@]+"
_ANNOUNCES = re.compile(
    rf"[*_]?(?:{_DAY}.{{0,300}}?{_WROTE}[^:：]{{0,80}}"
    rf"|{_DAY}.{{0,300}}?<?{_ADDRESS}>"
    rf"|(?:{_either(mail_words.WRITTEN_BY)})\s.{{1,200}}<{_ADDRESS}>.{{0,80}}"
    rf"|(?=.{{0,40}}\d).{{1,200}}?{_WROTE}.{{0,80}}<{_ADDRESS}>"
    rf"|[^<>!?]{{1,80}}[<(\[]{_ADDRESS}.{{0,120}}?{_WROTE}.{{0,80}})\s*[:：][*_\s]*\Z",
    re.IGNORECASE,
)
_ANNOUNCES_WITHOUT_COLON = re.compile(
    rf"-{{2,}}\s?{_DAY}.{{0,300}}?{_WROTE}\s*-{{2,}}\s*\Z"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d GMT[+-]\d\d:\d\d [^.:!?,]{1,60}\Z",
    re.IGNORECASE,
)
_DATED = re.compile(rf"(?:19|20)\d\d|\d{{1,2}}[:.h]\d\d|{_ADDRESS}")
_BEHIND_COLON = re.compile(r":\s{3,}\S.*\Z")
"""A program that writes all in one line leaves three blanks before what it quotes."""
_WITH_COLON = re.compile(r"[:：](?:[*_ ]*\Z|\s{3,}\S)")
_COLONS = (":", "：")
_ENDS = (*_COLONS, "-", "*", "_")
_BY_HERSELF = re.compile(r"\b(?:I wrote|schrieb ich)\b", re.IGNORECASE)
_NAME_WROTE = re.compile(rf"(?!(?:You|I)\b)(?:[^\W\d_a-z][\w.'’-]*\s+){{1,4}}{_WROTE}\s*:\s*\Z")

_ORIGINAL = re.compile(
    rf"[*>\s]*[-_=]{{2,}}\s*(?:{_either(mail_words.ORIGINALS)})\b.{{0,60}}?[-_=]{{2,}}\s*\*?\s*\Z"
    rf"|\s*(?:{_either(mail_words.FORWARDED)})\s?[:：]\s*\Z",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[ \t]{0,2}\*{0,2}([^\W\d][\w '’-]{0,29}?)\s?\*{0,2}[:：]\*{0,2}(?:\s|\Z)(.*)")
_RULES = frozenset("-_=*#~+>")
_RULE = re.compile(r"[-_=*#~+]{3,}\Z")
"""A line that some programs draw above a quoted mail; by itself it is the customer's."""

_FIELDS = {
    word: name
    for name, words in (
        *(("to", mail_words.TO), ("subject", mail_words.SUBJECT), ("date", mail_words.DATE)),
        *(("sent", mail_words.SENT), ("from", mail_words.FROM)),
    )
    for word in words
}

_SIGNATURE = "-- "
"""RFC 3676, section 4.3. Without its blank the customer may have drawn it: what is below has to look like one then."""
_CONTACT = re.compile(rf"{_ADDRESS}|https?://|www\.|\+?\d[\d ()/.-]{{6,}}\d|(?<!\S)@\w")
_WORD = re.compile(r"[^\W\d_]+")
_ADVERTISES = re.compile(
    rf"[<(\[\s*_]*(?:(?:{'|'.join(mail_words.SENT_FROM)}).{{0,100}}|[\w ]{{1,30}} from (?:my )?mobile)",
    re.IGNORECASE,
)
_OWN = re.compile(rf"(?<!\w)(?:{_either(mail_words.OWN)})(?!\w)")
_TELLS = re.compile(r"\b(?:is|was|were|are|it|i|but)\b")
"""A sentence of hers that begins like an advertisement."""
_TRACKER = "\u1427"
"""What a tracking extension puts below a mail."""


def new_part(text: str) -> str | None:
    """Return the text without what is quoted, announcements of quotes, signatures and programs' advertisements.

    `None` when it is all new, or nothing of it is; empty when every line is marked as quoted. A quote that she answers
    below stays where there are several, for each says what an answer is to; a single one that is announced goes.
    """
    if text.count("\n") > LINES_MAX:
        return None
    lines = [line.rstrip("\r") for line in text.split("\n")]
    kinds = _kinds(lines)
    if Kind.HERS not in kinds:
        return "" if set(kinds) <= {Kind.QUOTED, Kind.BLANK} and Kind.QUOTED in kinds else None
    end = _end(lines, kinds)
    dropped = _dropped(lines, kinds)
    part = "\n".join(lines[at] for at in range(end) if at not in dropped)
    part = part.strip()
    return part if part and part != text.strip() else None


def _kinds(lines: Sequence[str]) -> list[Kind]:
    """Return of what kind each line is."""
    kinds = [_plain_kind(lines, at) for at in range(len(lines))]
    fields = [_field(line[:LINE_LOOKED_AT_CHARACTERS]) for line in lines]
    telling = [_may_announce(line[:LINE_LOOKED_AT_CHARACTERS].strip()) for line in lines]
    at = 0
    while at < len(lines):
        count, kind = (
            (_head(lines, fields, at), Kind.HEAD) if kinds[at] is Kind.HERS else (0, Kind.HERS)
        )
        if not count and kinds[at] is Kind.HERS and any(telling[at : at + ANNOUNCED_WITHIN_LINES]):
            count, kind = _announcing(lines, at), Kind.ANNOUNCING
        kinds[at : at + count] = [kind] * count
        at += count or 1
    _mark_signatures(lines, kinds)
    _mark_advertisements(lines, kinds)
    return kinds


def _plain_kind(lines: Sequence[str], at: int) -> Kind:
    line = _looked_at(lines, at)
    if (shown := line.strip()) in {"", _TRACKER}:
        return Kind.BLANK
    if ">" not in shown[:4]:
        return Kind.HERS
    if _QUOTED.match(line):
        return Kind.QUOTED
    initials = _INITIALS.match(line)
    if initials and any(
        _looked_at(lines, near).startswith(initials[0].strip()) for near in (at - 1, at + 1)
    ):
        return Kind.QUOTED
    return Kind.HERS


def _end(lines: Sequence[str], kinds: list[Kind]) -> int:
    """Return before which line the view ends: where an unmarked quote begins, else where nothing of hers follows."""
    end = at = 0
    hers = False
    while end < len(kinds):
        if kinds[end] in _LEADS and hers:
            at = end
            while at < len(kinds) and kinds[at] in (*_LEADS, Kind.BLANK):
                at += 1
            if at == len(kinds) or kinds[at] is not Kind.QUOTED:
                break
        hers = hers or kinds[end] is Kind.HERS
        end += 1
    while end and (kinds[end - 1] in _NOT_HERS or not _WORDED.search(lines[end - 1])):
        end -= 1
    return end


_WORDED = re.compile(r"[^\W_]|[^\x00-\x7f]")


def _dropped(lines: Sequence[str], kinds: list[Kind]) -> set[int]:
    """Return which lines go of those that the view may hold."""
    gone = {at for at, kind in enumerate(kinds) if kind in _LEADS or kind is Kind.CLOSING}
    first = next((at for at, kind in enumerate(kinds) if kind is not Kind.BLANK), 0)
    if kinds[first] is Kind.HEAD:
        below = next(
            (at for at in range(first, len(kinds)) if kinds[at] not in {Kind.HEAD, Kind.BLANK}), 0
        )
        if kinds[below] is Kind.HERS:
            # A mail that she passes on without a word is what she has to say.
            gone -= set(range(first, below))
    runs = [
        at
        for at, kind in enumerate(kinds)
        if kind is Kind.QUOTED and _kind_before(kinds, at) is not Kind.QUOTED
    ]
    if len(runs) == 1 and _is_announced(lines, kinds, runs[0]):
        gone |= {at for at, kind in enumerate(kinds) if kind is Kind.QUOTED}
    return gone


def _kind_before(kinds: Sequence[Kind], at: int) -> Kind:
    """Return the kind of the last line before one that is not blank."""
    return next((kind for kind in reversed(kinds[:at]) if kind is not Kind.BLANK), Kind.BLANK)


def _is_announced(lines: Sequence[str], kinds: Sequence[Kind], at: int) -> bool:
    if _kind_before(kinds, at) in _LEADS:
        return True
    inside = [_MARKS.sub("", line, count=1) for line in lines[at : at + ANNOUNCING_LINES_MAX]]
    return _announcing(inside, 0) > 0


def _head(lines: Sequence[str], fields: Sequence[str | None], at: int) -> int:
    """Return of how many lines the head of a quoted mail is that begins here; 0 where none does."""
    line = _looked_at(lines, at).strip()
    if not (fields[at] or line[:1] in _RULES or line.endswith(_COLONS)):
        return 0
    begin = at
    while begin < at + 2 and _RULE.match(_looked_at(lines, begin).strip()):
        begin += 1
    announced = _ORIGINAL.match(_looked_at(lines, begin)) is not None
    below = begin + announced
    while announced and below < len(lines) and not lines[below].strip():
        below += 1
    end = _end_of_fields(lines, fields, below)
    if announced:
        return (end if end > below else begin + 1) - at
    return end - at if _is_head(lines[begin:end], fields[begin:end]) else 0


def _end_of_fields(lines: Sequence[str], fields: Sequence[str | None], at: int) -> int:
    """Return where the header fields end that begin here: one of them may stand on two lines."""
    end, last = at, min(len(fields), at + HEAD_LINES_MAX)
    while end < last and fields[end]:
        folded = (
            end + 2 < last and not fields[end + 1] and fields[end + 2] and lines[end + 1].strip()
        )
        end += 2 if folded else 1
    return end


def _field(line: str) -> str | None:
    found = _FIELD.match(line) if any(each in line for each in _COLONS) else None
    return None if found is None else _FIELDS.get(found[1].strip().lower())


def _is_head(lines: Sequence[str], names: Sequence[str | None]) -> bool:
    """Tell whether header fields are a mail's: two that begin with `from` and `to` are the way of a parcel."""
    if "from" not in names:
        return False
    if "sent" in names:
        return True
    addressed = any("@" in line for line in lines)
    return "date" in names and ("subject" in names or addressed)


def _announcing(lines: Sequence[str], at: int) -> int:
    """Return how many lines announce a quote here; 0 where none does."""
    drawn = 1 if _RULE.match(_looked_at(lines, at).strip()) else 0
    begin = at + drawn
    taken: list[str] = []
    for count in range(1, ANNOUNCING_LINES_MAX + 1):
        line = _looked_at(lines, begin + count - 1).strip()
        if not line or _QUOTED.match(line):
            break
        taken.append(line)
        if (count == 1 or line.endswith(_ENDS)) and _announces(" ".join(taken)):
            return 0 if count > 1 and _announces(" ".join(taken[1:])) else count + drawn
    alone = (
        len(taken) == 1
        and _NAME_WROTE.match(taken[0])
        and _QUOTED.match(_looked_at(lines, begin + 1))
    )
    return 1 + drawn if alone else 0


def _may_announce(line: str) -> bool:
    """Tell whether a line may begin or end what announces a quote: most can be told by their ends."""
    if line.endswith(_ENDS) or line[:1] == "-" or line[:1].isdigit():
        return True
    return any(each in line for each in _COLONS) and _WITH_COLON.search(line) is not None


def _announces(line: str) -> bool:
    if _ANNOUNCES_WITHOUT_COLON.match(line):
        return True
    if not _WITH_COLON.search(line) or _BY_HERSELF.search(line):
        return False
    line = _BEHIND_COLON.sub(":", line.replace("mailto:", ""))
    return _ANNOUNCES.match(line) is not None and _DATED.search(line) is not None


def _mark_signatures(lines: Sequence[str], kinds: list[Kind]) -> None:
    """Mark what stands between two dashes and the next quote, or the end, where it is a signature."""
    stop = len(kinds)
    for at in range(len(kinds) - 1, -1, -1):
        if kinds[at] in _LEADS or kinds[at] is Kind.QUOTED:
            stop = at
        elif lines[at].rstrip() == _SIGNATURE.rstrip() and (
            lines[at] == _SIGNATURE
            or _is_signature(lines[at + 1 : min(stop, at + SIGNATURE_SPAN_MAX)])
        ):
            kinds[at:stop] = [Kind.CLOSING] * (stop - at)
            stop = at


def _is_signature(lines: Sequence[str]) -> bool:
    """Tell whether lines below two dashes are somebody's name and where to reach him, and no sentences."""
    written = [line.strip() for line in lines if line.strip()]
    if len(written) > SIGNATURE_LINES_MAX:
        return False
    prose = [line for line in written if _is_prose(line)]
    return not prose or (bool(_CONTACT.search(written[0])) and not _is_prose(written[0]))


def _is_prose(line: str) -> bool:
    words = _WORD.findall(line)
    small = sum(word[0].islower() for word in words)
    if _is_advertisement(line) or _CONTACT.search(line):
        return False
    return len(words) > 2 and (small * 2 > len(words) or line.endswith((".", "?", "!")))


def _mark_advertisements(lines: Sequence[str], kinds: list[Kind]) -> None:
    """Mark lines such as `Sent from my phone` where nothing of hers follows before the next quote."""
    last = True
    for at in range(len(lines) - 1, -1, -1):
        if kinds[at] is Kind.HERS and last and _is_advertisement(lines[at]):
            kinds[at] = Kind.CLOSING
        last = kinds[at] in _NOT_HERS and (last or kinds[at] is not Kind.BLANK)


def _is_advertisement(line: str) -> bool:
    said = line.strip().lower()
    if (
        len(said) > ADVERTISEMENT_MAX_CHARACTERS
        or not _ADVERTISES.match(said)
        or _TELLS.search(said)
    ):
        return False
    return any(device in said for device in mail_words.DEVICES) or _OWN.search(said) is not None


def _looked_at(lines: Sequence[str], at: int) -> str:
    return lines[at][:LINE_LOOKED_AT_CHARACTERS] if 0 <= at < len(lines) else ""
