"""The code's words are the field's, or stand in the glossary."""

import ast
import re

from shared.commands import COMMANDS
from shared.events import event_types
from shared.queries import QUERIES
from tests.architecture.tree import ROOT, sources

_LISTED = """
ack announcement answer bus clock codec column connection consumer error feed ids inbox limits log
mail message pattern pool problem protocol reader reference report request result rule
sender server session setting socket state status store stream subscription table transaction write
"""
ORDINARY = frozenset(_LISTED.split())
"""Words that every programmer of such a system reads alike: they need no entry."""
OF_THEIR_OWN = re.compile(r"shared/(events/|errors/|queries/|commands/|replies\.py)")
"""Names on the wire: the reference pages have them, golden samples hold them."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]+")
_ENTRY = re.compile(r"\| ([^|]+) \|")


def glossary() -> set[str]:
    """Return the words of the glossary's entries."""
    lines = (ROOT / "docs" / "glossary.md").read_text("utf-8").splitlines()
    entries = (_ENTRY.match(line) for line in lines)
    return {word for entry in entries if entry for word in re.findall(r"[a-z]+", entry[1].lower())}


def on_the_wire() -> set[str]:
    """Return the words of commands, queries and event types: the reference pages tell what each is."""
    return {
        word
        for name in (*COMMANDS, *QUERIES, *event_types())
        for word in re.findall("[a-z]+", name)
    }


def is_known(word: str, known: set[str]) -> bool:
    """Tell whether a word, or its singular, is one of the field's, of the glossary or of every programmer."""
    forms = {word, word.removesuffix("s"), re.sub("ies$", "y", word)}
    return bool(forms & (known | ORDINARY))


def test_a_class_is_named_in_words_that_a_reader_can_look_up() -> None:
    """The last word of its name says what it is: a private one is a tax on everybody but its author."""
    known = glossary() | on_the_wire()
    private = {
        node.name: source.at(node)
        for source in sources("services", "shared")
        if not OF_THEIR_OWN.match(source.name)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if not _is_an_error(node)
        if not is_known(_WORD.findall(node.name)[-1].lower(), known)
    }
    assert not private, f"use the field's word, or put yours into docs/glossary.md: {private}"


def _is_an_error(node: ast.ClassDef) -> bool:
    """Tell whether a class is raised: its name is a sentence, and its docstring says when."""
    return any(ast.unparse(base).endswith(("Exception", "Error")) for base in node.bases)


def test_an_ordinary_word_is_still_used() -> None:
    """The list holds what names need, and nothing that the glossary explains."""
    heads = {
        _WORD.findall(node.name)[-1].lower()
        for source in sources("services", "shared")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }
    used = {form for head in heads for form in (head, head.removesuffix("s"))}
    assert not ORDINARY - used, f"take these out: {ORDINARY - used}"
    assert not ORDINARY & glossary(), f"the glossary has these: {ORDINARY & glossary()}"
