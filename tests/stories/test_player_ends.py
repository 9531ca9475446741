"""However the player ends, the stack that it started ends with it, and no other."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.embedded import state
from deploy.embedded.stack import EmbeddedStack
from tests.embedded.waiting import until
from tests.stories.files import HERE

ROOT = HERE.parents[1]
STORY = HERE / "parcel_locker.yaml"
WAITS = """
story: waits
steps:
  - {expect: mail, to: nobody@mail.example, count: 1, within: 60s}
"""
START_SECONDS = 60.0
END_SECONDS = 30.0


def has_ended(pid: int) -> bool:
    """Whether a process has ended (a zombie of a parent that does not wait has)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


def player_of(story: Path, *options: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a player, as from a terminal; what the player says is there to be read."""
    kept = {key: value for key, value in os.environ.items() if key != "TELLONCE_DATA"}
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli.main", "story", str(story), *options],
        cwd=ROOT,
        env={**kept, **environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # What a script runs in its background ignores Ctrl-C, and its children do.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  no thread here
    )


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A player whose stack keeps its data in `tmp_path/kept/parcel_locker`."""
    with player_of(STORY, "--keep", str(tmp_path / "kept"), environment={}) as player:
        yield player
        player.kill()


@pytest.mark.story
def test_told_to_end_it_leaves_a_stack_that_it_did_not_start(
    tmp_path: Path, running_stack: EmbeddedStack, on_it: dict[str, str]
) -> None:
    """SIGTERM ends the story in order, as Ctrl-C does; the stack runs on."""
    story = tmp_path / "waits.yaml"
    story.write_text(WAITS)
    pids = running_stack.status().pids
    with player_of(story, environment=on_it) as player:
        assert player.stdout is not None
        assert any("the stack is ready" in line for line in player.stdout)
        player.send_signal(signal.SIGTERM)
        assert player.wait(timeout=END_SECONDS) == 128 + signal.SIGTERM
    assert (running_stack.status().state, running_stack.status().pids) == ("ready", pids)


@pytest.mark.story
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
@pytest.mark.parametrize(
    ("how", "exit_code"),
    [(signal.SIGINT, 128 + signal.SIGINT), (signal.SIGKILL, -signal.SIGKILL)],
)
async def test_the_stack_ends_with_its_player(
    tmp_path: Path, playing: subprocess.Popen[str], how: signal.Signals, exit_code: int
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
