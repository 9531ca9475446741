"""How each channel is tested and described, as the tests and pages themselves say."""

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from docs.generate.house_pages import ROOT
from docs.generate.markdown import table
from services.ingest.channels import CHANNELS as INBOUND
from services.notify.channels import CHANNELS as OUTBOUND

GOLDEN = ROOT / "tests" / "ingest" / "golden"
HEAD = (
    "channel",
    "tests of its own",
    "golden payloads",
    "property tests",
    "tests of leaving",
    "how-to",
)
NONE = "–"


def quality() -> Iterator[str]:
    """Yield the section: what all channels are held to, then a row for each."""
    about = (
        "All that arrive are held to `tests/ingest/test_channels.py`: forged, missing and damaged signatures,\n"
        "repeats, scopes of ids, any bytes at all. All that leave are held to `tests/notify/test_sending.py`:\n"
        "at most once, whatever dies in between. Beside those each has:"
    )
    yield from ("## How each is tested", "", about, "")
    yield from table(HEAD, (_row(name) for name in sorted({*INBOUND, *OUTBOUND})))


def _row(name: str) -> Iterator[str]:
    arriving = _files("ingest", name)
    tests = _tests(arriving)
    yield f"`{name}`"
    yield _mark(tests)
    yield _mark(_golden(arriving))
    yield _mark([each for each in tests if _is_property(each)])
    yield _mark(_tests(_files("notify", name))) if name in OUTBOUND else "not written on"
    yield ", ".join(f"[{page}](../how-to/{page})" for page in _pages(name)) or NONE


def _pages(name: str) -> list[str]:
    """Return the how-tos of a channel: its own, else those that show an account of it."""
    folder = ROOT / "docs" / "how-to"
    own = folder / f"connect-{name.replace('_', '-')}.md"
    account = re.compile(rf"^ +{name}/[\w.-]+:", re.MULTILINE)
    pages = [own] if own.exists() else sorted(folder.glob("connect-*.md"))
    return [each.name for each in pages if each == own or account.search(each.read_text("utf-8"))]


def _mark(found: Collection[object]) -> str:
    return "yes" if found else NONE


def _files(room: str, name: str) -> list[Path]:
    """Return the test files of a channel: its own and those whose names go on, as `test_chat_socket`."""
    found = sorted((ROOT / "tests" / room).glob(f"test_{name}*.py"))
    return [each for each in found if not _is_longer_channels(each.stem, name)]


def _is_longer_channels(stem: str, name: str) -> bool:
    longer = (other for other in (*INBOUND, *OUTBOUND) if other.startswith(f"{name}_"))
    return any(stem.startswith(f"test_{other}") for other in longer)


def _tests(files: Sequence[Path]) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8"))))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [node for node in functions if node.name.startswith("test_")]


def _is_property(test: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    decorated = (each.func for each in test.decorator_list if isinstance(each, ast.Call))
    return any(isinstance(each, ast.Name) and each.id == "given" for each in decorated)


def _golden(files: Sequence[Path]) -> set[str]:
    """Return the golden payloads that test files name."""
    said = "\n".join(file.read_text("utf-8") for file in files)
    return {each.name for each in GOLDEN.rglob("*") if each.is_file() and _is_named(each, said)}


def _is_named(payload: Path, said: str) -> bool:
    return payload.name in said or f'"{payload.stem}"' in said
