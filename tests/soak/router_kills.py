"""Signal 9 to the router, which holds the dispatcher, at random moments between and within the steps of a story.

The moments are drawn from a seed; where in the story they fall is the machine's.
"""

import contextlib
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from deploy.embedded import state
from deploy.story.file.reading import read_story
from tests.soak.verdicts import CHANGED, told, verdict
from tests.stories.files import HERE
from tests.stories.played import Played, play

NEEDS = sorted((HERE / "needs").glob("*.yaml"))
ROUTER = "router"
LOOK_SECONDS = 0.05
STARTING, LIVES_SECONDS, STARTS_SECONDS = 0.25, 1.5, 0.5
"""So many die while they start, within so long; the others live so long at most once the stack is ready again."""


@dataclass
class Killer:
    """Kills the router of the stack on a folder until it is told to stop. `killed`: their process ids."""

    folder: Path
    seed: int
    killed: list[int] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        chance = random.Random(self.seed)
        while True:
            starting = bool(self.killed) and chance.random() < STARTING
            lives = chance.uniform(0, STARTS_SECONDS if starting else LIVES_SECONDS)
            pid = self._next(starting=starting)
            if pid is None or self._stopped.wait(lives):
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.killed.append(pid)

    def stop(self) -> None:
        self._stopped.set()

    def _next(self, *, starting: bool) -> int | None:
        """Wait for a router that was not killed yet, and until the stack is ready with it; `None`: it is over."""
        while not self._stopped.wait(LOOK_SECONDS):
            found = state.read_status(self.folder)
            pid = found.pids.get(ROUTER)
            if pid is None or pid in self.killed[-1:]:
                continue
            if starting or found.state == "ready":
                return pid
        return None


@contextlib.contextmanager
def killing(folder: Path, seed: int) -> Iterator[Killer]:
    """Kill the router of the stack on a folder, now and then, until the end."""
    killer = Killer(folder, seed)
    thread = threading.Thread(target=killer.run, daemon=True)
    thread.start()
    try:
        yield killer
    finally:
        killer.stop()
        thread.join()


@dataclass(frozen=True, slots=True)
class Run:
    """How a story ended while the router was killed so many times. `log`: what the player said."""

    story: str
    seed: int
    kills: int
    ended: str
    seconds: float
    log: str


def play_with_kills(story: Path, folder: Path, seed: int) -> tuple[Played, int]:
    """Play a story on a stack of its own and kill its router; return how it ended, and how often it was killed."""
    kept = folder / "kept"
    with killing(kept / read_story(story).name, seed) as killer:
        played = play(story, folder, "--keep", str(kept))
    return played, len(killer.killed)


def compare(story: Path, seeds: Sequence[int]) -> Iterator[Run]:
    """Play a story undisturbed, then once for each seed with kills; yield how each ended beside the undisturbed one.

    One that is not met by itself has changed without a kill.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tellonce-soak-") as folder:
        try:
            alone = play(story, Path(folder))
            alone.check_met()
        except (TimeoutExpired, AssertionError) as error:
            yield Run(story.stem, 0, 0, CHANGED, time.monotonic() - began, str(error))
            return
    undisturbed = told(alone)
    for seed in seeds:
        yield _compared(story, seed, undisturbed)


def _compared(story: Path, seed: int, undisturbed: dict[str, Any]) -> Run:
    began, kills = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="tellonce-soak-") as folder:
        try:
            played, kills = play_with_kills(story, Path(folder), seed)
            played.check_met()
            ended, log = verdict(played, undisturbed), played.output
        except (TimeoutExpired, AssertionError) as error:
            ended, log = CHANGED, str(error)
    return Run(story.stem, seed, kills, ended, time.monotonic() - began, log)
