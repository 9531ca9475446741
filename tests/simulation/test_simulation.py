"""A short week: the invariants hold whatever fails, and kills change nothing that is decided."""

from datetime import timedelta
from itertools import pairwise

import pytest

from shared.codec import encode
from tests.simulation.__main__ import week
from tests.simulation.fairness import check_room, check_turns
from tests.simulation.world import Plan, World

SEED = 11
SHORT = Plan(days=1, contacts_a_day=60)
RIGHT_CLOCK = Plan(days=1, contacts_a_day=60, clock_off=timedelta(0))
UNHARMED = Plan(days=1, contacts_a_day=60, kills=False)


async def test_a_day_with_faults_holds_every_invariant() -> None:
    """Kills, wrong clocks, deliveries told twice; all ways through are taken."""
    world, measures = await week(SEED, SHORT)
    print(f"seed {SEED}")
    assert world.done["kills"] > 0
    assert check_turns(world.seen, world.router.policy) > SHORT.contacts_a_day / 2
    assert measures.contacts >= measures.taken + measures.abandoned + measures.missed > 0
    assert measures.acknowledged == 1.0


async def test_a_killed_router_decides_the_same() -> None:
    """Event by event: what a process has in memory is no part of a decision."""
    killed, unharmed = World(SEED, RIGHT_CLOCK), World(SEED, UNHARMED)
    for world in (killed, unharmed):
        await world.run()
    assert killed.done.pop("kills") > 0
    assert killed.done == unharmed.done
    assert [encode(each.event) for each in killed.seen] == [
        encode(each.event) for each in unharmed.seen
    ]


async def test_an_offer_out_of_turn_is_seen() -> None:
    """Whoever waits longest is offered first: without the offers before, a later one is out of turn."""
    world = World(SEED, UNHARMED)
    await world.run()
    offered = [each for each in world.seen if each.event.type == "contact.offered"]
    first_of_many = next(a for a, b in pairwise(offered) if a.event.recorded == b.event.recorded)
    kept = [each for each in world.seen if each is not first_of_many]
    with pytest.raises(AssertionError, match="was offered before"):
        check_turns(kept, world.router.policy)
    assert check_room(world.seen, world.router.policy) > 1
