"""JSON and YAML from outside, in which a name stands once, and nothing stands deeper than anybody writes.

Of `{"a": 1, "a": 2}` one reader takes the first and another the last (RFC 8259, section 4): who checked it before us
may have seen something else than we do. And in a policy the second is a slip.
"""

import json
import re
from itertools import chain
from typing import Annotated, Any, TypeVar

import msgspec
import yaml
from msgspec import Meta
from yaml.composer import Composer

DEPTH_MAX = 128
"""Levels of a document. Who reads or writes one deeper by recursion may end amid it, or not, by how he was called."""
YAML_MAX_NODES = 262_144
"""Of a document as it is read, with all that `*` and `<<` bring in again: a few lines may name each other for ever."""
NUMBER_MAX_CHARACTERS = 32
"""To the base of 60, one of a megabyte is reckoned for minutes."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

T = TypeVar("T")
_MERGE = "tag:yaml.org,2002:merge"
_NUMBERS = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})

Name = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}\Z")]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a policy: a typing error in it is an error, not a default."""


def read_json(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Return what `decoder` reads.

    Raises: as `codec.UNREADABLE`, also for an object that has a name twice, and for what is nested too deeply.
    """
    found = decoder.decode(body)
    check_depth(body)
    try:
        _named.decode(body.decode())
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from None
    return found


def check_depth(body: bytes) -> None:
    """Raises: msgspec.DecodeError for JSON that is nested deeper than DEPTH_MAX; `body` can be read otherwise."""
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return
    depth = 0
    for each in _STRING.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if each in b"[{" else -1
        if depth > DEPTH_MAX:
            raise msgspec.DecodeError("it is nested too deeply")


def _named_once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise msgspec.DecodeError("an object has a name twice")


_named = json.JSONDecoder(object_pairs_hook=_named_once)
"""Made once: that takes as long as reading a small question."""


class YamlReader(Composer, yaml.CSafeLoader):
    """Reads safely, scans in C, and composes here; what `<<` brings in may still be said otherwise beside it."""

    def __init__(self, content: bytes) -> None:
        yaml.CSafeLoader.__init__(self, content)
        Composer.__init__(self)

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _nodes(node, {}) > YAML_MAX_NODES:
            raise yaml.MarkedYAMLError(
                problem="it is too long, with all that it names again", problem_mark=node.start_mark
            )
        return node

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        if node.tag in _NUMBERS and len(node.value) > NUMBER_MAX_CHARACTERS:
            problem = f"a number of more than {NUMBER_MAX_CHARACTERS} characters"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        said: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if (key.tag, key.value) in said:
                self.said_twice(key)
            said.add((key.tag, key.value))
        return node

    def said_twice(self, key: yaml.ScalarNode) -> None:
        """Raises: MarkedYAMLError: a mapping has this key already."""
        raise yaml.MarkedYAMLError(problem="a key stands twice", problem_mark=key.start_mark)


def read_yaml(content: bytes, reader: type[YamlReader] = YamlReader) -> Any:
    """Return what a YAML text says.

    Raises: yaml.YAMLError, also for a mapping that has a key twice, a date that is none, what is nested too deeply,
    and what is too long, also by naming itself again and again.
    """
    try:
        return yaml.load(content, reader)  # noqa: S506  it is a safe loader
    except (ValueError, OverflowError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from None


def _nodes(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many nodes it is to whoever walks through it. Raises: RecursionError for what holds itself."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        pairs = isinstance(node, yaml.MappingNode)
        below = chain.from_iterable(node.value) if pairs else node.value
        known[id(node)] = 1 + sum(_nodes(each, known) for each in below)
    return known[id(node)]
