"""From an earlier version to this one and back, under traffic; skipped where the clone does not reach back so far."""

import asyncio
from pathlib import Path

import pytest

from tests.upgrade.rolling import TOGETHER, run
from tests.upgrade.versions import PREVIOUS, code_of


@pytest.mark.story
@pytest.mark.timeout(400)
def test_two_versions_side_by_side_lose_nothing_there_and_back(tmp_path: Path) -> None:
    """The new bootstrap job first; the short form of `make upgrade`."""
    old = code_of(PREVIOUS, tmp_path / "old")
    if old is None:
        pytest.skip(f"this clone does not hold {PREVIOUS}: fetch all of its history")
    answered: list[str] = []
    wrong = asyncio.run(run(tmp_path, old, lambda when, _: answered.append(when), TOGETHER))
    assert wrong == []
    assert answered[-1] == "new again"
