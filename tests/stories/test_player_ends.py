"""However the player ends, the stack that it started ends with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded import state
from tests.embedded.waiting import until
from tests.stories.files import HERE

ROOT = HERE.parents[1]
STORY = HERE / "parcel_locker.yaml"
START_SECONDS = 60.0
END_SECONDS = 30.0


def has_ended(pid: int) -> bool:
    """Whether a process has ended (a zombie of a parent that does not wait has)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A player whose stack keeps its data in `tmp_path/kept/parcel_locker`."""
    argv = ("-m", "deploy.cli.main", "story", str(STORY), "--keep", str(tmp_path / "kept"))
    player = subprocess.Popen(
        [sys.executable, *argv],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "TELLONCE_DATA"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # As from a terminal: what a script runs in its background ignores Ctrl-C, and its children do.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  no thread here
    )
    yield player
    player.kill()
    player.wait()


@pytest.mark.story
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
@pytest.mark.parametrize(
    ("how", "exit_code"),
    [
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGINT, 128 + signal.SIGINT),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
async def test_the_stack_ends_with_its_player(
    tmp_path: Path, playing: subprocess.Popen[bytes], how: signal.Signals, exit_code: int
) -> None:
    """Told to end, the player stops `up`, servers and services first; killed, it takes them along."""
    folder = tmp_path / "kept" / STORY.stem
    await until(
        lambda: state.read_status(folder).state == "ready" or None, within_seconds=START_SECONDS
    )
    up = state.holder(folder)
    pids = [*state.read_status(folder).pids.values()]
    assert up is not None
    playing.send_signal(how)
    assert playing.wait(timeout=END_SECONDS) == exit_code
    if how != signal.SIGKILL:
        assert all(has_ended(pid) for pid in [up, *pids])
    await until(lambda: all(has_ended(pid) for pid in [up, *pids]), within_seconds=END_SECONDS)
