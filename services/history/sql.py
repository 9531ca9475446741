"""Reads the SQL files: named blocks, each with the reason for it; makes the statements for a table from its row."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

from services.history.tables.row import FOUND, TRUE_AT, Column, ReplacedRow, Row, columns

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)
_WHY = re.compile(r"^-- Why: (.+)\Z")
_PARAMETER = re.compile(r"\$(\d+)")
_ARRAYS = {
    str: "text[]",
    int: "bigint[]",
    bool: "boolean[]",
    bytes: "bytea[]",
    datetime: "timestamptz[]",
}


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One block of a SQL file. `why`: its first comment line."""

    name: str
    why: str
    text: str


def parse(source: str) -> dict[str, NamedQuery]:
    """Return the blocks of a SQL file by name. Raises: ValueError for a name twice or a block without its why."""
    found: dict[str, NamedQuery] = {}
    _, *parts = _NAME.split(source)
    for name, block in zip(parts[::2], parts[1::2], strict=True):
        first, _, rest = block.strip().partition("\n")
        why = _WHY.match(first)
        if why is None or name in found:
            raise ValueError(f"{name}: named twice, or its first line does not say why it is there")
        found[name] = NamedQuery(name, why.group(1), _without_comments(rest))
    return found


def _without_comments(block: str) -> str:
    lines = (line for line in block.splitlines() if not line.startswith("--"))
    return "\n".join(lines).strip()


@functools.cache
def queries() -> Mapping[str, NamedQuery]:
    """Return every query by name: those of queries.sql and of each table's file."""
    here = resources.files("services.history")
    files = [here.joinpath("queries.sql"), *here.joinpath("tables").iterdir()]
    return parse("\n".join(f.read_text("utf-8") for f in files if f.name.endswith(".sql")))


def query(name: str) -> str:
    """Return the text of one query."""
    return queries()[name].text


@functools.cache
def counting(name: str, distinct: str | None = None) -> str:
    """Return the query for how many rows a named query has, or how many values of one of its columns."""
    what = "*" if distinct is None else f"DISTINCT {distinct}"
    return query("count_rows").format(what=what, rows=query(name))


@functools.cache
def positioned(name: str) -> str:
    """Return a query with the position beside its rows: two more columns, TRUE_AT and FOUND."""
    return query("positioned_rows").format(rows=query(name), position=TRUE_AT, found=FOUND)


# -- what is the same for all tables -------------------------------------------------------------------


@functools.cache
def replacing(row: type[Row]) -> str:
    """Return the statement that writes rows of a table anew; its arguments are one array per column."""
    return _writing(row, 1, "")


@functools.cache
def before(tables: tuple[str, ...]) -> str:
    """Return the query for the states of folds; its arguments are the tenants and the ids, for each table in turn."""
    found = []
    for number, table in enumerate(tables):
        tenants, ids = f"${2 * number + 1}", f"${2 * number + 2}"
        rows = query(f"{table}_before").format(tenants=tenants, ids=ids)
        found.append(query("states_before").format(table=table, rows=rows))
    return " UNION ALL ".join(found)


@functools.cache
def moving(rows: tuple[type[Row], ...]) -> str:
    """Return the statement that moves the checkpoint and writes rows of these tables, all of it or nothing.

    Its arguments are those of `move_checkpoint`, and for each table one array per column.
    """
    moved = query("move_checkpoint")
    parameter, written = 1 + len(set(_PARAMETER.findall(moved))), []
    for row in rows:
        statement = _writing(row, parameter, "WHERE EXISTS (SELECT FROM moved)")
        written.append(f"{row.table}_written AS ({statement})")
        parameter += len(row.__struct_fields__)
    return query("move_and_write").format(moved=moved, written=", ".join(written))


def _writing(row: type[Row], parameter: int, where: str) -> str:
    """Return the statement that writes rows of a table; `parameter`: the number of the first column's array."""
    names = row.__struct_fields__
    changed = [name for name in names if name not in row.key]
    arrays = [
        f"${number}::{_ARRAYS[column.kind]}"
        for number, column in enumerate(columns(row), parameter)
    ]
    return query("replace_rows" if issubclass(row, ReplacedRow) else "add_rows").format(
        table=row.table,
        columns=", ".join(names),
        arrays=", ".join(arrays),
        where=where,
        key=", ".join(row.key),
        changed=", ".join(changed),
        values=", ".join(f"EXCLUDED.{name}" for name in changed),
    )


@functools.cache
def digesting(row: type[Row]) -> str:
    """Return the query for what a digest holds of a table: every column of every row, in the order of the key."""
    keys = [column for column in columns(row) if column.name in row.key]
    return query("digest_rows").format(
        table=row.table,
        digested=", ".join(map(_digested, columns(row))),
        ordered=", ".join(map(_ordered, keys)),
    )


def _digested(column: Column) -> str:
    if column.kind is bytes:
        return f"sha256({column.name})"
    return f"sha256(convert_to({column.name}, 'UTF8'))" if column.words else column.name


def _ordered(column: Column) -> str:
    """Order texts by their bytes: how a language sorts differs between two servers."""
    return f'{column.name} COLLATE "C"' if column.kind is str else column.name
