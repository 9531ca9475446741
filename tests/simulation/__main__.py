"""`python -m tests.simulation`: a shop's week, three times, against the router in memory; prints the measures.

Exit 0: every invariant holds in every week. The seeds are printed; the same seed is the same week.
"""

import argparse
import asyncio
import logging
import sys
import time

import msgspec
import structlog

from services.history.domain.handling import HandledWork
from services.history.domain.measures import Measures, Scope, measured
from tests.router.invariants import check_recorded
from tests.simulation.fairness import check_room, check_turns
from tests.simulation.world import MORNING, Plan, World

DAYS, CONTACTS_A_DAY, SEEDS = 7, 300.0, 3
DAYS_MAX, CONTACTS_MAX = 31, 5_000.0


async def week(seed: int, plan: Plan) -> tuple[World, Measures]:
    """Let a week pass and check it. Raises: AssertionError for the first thing that does not hold."""
    world = World(seed, plan)
    await world.run()
    check_recorded(world.seen)
    check_turns(world.seen, world.router.policy)
    check_room(world.seen, world.router.policy)
    handled = HandledWork()
    for each in world.seen:
        handled.see(each)
    return world, measured(handled, Scope(since=MORNING, until=world.end))


def _asked() -> tuple[Plan, list[int]]:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--contacts", type=float, default=CONTACTS_A_DAY, help="a day")
    parser.add_argument("--seeds", type=int, nargs="+", help=f"{SEEDS} of this second, else")
    chosen = parser.parse_args()
    if not 0 < chosen.days <= DAYS_MAX or not 0 < chosen.contacts <= CONTACTS_MAX:
        parser.error(f"at most {DAYS_MAX} days of {CONTACTS_MAX:.0f} contacts")
    now = int(time.time())
    plan = Plan(days=chosen.days, contacts_a_day=chosen.contacts)
    return plan, chosen.seeds or [now + each for each in range(SEEDS)]


def main() -> int:
    """Run the weeks that are asked for; return the exit code."""
    plan, seeds = _asked()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    failed = False
    for seed in seeds:
        print(f"seed {seed}: {plan.days} days of {plan.contacts_a_day:.0f} contacts", flush=True)
        try:
            world, measures = asyncio.run(week(seed, plan))
        except AssertionError as error:
            failed = True
            print(f"VIOLATED {error}")
            continue
        done = {**world.done, **world.router.refusals_by_code}
        print(f"  {len(world.seen)} events; " + ", ".join(f"{k} {v}" for k, v in done.items()))
        for name, value in msgspec.to_builtins(measures).items():
            print(f"  {name:24} {'-' if value is None else format(value, '.4g')}")
    print("something does not hold" if failed else "every invariant holds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
