"""A policy file as nodes that know where they stand, and what YAML makes of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml
from typing_extensions import override

from shared.policy.loading import PolicyReader

Path = tuple[str | int, ...]
"""The names and positions that lead to something in a policy."""


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    """What is wrong, and where: `line` and `column` count from 1, and `path` leads there.

    `refused`: the stack does not take it; else it is read, though hardly as it was meant.
    """

    line: int
    column: int
    path: str
    text: str
    refused: bool = True


class Place(NamedTuple):
    """Something that stands in a policy. `words`: the names that lead to it, also those of members of lists."""

    path: Path
    words: frozenset[str]
    node: yaml.Node


class Unreadable(Exception):
    """The text is no YAML. `complaint`: why, and where the reader gave up."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.text)
        self.complaint = complaint


class PolicyText(PolicyReader):
    """A policy as it is written. `root`: its outermost node; `twice`: keys that stand twice, all of them."""

    def __init__(self, content: bytes) -> None:
        """Raises: Unreadable."""
        self.twice: list[yaml.ScalarNode] = []
        try:
            super().__init__(content)
            root = self.get_single_node()
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise Unreadable(_gave_up(error)) from None
        if root is None:
            raise Unreadable(Complaint(1, 1, "", "nothing stands in it"))
        self.root: yaml.Node = root

    @override
    def said_twice(self, key: yaml.ScalarNode) -> None:
        self.twice.append(key)

    def value(self, node: yaml.Node) -> Any:
        """Return what YAML makes of a node. Raises: YAMLError, ValueError, OverflowError, RecursionError."""
        return self.construct_object(node, deep=True)

    def pairs(self, node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
        """Return the keys and values of a mapping, with what `<<` brings in where it is not said beside it."""
        self.flatten_mapping(node)
        said: dict[object, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            said[named(key) or id(key)] = (key, value)
        return list(said.values())

    def places(
        self, node: yaml.Node | None = None, at: Path = (), words: frozenset[str] = frozenset()
    ) -> Iterator[Place]:
        """Yield everything that has a name or a position, and a key's own value behind it, in reading order."""
        node = self.root if node is None else node
        if isinstance(node, yaml.MappingNode):
            for key, value in self.pairs(node):
                here, told = (*at, named(key)), words | {named(key)}
                yield Place(here, told, key)
                yield from self.places(value, here, told)
        elif isinstance(node, yaml.SequenceNode):
            for position, each in enumerate(node.value):
                yield from self.places(each, (*at, position), words | self._own_name(each))
        else:
            yield Place(at, words, node)

    def _own_name(self, node: yaml.Node) -> frozenset[str]:
        """Return the name that a member of a list gives itself."""
        pairs = self.pairs(node) if isinstance(node, yaml.MappingNode) else ()
        return frozenset(named(value) for key, value in pairs if named(key) == "name")


def named(key: yaml.Node) -> str:
    """Return a key as it is written; nothing for one that is no word."""
    return str(key.value) if isinstance(key, yaml.ScalarNode) else ""


def complaint(node: yaml.Node, path: Path, text: str, *, refused: bool = True) -> Complaint:
    """Return a complaint about a node."""
    mark = node.start_mark
    return Complaint(mark.line + 1, mark.column + 1, shown(path), text, refused)


def shown(path: Path) -> str:
    """Return a path as it is written: `agents.ewa.queues[0]`."""
    parts = (f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return "".join(parts).removeprefix(".")


def _gave_up(error: Exception) -> Complaint:
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = getattr(error, "problem", None) or str(error)
    context = getattr(error, "context", None)
    text = f"{context}: {problem}" if context else problem
    if isinstance(error, RecursionError):
        text = "it is nested too deeply, or holds itself"
    return Complaint(line, column, "", f"no YAML: {text}")
