"""Rules for the house as a whole: settings, Makefile, channels, documents, and nothing of one machine."""

import re
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

from deploy.story.providers import PROVIDERS
from shared import policy, settings
from tests.architecture.tree import ROOT, files

TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".sql",
    ".yaml",
    ".yml",
    ".toml",
    ".sh",
    ".txt",
    ".in",
    ".env",
    ".cfg",
    ".json",
    "",
}
MACHINE_PATH = re.compile(r"(?<![\w.}$<])/(?:home|root|Users|work|mnt|data)/[\w.-]")
REGISTRY = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|ghcr|quay|artifactory|crates)\.(?:org|com|io)\b|\bnexus[.\d]"
)
"""Where packages come from is the machine's business: pip and uv are configured there."""
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
README_HEAD_LINES = 30
SHOWN_BY = "| rule | shown by |\n"
OWN_FORMATS = {"chat", "form"}
"""JSON of our own: there is no provider whose payload could be stored; the tests write it out."""
CHANNELS = ROOT / "services" / "ingest" / "channels"


def texts() -> list[Path]:
    return [path for path in files() if path.suffix in TEXT_SUFFIXES]


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", errors="replace").splitlines()


@pytest.mark.parametrize("kind", [settings.Settings, policy.TimeLimits, policy.Agent])
def test_every_number_has_a_limit(kind: type[msgspec.Struct]) -> None:
    """Whoever sets a number too high or too low learns it at start, not at night."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    open_ended = [
        field.name
        for field in described.fields
        for number in [field.type.type if isinstance(field.type, inspect.Metadata) else field.type]
        if isinstance(number, inspect.IntType | inspect.FloatType)
        and ((number.ge is None and number.gt is None) or (number.le is None and number.lt is None))
    ]
    assert not open_ended, f"give Meta(ge=…, le=…) to {open_ended}"


def test_every_setting_says_what_it_is() -> None:
    """The reference is made of it."""
    described = inspect.type_info(settings.Settings)
    assert isinstance(described, inspect.StructType)
    silent = [
        field.name
        for field in described.fields
        if not (
            isinstance(field.type, inspect.Metadata)
            and (field.type.extra_json_schema or {}).get("description")
        )
    ]
    assert not silent, f"give Meta(description=…) to {silent}"


def test_every_make_target_has_help() -> None:
    """A target that `make` does not show would not be found."""
    makefile = (ROOT / "Makefile").read_text()
    silent = re.findall(r"^([a-z]+):(?!.*## )", makefile, re.MULTILINE)
    assert not silent, f"write `## what it does` after {silent}"


def test_no_file_knows_one_machine() -> None:
    """A clone works everywhere: no absolute path of a machine, no address of a package registry."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in texts()
        for number, line in enumerate(_lines(path), 1)
        if MACHINE_PATH.search(line) or REGISTRY.search(line)
    ]
    assert not found, f"make the path relative, leave the host to the machine: {found}"


def channels() -> list[str]:
    return sorted(path.stem for path in CHANNELS.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("channel", channels())
def test_every_channel_has_a_test_and_a_payload(channel: str) -> None:
    """A channel that nobody can check is not there."""
    folder = ROOT / "tests" / "ingest"
    test = folder / f"test_{channel}.py"
    assert test.exists(), f"write tests/ingest/{test.name}"
    if channel not in OWN_FORMATS:
        read = test.read_text("utf-8")
        stored = [path.stem for path in (folder / "golden").iterdir()]
        assert any(name in read for name in stored), (
            f"store a payload in tests/ingest/golden and read it in {test.name}"
        )


@pytest.mark.parametrize("channel", channels())
def test_every_channel_has_somebody_who_plays_its_provider(channel: str) -> None:
    """Else no story and no tutorial could send to it."""
    assert channel in PROVIDERS, f"write deploy/story/providers/{channel}.py"


def documents() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


def test_every_link_between_documents_leads_somewhere() -> None:
    """A link into nothing is worse than none."""
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in documents()
        for target in LINK.findall(path.read_text("utf-8"))
        if "://" not in target
        and not target.startswith("#")
        and not (path.parent / target.partition("#")[0]).exists()
    ]
    assert not broken, f"mend these links: {broken}"


def test_everything_that_is_said_to_show_a_rule_is_there() -> None:
    """The architecture page names files, tests in them and make targets: a renamed one is named anew there."""
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text("utf-8")
    cells = re.findall(
        r"^\| .+ \| (.+) \|$", page.partition(SHOWN_BY)[2].partition("\n\n")[0], re.MULTILINE
    )
    assert cells
    lost = [f"{cell}: {name}" for cell in cells for name in _lost(cell)]
    assert not lost, f"name what is there in docs/explanation/architecture.md: {lost}"


def test_a_wrong_name_in_the_architecture_page_is_found() -> None:
    """A test in the wrong file, a file that is gone, a target that is gone; nothing else is."""
    right = "`tests/ledger/test_append.py`, `test_again.py`: `test_at_once`; `make soak`; `tests/stories/`"
    assert _lost(right) == []
    wrong = (
        "`tests/ledger/test_append.py`: `test_at_once`; `test_gone.py`; `make gone`; `test_alone`"
    )
    assert _lost(wrong) == ["test_at_once", "test_gone.py", "make gone", "test_alone"]


def _lost(cell: str) -> list[str]:
    """Return what a cell of the table names and does not exist.

    A file without a folder lies beside the one before it; a test stands in the file before it.
    """
    lost, file = [], ROOT
    for name in re.findall(r"`([^`]+)`", cell):
        if name.startswith("make "):
            there = f"\n{name.removeprefix('make ')}: " in (ROOT / "Makefile").read_text("utf-8")
        elif "/" in name or "." in name:
            file = (ROOT if "/" in name else file.parent) / name
            there = file.exists()
        else:
            there = file.is_file() and f"def {name}(" in file.read_text("utf-8")
        lost += [] if there else [name]
    return lost


def test_the_index_leads_to_every_document() -> None:
    """A page that the index does not name is not found."""
    docs = ROOT / "docs"
    index = (docs / "index.md").read_text("utf-8")
    linked = {(docs / target.partition("#")[0]).resolve() for target in LINK.findall(index)}
    lost = [
        path.relative_to(docs).as_posix()
        for path in documents()
        if path.is_relative_to(docs) and path.name != "index.md" and path.resolve() not in linked
    ]
    assert not lost, f"name these in docs/index.md: {lost}"


def test_the_readme_begins_with_what_a_stranger_needs() -> None:
    """One sentence, what it is not, the flow, the services, the two commands: on the first screen."""
    head = "\n".join(_lines(ROOT / "README.md")[:README_HEAD_LINES])
    for wanted in (
        "is not",
        "LEDGER",
        "| service | consumes | emits | owns |",
        "make demo",
        "make test",
    ):
        assert wanted in head, f"say {wanted!r} in the first {README_HEAD_LINES} lines"
