"""Reads the SQL files: named blocks, each with one sentence on why it is there."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)
_WHY = re.compile(r"^-- (?:Why: )?(.+)$")


@dataclass(frozen=True, slots=True)
class Named:
    """One block of a SQL file. `why`: its first comment line."""

    name: str
    why: str
    text: str


def parse(source: str) -> dict[str, Named]:
    """Return the blocks of a SQL file by name. Raises: ValueError for a name twice or a block without its why."""
    found: dict[str, Named] = {}
    _, *parts = _NAME.split(source)
    for name, block in zip(parts[::2], parts[1::2], strict=True):
        first, _, rest = block.strip().partition("\n")
        why = _WHY.match(first)
        if why is None or name in found:
            raise ValueError(f"{name}: named twice, or its first line does not say why it is there")
        found[name] = Named(name, why.group(1), _without_comments(rest))
    return found


def _without_comments(block: str) -> str:
    lines = (line for line in block.splitlines() if not line.startswith("--"))
    return "\n".join(lines).strip()


@functools.cache
def queries() -> Mapping[str, Named]:
    """Return the queries of queries.sql by name."""
    return parse(_read("queries.sql"))


@functools.cache
def schema() -> Mapping[str, Named]:
    """Return the parts of schema.sql by name: `house` and `generation`."""
    return parse(_read("schema.sql"))


def query(name: str) -> str:
    """Return the text of one query."""
    return queries()[name].text


def _read(name: str) -> str:
    return resources.files("services.history").joinpath(name).read_text("utf-8")
