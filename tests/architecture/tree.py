"""The project's files and their syntax, as the rules look at them."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("services", "shared", "deploy")
CODE = (*PRODUCT, "docs")
"""Folders with code that is no test."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file. `name`: its path from the project's root."""

    name: str
    text: str
    tree: ast.Module

    @functools.cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every piece of syntax in it: walked once, however many rules look at it."""
        return tuple(ast.walk(self.tree))

    def line(self, node: ast.stmt | ast.expr) -> str:
        """Return the line on which a piece of syntax begins."""
        return self.text.splitlines()[node.lineno - 1]

    def at(self, node: ast.stmt | ast.expr) -> str:
        return f"{self.name}:{node.lineno}"


@functools.cache
def files() -> tuple[Path, ...]:
    """Return all files that belong to the project: those that .gitignore does not name."""
    ignored = {line.strip("/\n") for line in (ROOT / ".gitignore").read_text().splitlines()}
    ignored = {name for name in ignored if "*" not in name} | {".git"}
    return tuple(_below(ROOT, ignored))


def _below(folder: Path, ignored: set[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in ignored or path.name.endswith(".egg-info") or path.is_symlink():
            continue
        if path.is_dir():
            yield from _below(path, ignored)
        elif path.is_file():
            yield path


def sources(*folders: str) -> tuple[Source, ...]:
    """Return the Python files below some folders of the project."""
    return tuple(
        _source(path)
        for path in files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders
    )


@functools.cache
def _source(path: Path) -> Source:
    text = path.read_text("utf-8")
    return Source(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


def functions(source: Source) -> Iterator[Function]:
    """Yield every function of a file, inner ones too."""
    for node in source.nodes:
        if isinstance(node, Function):
            yield node


def length(node: Function) -> int:
    """Return how many lines a function takes, its signature included."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def imported(source: Source) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the top-level packages that a file imports, and where."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0], node
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node
