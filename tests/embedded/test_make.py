"""The Makefile and the locks, as a stranger meets them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_alone_prints_every_target() -> None:
    """A target that `make` does not show would not be found."""
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    assert {line.split()[1] for line in shown.splitlines()} == set(phony.group(1).split())


@pytest.mark.parametrize("name", ["uv", "service", "tools", "deploy", "dev", "peers"])
def test_every_pin_of_a_lock_has_a_hash_and_no_address(name: str) -> None:
    """An address would tie a set-up to one index; a pin without a hash would trust it."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    pins = re.split(r"\n(?=[a-z])", text.strip())
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)
    assert "://" not in text


def test_the_locks_agree_on_their_versions() -> None:
    """Tests must run on what the services run on."""

    def versions(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        return set(re.findall(r"^([a-z0-9-]+==[^ \\]+)", text, re.MULTILINE))

    assert versions("service") <= versions("tools") <= versions("deploy") <= versions("dev")
