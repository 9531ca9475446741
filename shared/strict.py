"""JSON and YAML from outside, in which a name stands once, and nothing stands deeper than anybody writes.

Of `{"a": 1, "a": 2}` one reader takes the first and another the last (RFC 8259, section 4): who checked it before us
may have seen something else than we do. And in a policy the second is a slip.
"""

import json
import re
from typing import Annotated, Any, TypeVar

import msgspec
import yaml
from msgspec import Meta
from yaml.composer import Composer

DEPTH_MAX = 128
"""Levels of a document. Who reads or writes one deeper by recursion may end amid it, or not, by how he was called."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

T = TypeVar("T")
_MERGE = "tag:yaml.org,2002:merge"

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


def read_yaml(content: bytes) -> Any:
    """Return what a YAML text says.

    Raises: yaml.YAMLError, also for a mapping that has a key twice, a date that is none, and what is nested too deeply.
    """
    try:
        return yaml.load(content, YamlReader)  # noqa: S506  it is a safe loader
    except (ValueError, OverflowError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from None


class YamlReader(Composer, yaml.CSafeLoader):
    """Reads safely, scans in C, and composes here; what `<<` brings in may still be said otherwise beside it."""

    def __init__(self, content: bytes) -> None:
        yaml.CSafeLoader.__init__(self, content)
        Composer.__init__(self)

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
