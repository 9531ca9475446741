"""Markdown out of docstrings and types: paragraphs, tables, fields with their limits."""

import inspect
import json
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import inspect as shapes

NOTE = "<!-- Made by `python -m docs.generate` from the code: do not edit. `make check` compares it. -->"
BASES_UNSAID = frozenset({"Part", "Nothing", "Command", "Question", "Strict"})
"""Their docstrings say what every page says once."""

Described = shapes.StructType | shapes.DataclassType


def paragraphs(thing: object) -> str:
    """Return a docstring as Markdown, without its `Attributes:` section."""
    text = inspect.cleandoc(getattr(thing, "__doc__", None) or "")
    return text.split("Attributes:", 1)[0].strip()


def attributes(kind: type) -> dict[str, str]:
    """Return what the docstring says of each attribute in its `Attributes:` section."""
    section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if line.startswith("    ") and not line.startswith("     "):
            name, _, text = line.strip().partition(": ")
            found[name] = text
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table; nothing at all where there are no rows."""
    every = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    if not every:
        return
    columns = list(head)
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    yield from ("| " + " | ".join(row) + " |" for row in every)
    yield ""


def page(title: str, about: str, body: Iterable[str]) -> str:
    """Return a whole page; blank lines never follow each other."""
    lines = "\n".join([NOTE, "", f"# {title}", "", about, "", *body]).split("\n")
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(line.rstrip() for line in kept).rstrip() + "\n"


# -- types ----------------------------------------------------------------------------


PLAIN: dict[type[shapes.Type], str] = {
    shapes.NoneType: "null",
    shapes.BoolType: "true or false",
    shapes.StrType: "string",
    shapes.IntType: "integer",
    shapes.FloatType: "number",
    shapes.DateTimeType: "time",
}


def shape(kind: shapes.Type) -> str:
    """Return a type with its limits in words."""
    match kind:
        case shapes.Metadata():
            return shape(kind.type)
        case shapes.UnionType():
            return " or ".join(shape(each) for each in kind.types)
        case shapes.LiteralType():
            return " or ".join(f"`{value}`" for value in kind.values)
        case shapes.ListType() | shapes.VarTupleType():
            return f"list of {shape(kind.item_type)}" + limits(kind)
        case shapes.TupleType():
            return "(" + ", ".join(shape(each) for each in kind.item_types) + ")"
        case shapes.DictType():
            return f"object: {shape(kind.key_type)} → {shape(kind.value_type)}"
        case shapes.StructType() | shapes.DataclassType():
            return f"`{kind.cls.__name__}`"
        case _:
            return PLAIN.get(type(kind), "JSON") + limits(kind)


def limits(kind: shapes.Type) -> str:
    """Return the limits of a type, in parentheses; nothing where it has none."""
    words = {
        "ge": "≥",
        "gt": ">",
        "le": "≤",
        "lt": "<",
        "min_length": "length ≥",
        "max_length": "length ≤",
    }
    said = [
        f"{word} {getattr(kind, name)}"
        for name, word in words.items()
        if getattr(kind, name, None) is not None
    ]
    pattern = getattr(kind, "pattern", None)
    said += [f"`{pattern}`"] if pattern is not None else []
    return f" ({', '.join(said)})" if said else ""


def default(field: shapes.Field) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if callable(field.default_factory) else field.default
    return f"`{json.dumps(msgspec.to_builtins(value), ensure_ascii=False)}`"


def fields(kind: type) -> list[shapes.Field]:
    described = shapes.type_info(kind)
    assert isinstance(described, shapes.StructType)
    return list(described.fields)


def field_rows(kind: type) -> Iterator[tuple[str, str, str]]:
    for field in fields(kind):
        yield f"`{field.encode_name}`", shape(field.type), default(field)


def documented(kind: type) -> list[str]:
    """Return what the struct and the structs it extends say of their fields."""
    bases = [
        each
        for each in reversed(kind.__mro__)
        if each.__module__.startswith(("shared.", "services."))
    ]
    said = (paragraphs(each) for each in bases if each.__name__ not in BASES_UNSAID)
    return [text for text in said if text]


def structs_in(described: shapes.Type) -> list[Described]:
    """Return the structs and dataclasses that a type is made of, each once, in reading order, itself included."""
    seen: dict[type, Described] = {}

    def walk(here: shapes.Type) -> None:
        if isinstance(here, Described) and here.cls not in seen:
            seen[here.cls] = here
            for field in here.fields:
                walk(field.type)
        for below in made_of(here):
            walk(below)

    walk(described)
    return list(seen.values())


def made_of(kind: shapes.Type) -> list[shapes.Type]:
    """Return the types that a type names directly; [] for a struct and for a plain one."""
    match kind:
        case shapes.UnionType():
            return list(kind.types)
        case shapes.TupleType():
            return list(kind.item_types)
        case shapes.DictType():
            return [kind.key_type, kind.value_type]
        case shapes.ListType() | shapes.VarTupleType():
            return [kind.item_type]
        case shapes.Metadata():
            return [kind.type]
        case _:
            return []


def parts_below(kind: type) -> list[type]:
    """Return the structs that a struct's fields are made of."""
    return [each.cls for each in structs_in(shapes.type_info(kind)) if each.cls is not kind]


def structs(kinds: Iterable[type]) -> Iterator[str]:
    """Yield a section for each struct."""
    for kind in kinds:
        yield from (
            f"### `{kind.__name__}`",
            "",
            *(line for text in documented(kind) for line in (text, "")),
        )
        yield from table(("field", "type", "default"), field_rows(kind))
