"""Whether a policy has the shape of its structs: every complaint, each where it stands. Made of the structs alone."""

import typing
from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import structs

from deploy.policy import traps
from deploy.policy.reading import Complaint, Path, PolicyText, complaint, named, shown
from shared.policy import Policy
from shared.strict import Strict

UNREADABLE = (yaml.YAMLError, ValueError, OverflowError, RecursionError)
ANY_NAME = "<name>"


def complaints(text: PolicyText) -> list[Complaint]:
    """Return all that does not fit, in reading order."""
    found = [complaint(key, (key.value,), "it stands twice") for key in text.twice]
    found += _Shape(text).of(text.root, Policy, ())
    return sorted(found)


class _Shape:
    """Holds the nodes of a policy against types."""

    def __init__(self, text: PolicyText) -> None:
        self._text = text
        self._words = _words(Policy, ())

    def of(self, node: yaml.Node, kind: Any, at: Path) -> Iterator[Complaint]:
        """Yield what of a node does not fit a type; what it is made of first, and only then itself."""
        below = list(self._below(node, _bare(kind), at))
        yield from below
        if not any(each.refused for each in below):
            yield from self._itself(node, kind, at)

    def _below(self, node: yaml.Node, kind: Any, at: Path) -> Iterator[Complaint]:
        kind, arguments = _one_of(kind), typing.get_args(_one_of(kind))
        if isinstance(node, yaml.MappingNode) and _is_struct(kind):
            yield from self._fields(node, kind, at)
        elif isinstance(node, yaml.MappingNode) and typing.get_origin(kind) is dict:
            for key, value in self._text.pairs(node):
                yield from self._itself(key, arguments[0], (*at, named(key)))
                yield from self.of(value, arguments[1], (*at, named(key)))
        elif isinstance(node, yaml.SequenceNode) and typing.get_origin(kind) in {list, tuple}:
            for position, each in enumerate(node.value):
                item = arguments[0] if arguments[1:] in ((), (...,)) else arguments[position]
                yield from self.of(each, item, (*at, position))

    def _fields(self, node: yaml.MappingNode, kind: type[Strict], at: Path) -> Iterator[Complaint]:
        known = {field.encode_name: field for field in structs.fields(kind)}
        said = {named(key): (key, value) for key, value in self._text.pairs(node)}
        for name, (key, value) in said.items():
            if name in known:
                yield from self.of(value, known[name].type, (*at, name))
            else:
                elsewhere = [each for each in self._words.get(name, ()) if each != shown(at)]
                hint = traps.unknown(name, known, elsewhere)
                yield complaint(key, (*at, name), f"`{name}` is not known here; {hint}")
        for name, field in known.items():
            if field.required and name not in said:
                yield complaint(node, at, f"`{name}` is missing")

    def _itself(self, node: yaml.Node, kind: Any, at: Path) -> Iterator[Complaint]:
        value: Any = None
        try:
            value = self._text.value(node)
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            told = traps.in_words(str(error))
            hint = traps.read_as(node, value) if ", got " in told else ""
            yield complaint(node, at, f"{told}; {hint}" if hint else told)
        except UNREADABLE as error:
            yield complaint(node, at, getattr(error, "problem", None) or str(error))
        else:
            if isinstance(node, yaml.ScalarNode) and (other := traps.silent(node, value)):
                yield complaint(node, at, other, refused=False)


def _bare(kind: Any) -> Any:
    """Return a type without its limits and names."""
    if typing.get_origin(kind) is Annotated:
        return _bare(typing.get_args(kind)[0])
    return _bare(kind.__supertype__) if isinstance(kind, typing.NewType) else kind


def _one_of(kind: Any) -> Any:
    """Return the only type beside `None` of a union; any other type as it is."""
    if typing.get_origin(kind) not in {typing.Union, UnionType}:
        return kind
    others = [each for each in typing.get_args(kind) if each is not NoneType]
    return _bare(others[0]) if len(others) == 1 else kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _words(kind: Any, at: tuple[str, ...]) -> dict[str, list[str]]:
    """Return where in a policy each word stands, as `agents.<name>`."""
    kind = _one_of(_bare(kind))
    found: dict[str, list[str]] = {}
    parts: Sequence[tuple[Any, tuple[str, ...]]] = ()
    if _is_struct(kind):
        every = structs.fields(kind)
        found = {each.encode_name: [".".join(at) or "the policy itself"] for each in every}
        parts = [(each.type, (*at, each.encode_name)) for each in every]
    elif typing.get_origin(kind) is dict:
        parts = [(typing.get_args(kind)[1], (*at, ANY_NAME))]
    elif typing.get_origin(kind) in {list, tuple}:
        parts = [(typing.get_args(kind)[0], at)]
    for part, place in parts:
        for word, places in _words(part, place).items():
            found.setdefault(word, []).extend(places)
    return found
