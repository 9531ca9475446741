"""Every channel and every transport of notify is wired under the name of its file, tested and described."""

import re
from pathlib import Path

import pytest

from services.notify.channels import CHANNELS
from services.notify.transports import TRANSPORTS
from tests.architecture.tree import ROOT

NOTIFY = ROOT / "services" / "notify"


def files(room: str) -> list[str]:
    """The names of a room's files; what several of them share has no `NAME`."""
    found = (path for path in (NOTIFY / room).glob("*.py") if "NAME = " in path.read_text("utf-8"))
    return sorted(path.stem for path in found)


def test_every_file_is_wired_under_its_name() -> None:
    """A file that nothing looks up is dead, and a name that no file has is not found."""
    assert files("channels") == sorted(CHANNELS)
    assert files("transports") == sorted(TRANSPORTS)


@pytest.mark.parametrize("name", [*sorted(CHANNELS), *sorted(TRANSPORTS)])
def test_everyone_has_a_test(name: str) -> None:
    """What nobody can check is not there."""
    assert Path(__file__).with_name(f"test_{name}.py").exists(), f"write test_{name}.py"


@pytest.mark.parametrize("name", sorted(TRANSPORTS))
def test_every_transport_has_a_row(name: str) -> None:
    """What nobody can find is not there; the page of channels is made from their files."""
    how_to = (ROOT / "docs" / "how-to" / "add-a-transport.md").read_text("utf-8")
    row = rf"^\|.*`{name}`.*\|$"
    assert re.search(row, how_to, re.MULTILINE), f"add a row for `{name}`"
