"""JSON Schemas of everything that goes over the bus, made of its structs.

Each file is complete in itself: whoever reads one needs no other. The dialect is draft-07, which AsyncAPI documents are
written in and every validator knows. Events and answers may grow, so they take fields that nobody knows yet; commands
and questions refuse them, as the services do.
"""

import inspect
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from docs.generate.house_pages import ROOT, error_classes, load_everything
from docs.generate.markdown import attributes, fields
from shared import commands, events, queries

Schema = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"
GOLDEN = ROOT / "tests" / "golden"
LINE_MAX_CHARACTERS = 120
END_OF_TEXT, END_OF_TEXT_ECMA = r"\Z", "$"
"""Python's word for the end of a text, and that of ECMA 262, in which patterns of JSON Schema are written."""


def schemas() -> dict[str, Schema]:
    """Return every schema by its path below `docs/reference/schemas`."""
    load_everything()
    return {
        **{f"events/{tag}.json": _event(tag, kind) for tag, kind in events.event_types().items()},
        **{f"commands/{verb}.json": _command(kind) for verb, kind in commands.COMMANDS.items()},
        **{f"queries/{name}.json": _question(kind) for name, kind in queries.QUERIES.items()},
        **{f"answers/{name}.json": _answer(name, kind) for name, kind in queries.QUERIES.items()},
        "replies/done.json": _schema("reply:1:done", commands.Done),
        "replies/refused.json": _refused(),
    }


def written(content: object, margin: str = "") -> str:
    """Return a document as it stands in its file: what fits on a line stands on one."""
    line = json.dumps(content, ensure_ascii=False)
    inner = margin + " "
    if not isinstance(content, dict | list) or len(margin + line) <= LINE_MAX_CHARACTERS:
        return line
    if isinstance(content, list):
        parts, (begin, end) = [written(each, inner) for each in content], "[]"
    else:
        parts = [f"{json.dumps(name)}: {written(each, inner)}" for name, each in content.items()]
        begin, end = "{}"
    return f"{begin}\n{inner}" + f",\n{inner}".join(parts) + f"\n{margin}{end}"


def samples(folder: str, name: str) -> list[Any]:
    """Return the golden samples of one kind of message: one, or none."""
    path = GOLDEN / folder / f"{name}.json"
    return [json.loads(path.read_bytes())] if path.exists() else []


def _event(tag: str, kind: type[events.AnyEvent]) -> Schema:
    """Return an event's schema: `dataschema`, `type` and `schemaversion` of an event name it."""
    schema = _schema(f"{events.DATA_SCHEMA.removeprefix('urn:tellonce:')}:{tag}", kind)
    version = next(each.default for each in fields(kind) if each.name == "schema_version")
    schema["properties"]["dataschema"] |= {"const": events.DATA_SCHEMA}
    schema["properties"]["schemaversion"] |= {"const": version}
    return {**schema, "examples": samples("events", tag)}


def _command(kind: type[commands.Command]) -> Schema:
    schema = _schema(f"command:1:{kind.verb}", kind)
    return {**schema, "examples": samples("commands", kind.verb)}


def _question(kind: type[queries.Question[Any]]) -> Schema:
    schema = _schema(f"query:1:{kind.name}", kind)
    if kind.one_of:
        given = ({"required": [name], "properties": {name: NOT_NULL}} for name in kind.one_of)
        schema["oneOf"] = list(given)
    return {**schema, "examples": samples("queries", kind.name)}


NOT_NULL: Schema = {"not": {"type": "null"}}


def _answer(name: str, kind: type[queries.Question[Any]]) -> Schema:
    return _schema(f"answer:1:{name}", queries.answer_to(kind))


def _refused() -> Schema:
    """Return the schema of a refusal: it names the codes that there are, and takes those of a newer version."""
    schema = _schema("reply:1:refused", commands.Refused)
    every = sorted(error_classes(), key=lambda each: each.code)
    known = [{"const": each.code, "description": each.sentence} for each in every]
    schema["definitions"]["Problem"]["properties"]["code"] = {"anyOf": [*known, {"type": "string"}]}
    return schema


def _schema(urn: str, kind: type[msgspec.Struct]) -> Schema:
    """Return the schema of a struct. `urn`: its name below ours, with the version of its form."""
    (own,), parts = msgspec.json.schema_components([kind], ref_template="#/definitions/{name}")
    name = own["$ref"].rpartition("/")[2]
    main = parts.pop(name)
    for field, text in _said(kind):
        main["properties"][field].setdefault("description", text)
    schema: Schema = _portable(
        {
            "$schema": DIALECT,
            "$id": f"urn:tellonce:{urn}",
            **main,
            **({"definitions": dict(sorted(parts.items()))} if parts else {}),
        }
    )
    return schema


def _said(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    """Yield what the docstrings of a struct and its bases say of its fields, by their names on the wire."""
    said = {name: text for base in kind.__mro__ for name, text in attributes(base).items()}
    names = ((field.name, field.encode_name) for field in fields(kind))
    yield from ((wire, said[name]) for name, wire in names if name in said)


def _portable(part: Any) -> Any:
    """Return a part of a schema as every reader of draft-07 understands it."""
    if isinstance(part, list):
        return [_portable(each) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return {"$ref": part["$ref"]}  # what stands beside it counts for nothing
    kept = {name: _portable(each) for name, each in part.items() if name != "discriminator"}
    match kept.get("anyOf"):
        case [{"type": str(kind)} as one, {"type": "null"}]:
            kept = {
                **one,
                "type": [kind, "null"],
                **{key: kept[key] for key in kept if key != "anyOf"},
            }
    if "prefixItems" in kept:
        kept |= {"items": kept.pop("prefixItems"), "additionalItems": False}
    if isinstance(kept.get("pattern"), str):
        kept["pattern"] = kept["pattern"].replace(END_OF_TEXT, END_OF_TEXT_ECMA)
    if isinstance(kept.get("description"), str):
        kept["description"] = inspect.cleandoc(kept["description"]).split("Attributes:")[0].strip()
    return kept
