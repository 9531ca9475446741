"""HTML of a mail as plain text. Nothing is fetched, run or kept of the markup; the time is linear in the length."""

import html
import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"([^<]*+)(?:<!--.*?(?:-->|\Z)"  # a comment
    r"|</?([a-zA-Z][a-zA-Z0-9]*)(?:[^'\">]|\"[^\"]*\"|'[^']*')*+>?"  # a tag
    r"|<[!?][^>]*>?"  # a declaration
    r"|(<)|\Z)",
    re.DOTALL,
)
"""A text, and what stands behind it."""
SILENT = frozenset({"script", "style", "head", "title", "template", "noscript", "object", "svg"})
"""Elements whose text nobody reads."""

BREAKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote br center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header"
        " hr li main nav ol p pre section table tbody tfoot thead tr ul",
    )
)
"""Elements that begin and end a line."""

CELLS = frozenset({"td", "th"})
TAG_MAX_CHARACTERS = 2_048
"""How much of a tag is looked at."""

QUOTES_MAX = 10
"""Quotes inside of quotes that are told apart."""

ANNOUNCING = re.compile(
    r"\bclass\s*=\s*['\"]?[^'\">]{0,200}?\b(?:gmail_attr|moz-cite-prefix|protonmail_quote_header|yahoo_quoted_header)\b",
    re.IGNORECASE,
)
"""The attribute of an element that says, in whatever language, who wrote what is quoted below it."""

QUOTED_TO_THE_END = re.compile(
    r"\bid\s*=\s*['\"]?(?:x_)*(?:divRplyFwdMsg|mail-editor-reference-message-container)\b",
    re.IGNORECASE,
)
"""The attribute of the element above a mail that Outlook quotes, or around it: all behind it is quoted."""

_NO_CHARACTER = re.compile(r"&#x?[0-9a-f]{8,};?", re.IGNORECASE)
"""A reference beyond Unicode, however long: Python refuses to read numbers of thousands of digits."""
_HALVES = re.compile(r"(?:&#(?:5[5-7][0-9]{3}|x[dD][89a-fA-F][0-9a-fA-F]{2});){2}")
"""A sign beyond 16 bits whose two halves somebody wrote as a reference each."""
_CHARSET = re.compile(
    rb"<meta\b[^>]{0,200}?\bcharset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE
)
HEAD_BYTES = 4_096
"""How far down a page may say in which charset it is."""
_SPACES = re.compile(r"[ \t\r\n\f\xa0]+")
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(slots=True)
class _Quotes:
    """How deep what is read stands in quotes.

    `rest`: all behind is quoted; `announcing`: how many elements of that name are open since one that announces a
    quote, itself included.
    """

    depth: int = 0
    rest: bool = False
    announcing: tuple[str, int] | None = None

    def see(self, name: str, tag: str) -> None:
        """Take note of a tag."""
        step = -1 if tag.startswith("</") else 1
        if name == "blockquote":
            self.depth = min(QUOTES_MAX, max(0, self.depth + step))
        if self.announcing is not None and self.announcing[0] == name:
            still = self.announcing[1] + step
            self.announcing = (name, still) if still else None
        elif step > 0 and ANNOUNCING.search(tag):
            self.announcing = (name, 1)
        self.rest = self.rest or (step > 0 and QUOTED_TO_THE_END.search(tag) is not None)

    @property
    def marks(self) -> str:
        """What a line begins with."""
        return "> " * min(QUOTES_MAX, self.depth + self.rest + (self.announcing is not None))


def to_text(markup: str) -> str:
    """Return what a reader of the page sees; quoted blocks, and what announces them, stand behind `> `."""
    lines: list[list[str]] = [[]]
    quotes, position = _Quotes(), 0
    while position < len(markup) and (token := _TOKEN.match(markup, position)):
        position = token.end()
        lines[-1] += [_read(token[1]), token[3] or ""]
        name = (token[2] or "").lower()
        if not name:
            continue
        closing = markup.startswith("</", token.end(1))
        if name in SILENT and not closing:
            position = _end_of(markup, name, position)
        elif name in BREAKS:
            quotes.see(name, markup[token.end(1) : position][:TAG_MAX_CHARACTERS])
            lines.append([quotes.marks])
        elif name in CELLS and closing:
            lines[-1].append(" ")
    text = "\n".join(_SPACES.sub(" ", "".join(line)).strip() for line in lines)
    return _BLANK_LINES.sub("\n\n", _without_empty_quotes(text)).strip()


def charset(markup: bytes) -> str | None:
    """Return the charset that a page says it is in; `None` when it says none."""
    found = _CHARSET.search(markup, 0, HEAD_BYTES)
    return None if found is None else found[1].decode()


def _whole(halves: re.Match[str]) -> str:
    """Return the sign that two references to its halves mean; U+FFFD for what are no two halves of one."""
    numbers = [each.strip("&#;") for each in halves[0].split(";") if each]
    units = [int(each[1:], 16) if each[0] == "x" else int(each) for each in numbers]
    joined = b"".join(each.to_bytes(2, "big") for each in units)
    return joined.decode("utf-16-be", "replace")


def _read(token: str) -> str:
    """Return what a reader sees of a text."""
    if "&" not in token:
        return token
    return html.unescape(_HALVES.sub(_whole, _NO_CHARACTER.sub("\ufffd", token)))


def _end_of(markup: str, name: str, position: int) -> int:
    """Return the end of an element that no reader sees; the end of the text when the element is never closed."""
    closing = re.compile(rf"</{name}\b[^>]*>?", re.IGNORECASE).search(markup, position)
    return closing.end() if closing else len(markup)


def _without_empty_quotes(text: str) -> str:
    return "\n".join("" if not line.strip("> ") else line for line in text.split("\n"))
