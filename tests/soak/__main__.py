"""`python -m tests.soak`: signal 9 to every process of the stack before every step of a story, one kill a run.

`--needs`: instead, every story of a need while the router, which dispatches, is killed again and again at random
moments; those that tests play on a running stack are played on one of their own. `--seeds`: how often each, and when.
Each run is compared with one that nobody disturbed. Exit 0: they ended alike, or differ by a mail of uncertain fate
(ADR 0014), which is counted apart; 1: something else was changed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from deploy.story.file.model import Process
from deploy.story.file.reading import read_story
from tests.soak.router_kills import NEEDS, Run, compare
from tests.soak.verdicts import CHANGED, DOUBT, SAME, told, verdict
from tests.stories.files import HERE
from tests.stories.played import play

PARCEL_LOCKER = HERE / "parcel_locker.yaml"
PROCESSES: tuple[str, ...] = get_args(Process)


@dataclass(frozen=True, slots=True)
class Kill:
    """Signal 9 to `process` before step `at`, and how the story ended. `log`: what the player said."""

    process: str
    at: int
    ended: str = ""
    seconds: float = 0.0
    log: str = ""


def kills(processes: list[str], steps: range) -> Iterator[Kill]:
    """Every process before every step, neighbours in time being different processes."""
    for at in steps:
        for process in processes:
            yield Kill(process, at)


def run(story: Path, kill: Kill, undisturbed: dict[str, Any]) -> Kill:
    """Play the story with one kill."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tellonce-soak-") as folder:
        try:
            played = play(story, Path(folder), "--kill", kill.process, "--at", str(kill.at))
            ended, log = verdict(played, undisturbed), played.output
        except subprocess.TimeoutExpired as error:
            ended, log = CHANGED, str(error)
    return Kill(kill.process, kill.at, ended, time.monotonic() - began, log)


def soak(story: Path, wanted: list[Kill], jobs: int) -> list[Kill]:
    """Play every run, `jobs` at a time, and print each as it ends. Raises: SystemExit when the story fails alone."""
    with tempfile.TemporaryDirectory(prefix="tellonce-soak-") as folder:
        alone = play(story, Path(folder))
    if alone.exit_code != 0:
        sys.exit(f"the story is not met without a kill:\n{alone.output}")
    undisturbed, done = told(alone), []
    with ThreadPoolExecutor(jobs) as pool:
        for kill in pool.map(lambda each: run(story, each, undisturbed), wanted):
            done.append(kill)
            print(
                f"step {kill.at:>3}  kill -9 {kill.process:<8}  {kill.seconds:5.1f} s  {kill.ended}",
                flush=True,
            )
            if kill.ended != SAME:
                print(kill.log, flush=True)
    return done


def soak_needs(seeds: list[int], names: list[str]) -> list[Run]:
    """Play the stories of needs, or some of them, with kills of the router, and print each run as it ends."""
    done = []
    for story in [each for each in NEEDS if not names or each.stem in names]:
        for run_ in compare(story, seeds):
            done.append(run_)
            print(
                f"{run_.story:<20} seed {run_.seed:>4}  kill -9 router, {run_.kills:>2} times"
                f"  {run_.seconds:5.1f} s  {run_.ended}",
                flush=True,
            )
            if run_.ended != SAME:
                print(run_.log, flush=True)
    return done


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--story", type=Path, default=PARCEL_LOCKER)
    parser.add_argument(
        "--process", action="append", choices=PROCESSES, help="only this one; may be repeated"
    )
    parser.add_argument("--first", type=int, default=1, metavar="STEP")
    parser.add_argument("--last", type=int, metavar="STEP", help="the last step of the story")
    parser.add_argument("--jobs", type=int, default=1, help="stacks at a time (1)")
    parser.add_argument(
        "--needs", nargs="*", metavar="NAME", help="the stories of needs, or those of these names"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="with --needs (1)")
    return parser.parse_args()


def main() -> int:
    """Read the command line, play, and sum up."""
    chosen, began = _asked(), time.monotonic()
    if chosen.needs is not None:
        runs = soak_needs(chosen.seeds, chosen.needs)
        killed, ended = sum(each.kills for each in runs), [each.ended for each in runs]
    else:
        last = chosen.last or len(read_story(chosen.story).steps)
        wanted = list(kills(chosen.process or list(PROCESSES), range(chosen.first, last + 1)))
        ended = [each.ended for each in soak(chosen.story, wanted, chosen.jobs)]
        killed = len(ended)
    counted = Counter(ended)
    sums = ", ".join(f"{counted[each]} {each}" for each in (SAME, DOUBT, CHANGED))
    print(f"{killed} kills in {len(ended)} runs, {time.monotonic() - began:.0f} s: {sums}")
    return 1 if counted[CHANGED] else 0


if __name__ == "__main__":
    sys.exit(main())
