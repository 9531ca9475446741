"""`python -m tests.faults`: does faults to a stack under load, one after another, and checks what was observed.

The short form takes less than two minutes on an idle machine. `--long` also fills both disks (as root), deletes a
stream, and goes through all faults several times in a random order; then come those after which an operator adopts
another ledger, each on a stack of its own, and those that are done to one of three servers. Each fault shows that it
was really done, and what it would have done to a system that does not stand it is refused by the checker. Exit 0: every
invariant holds; 1: one does not, a fault did nothing, or the checker is blind.
"""

import argparse
import asyncio
import os
import random
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.checking import blind, violations
from tests.faults.injecting import FAULTS, Fault
from tests.faults.observed import Observed
from tests.faults.running import run
from tests.support.kept_folder import folder_of

LONG_ROUNDS = 2
SHOWN_MAX = 20


def wanted(names: Sequence[str], seed: int, *, long: bool) -> list[list[Fault]]:
    """Return the faults to do, in order, by the stack that they are done to."""
    able = [each for each in FAULTS if os.geteuid() == 0 or "disk" not in each.name]
    if names:
        able = [each for each in FAULTS if each.name in names]
    elif not long:
        able = [each for each in able if not each.only_long]
    together = [each for each in able if not each.alone and not each.cluster]
    if long and not names:
        shuffled = random.Random(seed)
        together = [
            each for _ in range(LONG_ROUNDS) for each in shuffled.sample(together, len(together))
        ]
    of_three = [each for each in able if each.cluster]
    stacks = [together, *([each] for each in able if each.alone), of_three]
    return [each for each in stacks if each]


def report(observed: Observed) -> int:
    """Print what was observed and what does not hold; return how much."""
    print(f"{len(observed.acknowledged)} deliveries acknowledged, {len(observed.recorded)} events")
    found = [f"VIOLATED {each}" for each in violations(observed)]
    if not found:
        faults = {each.name: each.control for each in FAULTS}
        found = [f"BLIND to {each}" for each in blind(observed, faults)]
    for each in found[:SHOWN_MAX]:
        print(each)
    if not found:
        print(
            f"every invariant holds; {len(observed.done)} faults were seen, and their damage refused"
        )
    return len(found)


def _cost(began: float) -> str:
    """Return what a run has taken so far."""
    own, children = (
        resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    used = sum(each.ru_utime + each.ru_stime for each in (own, children))
    seconds = time.monotonic() - began
    return f"{seconds:.0f} s, {used:.0f} s of processor time, load {os.getloadavg()[0]:.1f}"


def main() -> int:
    """Read the command line, run, and sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--long", action="store_true", help="all faults, several times")
    parser.add_argument(
        "--fault", action="append", default=[], choices=[each.name for each in FAULTS]
    )
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="an empty folder; the data and logs stay"
    )
    chosen = parser.parse_args()
    stacks = wanted(chosen.fault, chosen.seed, long=chosen.long)
    print(f"seed {chosen.seed}: {sum(map(len, stacks))} faults")
    began, wrong = time.monotonic(), 0
    with folder_of(chosen.keep, "tellonce-faults-") as folder:
        for number, faults in enumerate(stacks):
            place = folder / str(number)
            place.mkdir()
            wrong += report(asyncio.run(run(faults, chosen.seed, place)))
    print(_cost(began))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
