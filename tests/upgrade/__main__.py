"""`python -m tests.upgrade`: two versions side by side under traffic, from an earlier commit to here and back.

Exit 0: every invariant holds; 1: one does not; 2: this clone does not hold the commit.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from tests.support.kept_folder import folder_of
from tests.upgrade.rolling import run
from tests.upgrade.versions import PREVIOUS, code_of


def say(when: str, seconds: float) -> None:
    print(f"{when:<32} a mail is answered after {seconds:6.2f} s", flush=True)


def main() -> int:
    """Read the command line, upgrade and go back, and sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade", description=__doc__)
    parser.add_argument("--from", dest="commit", default=PREVIOUS, metavar="COMMIT")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="an empty folder; data and logs stay"
    )
    chosen = parser.parse_args()
    with folder_of(chosen.keep, "tellonce-upgrade-") as folder:
        old = code_of(chosen.commit, folder / "old")
        if old is None:
            print(f"this clone does not hold {chosen.commit}", file=sys.stderr)
            return 2
        wrong = asyncio.run(run(folder, old, say))
    for each in wrong:
        print(f"VIOLATED {each}")
    if not wrong:
        print("every invariant holds, there and back")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
