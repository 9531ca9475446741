"""The checker of the faults: a good day passes it, and every kind of damage is found."""

import pytest

from tests.faults.checking import CHECKS, controls, violations
from tests.faults.observed import Observed
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import mail, message

COUNTS = {
    "received": 1,
    "accepted": 1,
    "duplicate": 0,
    "ignored": 0,
    "quarantined": 0,
    "parked": 0,
    "skipped": 0,
    "missing": 0,
}


async def a_good_day() -> Observed:
    """Return what is seen of one customer, who is answered, and of nothing else."""
    router = InMemoryRouter()
    it = await router.owned_by("piotr", message("m1x where is it?", handles=[mail()]))
    replies = [{"events": [{"id": e.id, "sequence": e.sequence} for e in router.done.events]}]
    await router.does("piotr", "wrap_up", conversation=it, disposition="solved", summary="done")
    await router.does("piotr", "resolve", conversation=it)
    recorded = await router.recorded()
    shown = ("conv-", "cust-", "notif-")
    timeline = [
        each.sequence
        for each in recorded
        if each.event.conversation == it and each.aggregate.startswith(shown)
    ]
    return Observed(
        seed=1,
        policy=router.policy,
        acknowledged={"m1x"},
        replies=replies,
        followed={each.sequence: each.event.id for each in recorded},
        ends=[0, len(recorded)],
        recorded=recorded,
        timelines={str(it): timeline},
        position=len(recorded),
        live_digest="a",
        rebuilt_digest="a",
        balance=COUNTS,
        proved=COUNTS,
    )


async def test_a_good_day_violates_nothing() -> None:
    """Every check passes what is as it must be."""
    assert violations(await a_good_day()) == []


@pytest.mark.parametrize("invariant", CHECKS)
async def test_every_check_finds_its_damage(invariant: str) -> None:
    """Each invariant has a damaged observation, and is what the checker names then."""
    damaged = controls(await a_good_day())[invariant]
    assert any(found.startswith(f"{invariant}: ") for found in violations(damaged))
