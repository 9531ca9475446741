"""What YAML reads otherwise than people write it, said so that they see it.

`NO` is false, `10:00` is 600 and `09:00` a text, `010` is 8, `+48123456789` a number: the types of YAML 1.1,
yaml.org/type, which PyYAML reads; read 2026-11. People complain of it wherever settings are YAML:
home-assistant/core issue 25720, dependabot/dependabot-core issue 3263, flowhub/guv issue 9.
"""

import difflib
import re
from collections.abc import Iterable

import yaml

_TAG = "tag:yaml.org,2002:"
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_MINUTE_SHORT = re.compile(r"\d\d:\d\d-23:59")
BACKSPACE = "\b"
QUOTE_IT = "put it in quotes"


WORDS = (
    (
        "Expected `str` matching regex '^[a-z0-9_-]{1,32}\\\\Z'",
        "a name is of a-z, 0-9, _ and -, at most 32",
    ),
    ("Expected ", "expected "),
    ("`str | null`", "a text or nothing"),
    ("`str`", "a text"),
    ("`int`", "a whole number"),
    ("`float`", "a number"),
    ("`bool`", "true or false"),
    ("`array`", "a list"),
    ("`object`", "a mapping"),
    ("`null`", "nothing"),
)
"""What the reader of types says, as whoever writes policies says it."""


def in_words(told: str) -> str:
    """Return what a reader of types complains of, without the place, which it tells by itself."""
    said = told.partition(" - at ")[0]
    for technical, plain in WORDS:
        said = said.replace(technical, plain)
    return said


def read_as(node: yaml.Node, value: object) -> str:
    """Return what a word that nobody quoted is taken for, and what to do; nothing where it is taken for a text."""
    if not isinstance(node, yaml.ScalarNode) or node.style:
        return ""
    written = node.value
    match node.tag.removeprefix(_TAG):
        case "bool":
            return f"`{written}` is read as {str(value).lower()}: {QUOTE_IT}"
        case "int" | "float" if ":" in written:
            return f"`{written}` is read as the number {value}, to the base of 60: {QUOTE_IT}"
        case "int" | "float":
            return f"`{written}` is read as the number {value}: {QUOTE_IT}"
        case "timestamp":
            return f"`{written}` is read as a date: {QUOTE_IT}"
        case "null":
            return "nothing stands here"
        case _:
            return ""


def silent(node: yaml.ScalarNode, value: object) -> str | None:
    """Return what is taken, though it says something else than it shows; `None` for what is as it looks."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not node.style and number and not _PLAIN_NUMBER.fullmatch(node.value):
        return f"`{node.value}` is read as the number {value}: write that"
    if node.style == '"' and BACKSPACE in node.value:
        return r"in double quotes `\b` is a backspace: put a pattern in single quotes"
    if _MINUTE_SHORT.fullmatch(node.value):
        return f"`{node.value}` is closed in the minute before midnight: a day ends at 24:00"
    return None


def unknown(name: str, known: Iterable[str], elsewhere: Iterable[str]) -> str:
    """Return what may have been meant by a word that is not known here; `elsewhere`: where it would be."""
    before, colon, after = name.partition(":")
    if colon and after and before in known:
        return f"a space is missing after the colon of `{before}:`"
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    places = list(elsewhere)
    if places:
        return f"it stands in {' or '.join(places)}"
    return f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(sorted(known))}"
