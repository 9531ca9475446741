"""The JSON Schema of a policy, for editors: they say what a field means, complete it, and mark what does not fit.

The dialect is 2020-12, in which a description stands beside a reference. It holds the shape of a policy; whether names
in it lead somewhere says `tellonce policy check`.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect as shapes

from docs.generate.markdown import fields, parts_below
from docs.generate.schemas import END_OF_TEXT, END_OF_TEXT_ECMA, Schema
from shared.policy import Policy

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAME = "urn:tellonce:policy:1"
_SAID = re.compile(r"((?:`\w+`, )*`\w+`): ")


def policy_schema() -> Schema:
    """Return the schema of one tenant's policy."""
    (own,), parts = msgspec.json.schema_components([Policy], ref_template="#/$defs/{name}")
    name = own["$ref"].rpartition("/")[2]
    for kind in (Policy, *parts_below(Policy)):
        _describe(parts[kind.__name__], kind)
    main = _for_editors(parts.pop(name))
    return {
        "$schema": DIALECT,
        "$id": NAME,
        **main,
        "$defs": {name: _for_editors(part) for name, part in sorted(parts.items())},
    }


def _describe(part: Schema, kind: type) -> None:
    """Put into a struct's schema what its docstring says of it and of its fields."""
    text = " ".join(inspect.cleandoc(kind.__doc__ or "").split())
    first = _SAID.search(text)
    part["description"] = text[: first.start() if first else None].strip() or text
    said = dict(said_of_fields(kind, text))
    for field in fields(kind):
        name, schema = field.encode_name, part["properties"][field.encode_name]
        _limit_names(schema, field.type)
        schema.setdefault("title", name.replace("_", " "))
        if name in said:
            schema.setdefault("description", said[name])


def said_of_fields(kind: type, text: str) -> Iterator[tuple[str, str]]:
    """Yield what a docstring on one line says of each field, as in "`queue`: where it waits; `to`, `by`: who it is"."""
    known = {field.name: field.encode_name for field in fields(kind)}
    heads = [each for each in _SAID.finditer(text) if _names(each) & known.keys()]
    ends = [*(each.start() for each in heads[1:]), len(text)]
    for head, end in zip(heads, ends, strict=False):
        words = text[head.end() : end].strip().removesuffix(", and").rstrip(";.,")
        yield from ((known[name], words) for name in sorted(_names(head) & known.keys()))


def _names(head: re.Match[str]) -> set[str]:
    return set(re.findall(r"\w+", head[1]))


def _limit_names(schema: Schema, kind: shapes.Type) -> None:
    """Say which names an object may have where they are words of a list: msgspec leaves that out."""
    for each in kind.types if isinstance(kind, shapes.UnionType) else (kind,):
        if isinstance(each, shapes.DictType) and isinstance(each.key_type, shapes.LiteralType):
            objects = (one for one in schema.get("anyOf", [schema]) if one.get("type") == "object")
            next(objects)["propertyNames"] = {"enum": list(each.key_type.values)}


def _for_editors(part: Any) -> Any:
    """Return a part of a schema in the words of its dialect alone."""
    if isinstance(part, list):
        return [_for_editors(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {name: _for_editors(each) for name, each in part.items() if name != "discriminator"}
    if isinstance(kept.get("pattern"), str):
        kept["pattern"] = kept["pattern"].replace(END_OF_TEXT, END_OF_TEXT_ECMA)
    return kept
