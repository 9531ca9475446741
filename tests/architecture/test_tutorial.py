"""The tutorial does what it says."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

WITHIN_SECONDS = 170
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
SETUP = "make setup\n"
FOLDER = "$PWD/.tellonce/tutorial"


@pytest.mark.skipif(shutil.which("bash") is None, reason="the tutorial is typed into bash")
def test_every_command_of_the_tutorial_works(tmp_path: Path) -> None:
    """A newcomer who types every block in order gets to the end, and sees what the text promises."""
    blocks = BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text("utf-8"))
    script = "".join(blocks)
    assert SETUP in script
    assert FOLDER in script
    script = script.replace(SETUP, "").replace(FOLDER, str(tmp_path / "data"))
    shown = _typed(script)
    answers = [json.loads(line) for line in shown.splitlines() if line.startswith("{")]
    assert not [answer for answer in answers if "error" in answer]
    packets = [answer["packet"] for answer in answers if "packet" in answer]
    assert [fact["name"] for fact in packets[0]["facts"]] == ["menu_choice"]
    told = ["menu_choice", "locker", "problem", "parcel_number"]
    assert [fact["name"] for fact in packets[1]["facts"]] == told
    assert [hop["to"] for hop in packets[1]["path"]["hops"]] == [
        "queue-branch-krakow",
        "queue-warehouse",
    ]
    balance = next(answer for answer in answers if "missing" in answer)
    assert (balance["received"], balance["accepted"], balance["missing"]) == (4, 4, 0)


def _typed(script: str) -> str:
    """Return what bash shows on standard output. Nothing it started outlives it."""
    typed = subprocess.Popen(
        ["bash", "-eu", "-c", f"trap 'tellonce down >&2' EXIT\n{script}"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        shown, complaints = typed.communicate(timeout=WITHIN_SECONDS)
    except BaseException:
        os.killpg(typed.pid, signal.SIGTERM)
        raise
    assert typed.returncode == 0, complaints[-2_000:]
    return shown
