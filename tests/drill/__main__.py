"""`python -m tests.drill`: a story, a backup, a loss, a restore into an empty stack, compared.

Exit 0: everything holds; 1: something does not, and is printed.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from deploy.story.file.reading import read_story
from deploy.story.stack import merged_policy
from shared.settings import Settings
from tests.drill.lost_and_restored import OLD, Drill, run
from tests.stories.files import HERE
from tests.stories.played import play
from tests.support.kept_folder import folder_of


def say(what: str, seconds: float, how_much: str) -> None:
    print(f"{what:<9} {seconds:7.2f} s  {how_much}", flush=True)


def main() -> int:
    """Read the command line, play, do the drill, and sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--story", type=Path, default=HERE / "parcel_locker.yaml")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="an empty folder; all data stays")
    chosen = parser.parse_args()
    with folder_of(chosen.keep, "tellonce-drill-") as folder:
        began = time.monotonic()
        played = play(chosen.story, folder, "--keep", str(folder))
        if played.exit_code != 0:
            sys.exit(f"the story is not met:\n{played.output}")
        say("story", time.monotonic() - began, chosen.story.stem)
        story = read_story(chosen.story)
        (folder / story.name).rename(folder / OLD)
        policy = merged_policy(Path(Settings().policy).read_bytes(), story.head.policy)
        drill = Drill.of(folder, policy, say)
        asyncio.run(run(drill))
    for each in drill.wrong:
        print(f"WRONG     {each}")
    if not drill.wrong:
        print("the same ledger, the same rows, and it goes on")
    return 1 if drill.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
