"""A matter that goes to and fro while the customer waits for an answer is sent round no more."""

from tests.router.given import Given
from tests.router.samples import message


def of_piotr() -> Given:
    given = Given().on_duty("piotr").reports(message("hello")).offered().accepted()
    return given.on_duty("ewa", "marek")


def goes(given: Given, *path: str, kind: str = "warm") -> Given:
    """Its owner hands it to each in turn, who takes it; a queue's agent does."""
    for to in path:
        owner = given.conversation.ownership.owner or ""
        target = {"queue": to} if to == "warehouse" else {"agent": to}
        given = given.does(owner, "transfer", to=target, kind=kind, brief="yours?").offered()
        taken_by, transfer_id = given.offer.agent, given.transfer.transfer_id
        given = given.does(taken_by, "accept_transfer", transfer_id=transfer_id)
    return given


def refused(given: Given, **to: str) -> str | None:
    owner = given.conversation.ownership.owner or ""
    return given.when(owner, "transfer", to=to, kind="cold", brief="yours?").refused


def test_nobody_gets_it_for_the_third_time_without_an_answer() -> None:
    """Piotr had it, and has it again after Ewa; a third time he is not asked. Somebody else is."""
    given = goes(of_piotr(), "ewa", "piotr", "ewa")
    assert refused(given, agent="piotr") == "transfer.loop"
    assert refused(given, agent="marek") is None
    assert refused(goes(of_piotr(), "ewa"), agent="piotr") is None


def test_a_queue_that_had_it_twice_is_not_asked_again() -> None:
    """However often its agents were named; the refusal names the way that it went."""
    given = goes(of_piotr(), "warehouse", "piotr", "warehouse", "ewa")
    to = {"queue": "warehouse"}
    outcome = given.when("ewa", "transfer", to=to, kind="cold", brief="yours?")
    assert outcome.refused == "transfer.loop"
    path = "agent-piotr > queue-warehouse > agent-piotr > queue-warehouse > agent-ewa"
    assert outcome.details == {"path": path}


def test_an_answer_begins_anew() -> None:
    """She was written to: what was asked before is answered, and what comes then is something else."""
    given = goes(of_piotr(), "ewa", "piotr", "ewa").passes(1)
    given = given.does("ewa", "wrap_up", disposition="solved", summary="told her")
    assert refused(given, agent="piotr") is None


def test_what_was_not_accepted_was_not_there() -> None:
    """A colleague who refuses three times never had it."""
    given = of_piotr()
    for _ in range(3):
        given = given.does("piotr", "transfer", to={"agent": "ewa"}, kind="warm", brief="yours?")
        given = given.offered()
        transfer_id = given.transfer.transfer_id
        given = given.does("ewa", "reject_transfer", transfer_id=transfer_id).passes(31)
    assert refused(given, agent="ewa") is None


def test_a_supervisor_may_still_give_it_to_her() -> None:
    """She decides, and says why."""
    given = goes(of_piotr(), "ewa", "piotr", "ewa")
    after = given.does("piotr", "assign", to="piotr", reason="I end this")
    assert after.conversation.ownership.owner == "piotr"
