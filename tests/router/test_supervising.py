"""A supervisor takes a matter or gives it to somebody: who may, what ends with it, and who has it then.

Piotr supervises the hotline, as the policy says; nobody supervises the warehouse.
"""

import pytest

from shared import events
from tests.router.given import Given
from tests.router.samples import call, form, message

WHY = {"reason": "she knows this parcel"}


def of_ewa() -> Given:
    """A chat that Ewa has; the others are on duty too."""
    given = Given().on_duty("ewa").reports(message("hello")).offered().accepted()
    return given.on_duty("piotr", "marek")


def owner(given: Given) -> tuple[str | None, set[str]]:
    return given.conversation.ownership.owner, given.busy()


def test_a_supervisor_takes_what_somebody_else_has() -> None:
    """Ownership moves in one batch, with the packet, and whoever had it is free; the event names both and the right."""
    given = of_ewa()
    outcome = given.when("piotr", "take_over", **WHY)
    assert outcome.types == [
        "context.packaged",
        "conversation.assigned",
        "agent.released",
        "agent.reserved",
    ]
    assigned = outcome.of(events.ConversationAssigned)
    assert (assigned.owner, assigned.agent, assigned.by) == ("ewa", "piotr", "piotr")
    assert (assigned.supervises, assigned.rule) == ("hotline", "supervisor.take_over")
    assert assigned.packet_id == outcome.of(events.ContextPackaged).packet_id
    assert outcome.of(events.AgentReleased).reason == "reassigned"
    after = given.after(outcome)
    assert owner(after) == ("piotr", {"piotr"})
    assert after.when("piotr", "take_over", **WHY).types == ["command.noted"]


def test_the_packet_shows_who_gave_it_and_why() -> None:
    """The next one reads it as the last hop; out of a queue nobody had it before, so it counts as no forward."""
    outcome = of_ewa().when("piotr", "assign", to="marek", **WHY)
    assert (hop_of(outcome.events), forwards(outcome.events)) == (
        ("assigned", "piotr", "agent-marek", WHY["reason"]),
        1,
    )
    waiting = Given().on_duty("piotr", "marek").reports(message("hello"))
    outcome = waiting.when("piotr", "assign", to="marek", **WHY)
    assert forwards(outcome.events) == 0
    assert owner(waiting.after(outcome)) == ("marek", {"marek"})


def hop_of(decided: object) -> tuple[str, str, str, str]:
    hop = packet(decided).path.hops[-1]
    return hop.kind, hop.sender, hop.to, hop.brief


def forwards(decided: object) -> int:
    return packet(decided).path.forwards


def packet(decided: object) -> events.packet.Packet:
    (found,) = [each for each in decided if isinstance(each, events.ContextPackaged)]  # type: ignore[attr-defined]
    assert found.personal is not None
    return found.personal.packet


@pytest.mark.parametrize(
    ("verb", "fields"), [("take_over", {}), ("assign", {"to": "marek"}), ("assign", {"to": "ewa"})]
)
def test_nobody_else_takes_or_gives(verb: str, fields: dict[str, str]) -> None:
    """Only the supervisor of a queue of the matter may, not its owner, and not of another queue."""
    for agent in ("ewa", "marek"):
        outcome = of_ewa().when(agent, verb, **fields, **WHY)
        assert outcome.refused == "conversation.not_supervised"
    delivery = Given().on_duty("piotr", "marek").reports(form("where?", topic="delivery"))
    assert delivery.when("piotr", verb, **fields, **WHY).refused == "conversation.not_supervised"


def test_the_supervisor_of_where_it_came_in_may_although_it_went_on() -> None:
    """It waits at the warehouse, and came in at the hotline."""
    given = of_ewa().does("ewa", "transfer", to={"queue": "warehouse"}, kind="cold", brief="b")
    assert owner(given.does("piotr", "take_over", **WHY)) == ("piotr", {"piotr"})


def test_nobody_is_given_anything_who_is_not_there() -> None:
    """Signed out, in a pause, or not in the policy; nor does a supervisor take it who has signed out."""
    given = of_ewa()
    assert given.when("piotr", "assign", to="nobody", **WHY).refused == "agent.not_there"
    assert given.when("piotr", "assign", to="stranger", **WHY).refused == "agent.unknown"
    away = given.does("marek", "set_status", status="away")
    assert away.when("piotr", "assign", to="marek", **WHY).refused == "agent.not_there"
    gone = given.does("piotr", "set_status", status="signed_out")
    assert gone.when("piotr", "take_over", **WHY).refused == "agent.signed_out"


@pytest.mark.parametrize("kind", ["warm", "cold"])
def test_a_transfer_under_way_is_over(kind: str) -> None:
    """The colleague who was asked is free, can accept it no longer, and its timer finds nothing."""
    given = of_ewa().does("ewa", "transfer", to={"agent": "marek"}, kind=kind, brief="b").offered()
    transfer_id = given.transfer.transfer_id
    assert given.busy() == ({"ewa", "marek"} if kind == "warm" else {"marek"})
    after = given.does("piotr", "take_over", **WHY)
    assert owner(after) == ("piotr", {"piotr"})
    assert [hop.outcome for hop in after.conversation.ownership.hops] == ["superseded", "assigned"]
    refused = after.when("marek", "accept_transfer", transfer_id=transfer_id).refused
    assert refused == "transfer.not_open"
    assert after.passes(200).fires("transfer_expiry", transfer_id).events == []


def test_an_offer_is_over_and_whoever_was_asked_may_be_given_it() -> None:
    """Ewa is asked: her offer ends, and she keeps the slot that it took where it is given to her."""
    given = Given().on_duty("ewa").reports(message("hello")).offered().on_duty("piotr")
    offer_id = given.offer.offer_id
    taken = given.does("piotr", "take_over", **WHY)
    assert owner(taken) == ("piotr", {"piotr"})
    assert taken.when("ewa", "accept_offer", offer_id=offer_id).refused == "offer.expired"
    assert owner(given.does("piotr", "assign", to="ewa", **WHY)) == ("ewa", {"ewa"})


def test_a_transfer_may_be_ended_for_her_who_sent_it() -> None:
    """The supervisor decides that it stays with Ewa: the transfer is over, and she had it all the while."""
    given = of_ewa().does("ewa", "transfer", to={"agent": "marek"}, kind="warm", brief="b")
    after = given.offered().does("piotr", "assign", to="ewa", **WHY)
    assert owner(after) == ("ewa", {"ewa"})
    assert after.conversation.ownership.transfer is None


def test_a_call_rings_at_whom_it_is_given_to_and_is_hers_when_she_answers() -> None:
    """Only an acceptance takes a call; a supervisor who takes it over does accept it."""
    given = Given().on_duty("ewa").reports(call("started")).offered().accepted()
    given = given.on_duty("piotr", "marek")
    after = given.does("piotr", "assign", to="marek", **WHY)
    assert after.dispatches().of(events.ContactOffered).agent == "marek"
    assert owner(after.offered().accepted()) == ("marek", {"marek"})
    assert given.does("piotr", "take_over", **WHY).dispatches().events == []
