"""The checker of the faults: a good day passes it, every kind of damage is found, and so is what each fault may do."""

from datetime import timedelta

import pytest

from deploy.story.providers.mail_sink import Mail
from shared import mail_reference
from shared.events import (
    MessageDelivered,
    MessageRead,
    MessageRequested,
    MessageSent,
    OutcomeEvent,
)
from shared.message_reference import MessageReference
from tests.faults.checking import CHECKS, blind, controls, violations
from tests.faults.damage import Control
from tests.faults.injecting import FAULTS, Fault
from tests.faults.observed import Done, Observed, Recovery
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import NOON, mail, message, outcome

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
EVERY_FAULT = pytest.mark.parametrize("fault", FAULTS, ids=[each.name for each in FAULTS])


async def a_good_day(*told: type[OutcomeEvent]) -> Observed:
    """Return what is seen of one customer, who is answered, and of nothing else. `told`: of the answer, in order."""
    router = InMemoryRouter()
    it = await router.owned_by("piotr", message("m1x where is it?", handles=[mail()]))
    replies = [{"events": [{"id": e.id, "sequence": e.sequence} for e in router.done.events]}]
    await router.does("piotr", "send_message", conversation=it, channel="email", text="here")
    asked = await router.last(MessageRequested)
    for kind in told or (MessageSent,):
        await router.happens(outcome(asked, kind))
    await router.does("piotr", "wrap_up", conversation=it, disposition="solved", summary="done")
    await router.does("piotr", "resolve", conversation=it)
    recorded = await router.recorded()
    shown = ("conv-", "cust-", "notif-")
    timeline = [
        each.sequence
        for each in recorded
        if each.event.conversation == it and each.aggregate.startswith(shown)
    ]
    reference = MessageReference(asked.open.message_id, it)
    answer = Mail((), "", "", mail_reference.write(reference, "shop.example"))
    return Observed(
        seed=1,
        policy=router.policy,
        acknowledged={"m1x": NOON},
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
        mails=[answer],
    )


async def a_day_with(fault: Fault) -> Observed:
    """Return a good day on which a fault was done before all else."""
    observed = await a_good_day()
    began = NOON - timedelta(seconds=1)
    observed.done.append(Done(fault.name, began, fault.proof.says, bitten=True))
    observed.recoveries.append(Recovery(f"{fault.name}: decided", 1.0, fault.bound_seconds))
    return observed


async def test_a_good_day_violates_nothing() -> None:
    """Every check passes what is as it must be."""
    assert violations(await a_good_day()) == []


@pytest.mark.parametrize("invariant", CHECKS)
async def test_every_check_finds_its_damage(invariant: str) -> None:
    """Each invariant has a damaged observation, and is what the checker names then."""
    damaged = controls(await a_good_day())[invariant]
    assert any(found.startswith(f"{invariant}: ") for found in violations(damaged))


@EVERY_FAULT
async def test_what_a_fault_may_do_is_refused_and_names_the_fault(fault: Fault) -> None:
    """Each fault has a control: what it would have done to a system that does not stand it."""
    observed = await a_day_with(fault)
    assert violations(observed) == []
    damaged = fault.control.damage(observed, observed.done[0])
    found = [each for each in violations(damaged) if each.startswith(f"{fault.control.breaks}: ")]
    assert any(fault.name in each for each in found), found
    assert blind(observed, {fault.name: fault.control}) == []


@EVERY_FAULT
async def test_a_fault_that_was_not_seen_fails_the_run(fault: Fault) -> None:
    """What silently does nothing proves nothing."""
    observed = await a_day_with(fault)
    observed.done.append(Done(fault.name, NOON, "never seen", bitten=False))
    assert violations(observed) == [f"bitten: '{fault.name}': never seen"]


async def test_a_control_that_does_no_damage_is_told() -> None:
    """A checker that refuses nothing is blind, and the run fails."""
    fault = FAULTS[0]
    harmless = Control("I1", lambda observed, _: observed)
    observed = await a_day_with(fault)
    assert blind(observed, {fault.name: harmless}) == [f"I1 after '{fault.name}'"]


def test_the_faults_have_names_of_their_own() -> None:
    """A violation and a control name a fault by its name; none contains another's."""
    names = [each.name for each in FAULTS]
    assert [name for name in names for other in names if name in other] == names


@pytest.mark.parametrize(("later", "missed"), [(-1, 0), (1, 1)])
async def test_what_is_asked_for_after_the_rest_may_be_under_way(later: int, missed: int) -> None:
    """A message without an end is missed where there was time for one."""
    day = await a_good_day()
    asked = next(e.event for e in day.readable() if isinstance(e.event, MessageRequested))
    day.recorded = [e for e in day.recorded if not isinstance(e.event, MessageSent)]
    day.rested = asked.recorded + timedelta(seconds=later)
    assert len([each for each in violations(day) if "has no end" in each]) == missed


@pytest.mark.parametrize("first", [MessageDelivered, MessageRead])
async def test_a_provider_may_be_faster_than_our_word_that_it_was_sent(
    first: type[OutcomeEvent],
) -> None:
    """What says more is an end, too; our own word is no news after it, and the mail has to be there all the same."""
    day = await a_good_day(first, MessageSent)
    assert not [each for each in day.readable() if isinstance(each.event, MessageSent)]
    assert violations(day) == []
    day.mails = []
    assert [each for each in violations(day) if "did not arrive" in each]
