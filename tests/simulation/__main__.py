"""`python -m tests.simulation`: a shop's week, three times, against router and notify in memory; prints the measures.

Exit 0: every invariant holds in every week. The seeds are printed; the same seed is the same week.
"""

import argparse
import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import structlog

from services.history.domain.measures import HandledWork, Scope, measured
from shared import events
from shared.queries import Measures
from tests.router.invariants import check_recorded
from tests.simulation.accounts import check_losses, check_mix, check_shifts, check_told
from tests.simulation.fairness import check_room, check_turns, longest_wait
from tests.simulation.world import Plan, World

DAYS, CONTACTS_A_DAY, SEEDS = 7, 300.0, 3
DAYS_MAX, CONTACTS_MAX = 31, 5_000.0


@dataclass(frozen=True, slots=True)
class Week:
    """A week that was lived through, and what was counted in it."""

    world: World
    measures: Measures
    mix: dict[str, float]
    hours: dict[str, float]
    losses: Counter[str]
    offers: int
    most: int
    waited: float
    told: int

    def lines(self) -> Iterator[str]:
        """Yield what happened, in words."""
        world, taken = self.world, Counter[str]()
        for each in world.seen:
            if isinstance(each.event, events.ContactAccepted | events.TransferAccepted):
                taken[each.event.open.agent] += 1
        yield f"{len(world.seen)} events; " + _counted(world.work.done)
        yield "refused: " + _counted(world.router.refusals_by_code)
        yield "came by: " + ", ".join(f"{way} {part:.1%}" for way, part in self.mix.items())
        yield "hours at work: " + ", ".join(f"{who} {each:.0f}" for who, each in self.hours.items())
        yield "contacts taken: " + _counted(taken)
        yield "lost calls: " + _counted(self.losses)
        yield (
            f"{self.offers} offers in turn; at most {self.most} matters at once; the longest wait"
            f" {self.waited:.0f} s of open time; {self.told} notifications acknowledged or escalated"
        )
        for name, value in msgspec.to_builtins(self.measures).items():
            yield f"{name:42} {'-' if value is None else format(value, '.4g')}"


def _counted(what: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(what.items()) if number)


async def week(seed: int, plan: Plan) -> Week:
    """Let a week pass and check it. Raises: AssertionError for the first thing that does not hold."""
    world = World(seed, plan)
    await world.run()
    seen, policy = world.seen, world.router.policy
    check_recorded(seen)
    handled = HandledWork()
    for each in seen:
        handled.see(each)
    return Week(
        world=world,
        measures=measured(handled, Scope(since=world.begins, until=world.end)),
        mix=check_mix(world),
        hours=check_shifts(world),
        losses=check_losses(seen),
        offers=check_turns(seen, policy),
        most=check_room(seen, policy),
        waited=longest_wait(seen, policy, world.end).total_seconds(),
        told=check_told(seen, world.end, world.grace),
    )


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
            lived = asyncio.run(week(seed, plan))
        except AssertionError as error:
            failed = True
            print(f"VIOLATED {error}", flush=True)
            continue
        for line in lived.lines():
            print(f"  {line}", flush=True)
    print("something does not hold" if failed else "every invariant holds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
