"""A short week: the invariants hold whatever fails, and kills change nothing that is decided."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from shared import calendars
from shared.codec import encode
from shared.events import AgentReserved, ContactOffered
from shared.ledger import Recorded
from shared.policy import Policy
from tests.simulation.__main__ import week
from tests.simulation.fairness import check_turns
from tests.simulation.shop import WAYS, the_policy, workers
from tests.simulation.world import DAY, FIRST_DAY, Plan, World

SEED = 11
SHORT = Plan(days=4, contacts_a_day=75)
"""The third day is a holiday, and the fourth begins with what has come meanwhile."""
RIGHT_CLOCK = Plan(days=1, contacts_a_day=60, clock_off=timedelta(0))
UNHARMED = Plan(days=1, contacts_a_day=60, kills=False)
TAKEN_WAYS = (
    *(
        "accept_offer",
        "reject_offer",
        "accept_transfer",
        "warm transfer",
        "cold transfer",
        "escalate",
    ),
    *(
        "make_promise",
        "keep_promise",
        "renegotiate_promise",
        "withdraw_promise",
        "snooze",
        "reopen",
    ),
    *("take_over", "assign", "confirm_customer", "called back: reached", "called back: no_answer"),
)
DECIDED = {
    *(
        "contact.wait_exceeded",
        "promise.due_soon",
        "promise.overdue",
        "promise.broken",
        "sla.warned",
    ),
    *(
        "sla.breached",
        "sla.resumed",
        "callback.requested",
        "fact.repeated",
        "conversation.returned",
    ),
    *("conversation.woken", "conversation.labelled", "attention.requested"),
    *("review.sampled", "contact.offer_expired", "transfer.expired"),
}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return the_policy(workers())


async def test_days_with_faults_hold_every_invariant() -> None:
    """Kills, wrong clocks, deliveries told twice; all ways through are taken."""
    print(f"seed {SEED}")
    lived = await week(SEED, SHORT)
    done, measures = lived.world.work.done, lived.measures
    assert [way for way in (*WAYS, *TAKEN_WAYS, "kills") if not done[way]] == []
    assert DECIDED - {each.event.type for each in lived.world.seen} == set()
    assert lived.offers > SHORT.contacts_a_day
    assert lived.told > lived.offers
    assert measures.contacts >= measures.taken + measures.abandoned + measures.missed > 0
    assert measures.acknowledged == 1.0
    assert "\n".join(lived.lines())


async def test_a_killed_router_decides_the_same() -> None:
    """Event by event: what a process has in memory is no part of a decision."""
    killed, unharmed = World(SEED, RIGHT_CLOCK), World(SEED, UNHARMED)
    for world in (killed, unharmed):
        await world.run()
    assert killed.work.done.pop("kills") > 0
    assert killed.work.done == unharmed.work.done
    assert [encode(each.event) for each in killed.seen] == [
        encode(each.event) for each in unharmed.seen
    ]


async def test_an_offer_out_of_turn_is_seen() -> None:
    """Whoever waits longest is offered first: without that offer, the next one to the same agent is out of turn."""
    world = World(SEED, UNHARMED)
    await world.run()
    offered = [each for each in world.seen if isinstance(each.event, ContactOffered)]
    to_whom = {
        each.sequence: (each.event.recorded, each.event.open.agent)
        for each in offered
        if isinstance(each.event, ContactOffered)
    }
    first_of_many = next(
        one
        for one, next_one in pairwise(offered)
        if to_whom[one.sequence] == to_whom[next_one.sequence]
    )
    gone = {first_of_many.sequence, _reserved_by(world, first_of_many)}
    kept = [each for each in world.seen if each.sequence not in gone]
    with pytest.raises(AssertionError, match="was offered before"):
        check_turns(kept, world.router.policy)


def _reserved_by(world: World, offer: Recorded) -> int:
    """Return which event took the slot for an offer."""
    later = world.seen[offer.sequence :]
    return next(
        each.sequence
        for each in later
        if isinstance(each.event, AgentReserved)
        and each.event.open.conversation == offer.event.conversation
    )


async def test_what_passes_in_silence_is_seen() -> None:
    """Without its timers the shop forgets what is due: the next look says so."""
    world = World(SEED, UNHARMED)
    world.router.heap.put = lambda *_: None  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="has passed and nobody was told"):
        await world.run()


@pytest.mark.parametrize("day", [FIRST_DAY + number * DAY for number in range(7)])
def test_whenever_a_queue_is_open_somebody_sees_it(day: date, policy: Policy) -> None:
    """The shifts cover the opening hours of every queue, each day of the week but a holiday."""
    everybody = workers()
    assert len(everybody) == 12
    midnight = World(SEED, UNHARMED).begins + (day - FIRST_DAY)
    for hour in range(24):
        at = midnight + timedelta(hours=hour, minutes=1)
        for queue in policy.queues:
            sees = [
                each
                for each in everybody
                if each.queue == queue
                and each.works(day.weekday())
                and each.shift[0] <= hour < each.shift[1]
            ]
            assert sees or not calendars.is_open(policy.hours(queue), at), (queue, at)
