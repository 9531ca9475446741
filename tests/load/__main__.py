"""`python -m tests.load`: a day of a shop in an hour, through the real doors, and a burst after it.

By default a quarter of an hour and two minutes of five times as much: at the rate of the whole day, which
`--minutes 60 --burst-minutes 10` is. Prints a table and its plot, and writes both to a file. Exit 0: everything holds;
1: something does not.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from tests.faults.checking import BOUNDS_MISSED_BY
from tests.load import report
from tests.load.backlog import behind
from tests.load.day import CONTACTS_PER_HOUR
from tests.load.minutes import load_average
from tests.load.running import Asked, Day, run
from tests.load.verdicts import UNSEEN_SECONDS, longest_unseen, verdicts
from tests.support.kept_folder import folder_of

MINUTES, BURST_MINUTES, TIMES = 15.0, 2.0, 5.0
MINUTES_MAX = 240.0
TIMES_MAX = 20.0
WRITTEN = Path("build/load.txt")
SHOWN_MAX = 40


def told(day: Day) -> list[str]:
    """Return the whole report; its last lines are what does not hold, or that everything does."""
    lines, observed = day.minutes.lines, day.ended.observed
    wrong = verdicts(day.ended)
    recoveries = [
        f"{each.what} after {each.seconds or -1:.1f} s; the bound is {each.bound_seconds:.0f} s, "
        f"it fails beyond {BOUNDS_MISSED_BY * each.bound_seconds:.0f} s"
        for each in observed.recoveries
    ]
    return [
        *report.table(lines),
        *report.plot(lines),
        (
            f"{len(observed.acknowledged)} contacts, {len(observed.recorded)} events, "
            f"{len(observed.mails)} mails to customers, {day.floor.left} lost patience, "
            f"load {load_average():.1f}"
        ),
        *report.sums(day.minutes, day.floor.delays),
        f"unseen at most {longest_unseen(day.ended):.1f} s; the bound is {UNSEEN_SECONDS:.0f} s",
        f"told of as behind: {_behind(day)}",
        *recoveries,
        *(f"VIOLATED {each}" for each in wrong[:SHOWN_MAX]),
        *([f"and {len(wrong) - SHOWN_MAX} more"] if len(wrong) > SHOWN_MAX else []),
        *([] if wrong else ["everything holds"]),
    ]


def _behind(day: Day) -> str:
    """Return how often which lane was."""
    found = behind(day.ended.observed)
    return ", ".join(f"{lane} {len(spans)} times" for lane, spans in found.items()) or "no lane"


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help=f"how long the day is ({MINUTES:.0f})"
    )
    parser.add_argument("--burst-minutes", type=float, default=BURST_MINUTES)
    parser.add_argument(
        "--times", type=float, default=TIMES, help=f"as much in the burst ({TIMES:.0f})"
    )
    parser.add_argument(
        "--contacts", type=float, default=CONTACTS_PER_HOUR, help="in an hour, on average"
    )
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--out", type=Path, default=WRITTEN, help="where the report is written")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a folder; data and logs stay")
    chosen = parser.parse_args()
    if not 0 < chosen.minutes <= MINUTES_MAX or not 0 <= chosen.burst_minutes <= MINUTES_MAX:
        parser.error(f"a day has more than 0 and at most {MINUTES_MAX:.0f} minutes")
    if not 1 <= chosen.times <= TIMES_MAX:
        parser.error(f"a burst is 1 to {TIMES_MAX:.0f} times as much")
    return chosen


def main() -> int:
    """Read the command line, have the day, report."""
    chosen = _asked()
    asked = Asked(chosen.seed, chosen.minutes, chosen.burst_minutes, chosen.contacts, chosen.times)
    print(
        f"seed {asked.seed}: {asked.minutes:g} minutes, then {asked.burst_minutes:g} of "
        f"{asked.times:g} times as much, {asked.contacts:.0f} contacts an hour",
        flush=True,
    )
    with folder_of(chosen.keep, "tellonce-load-") as folder:
        lines = told(asyncio.run(run(asked, folder)))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))
    return 0 if lines[-1] == "everything holds" else 1


if __name__ == "__main__":
    sys.exit(main())
