"""Plays a story as anybody would: by the command line, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.stories.files import HERE
from tests.stories.personal import personal_in, told_in

PLAY_SECONDS = 170.0
REFUSED = 2
"""The exit code of a story that was not played: there are no logs."""
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Played:
    """How a story ended. `report`: as `--report` writes it; without steps when the player gave none."""

    exit_code: int
    output: str
    report: Mapping[str, Any]

    @property
    def codes(self) -> list[str]:
        return [step["code"] for step in self.report["steps"] if step["code"]]

    def check_met(self) -> None:
        """Check that every expectation held, nothing is missing, the rebuild agrees, every delivery is counted."""
        assert self.exit_code == 0, self.output
        report = self.report
        assert report["ok"]
        assert [packet["missing"] for packet in report["packets"] if packet["missing"]] == []
        assert report["digests"]["live"] == report["digests"]["rebuilt"]
        balance = report["balance"]
        parts = ("accepted", "duplicate", "ignored", "quarantined", "skipped")
        assert balance["received"] == sum(balance[part] for part in parts) > 0

    @property
    def accepted_facts(self) -> dict[str, set[int]]:
        """How many facts were in the packets of each person."""
        found: dict[str, set[int]] = {}
        for packet in self.report["packets"]:
            found.setdefault(packet["to"], set()).add(packet["facts"])
        return found

    @property
    def latest_facts(self) -> dict[str, int]:
        """How many facts were in the fullest packet of each person."""
        return {name: max(counts) for name, counts in self.accepted_facts.items()}


def play(
    story: Path, folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Played:
    """Play a story, on a stack of its own unless `environment` names another; no log tells what its people say.

    `folder`: for the report, and the data of a stack of its own. Raises: subprocess.TimeoutExpired.
    """
    running = (environment or {}).get("TELLONCE_DATA")
    if running is None and "--keep" not in options:
        options = (*options, "--keep", mkdtemp(dir=folder))
    data = Path(running or options[options.index("--keep") + 1])
    played = _played(story, folder, options, environment or {})
    assert played.exit_code == REFUSED or [*data.rglob("logs/router.log")], played.output
    assert told_in(data, personal_in(story)) == []
    return played


def play_against(
    doors: str, story: Path, folder: Path, *, environment: Mapping[str, str]
) -> Played:
    """Play a story on a stack elsewhere, whose logs are elsewhere too. Raises: subprocess.TimeoutExpired."""
    return _played(story, folder, ("--against", doors), environment)


def _played(
    story: Path, folder: Path, options: tuple[str, ...], environment: Mapping[str, str]
) -> Played:
    report = folder / "report.json"
    kept = {key: value for key, value in os.environ.items() if key != "TELLONCE_DATA"}
    command = (sys.executable, "-m", "deploy.cli.main", "story", str(story))
    done = subprocess.run(
        [*command, "--report", str(report), *options],
        cwd=ROOT,
        env={**kept, **environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PLAY_SECONDS,
        check=False,
    )
    found = json.loads(report.read_bytes()) if report.exists() else {"steps": [], "packets": []}
    return Played(done.returncode, done.stdout, found)
