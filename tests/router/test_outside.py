"""Somebody outside is asked: who has the matter meanwhile, what came of it, and that it is not forgotten."""

from typing import Any

import pytest

from shared import events, policy, timers
from tests.router.given import Given
from tests.router.samples import LINES_TEXT, call, mail, message

WITH_CARRIER = policy.parse(LINES_TEXT)
CARRIER: dict[str, Any] = {"to": {"external": "carrier"}, "brief": "Where is parcel 7?"}
EXPIRY = timers.TRANSFER_EXPIRY.name


def of_piotr(*more: events.InboundEvent) -> Given:
    """A call that Piotr has; Ewa is there too."""
    given = Given(policy=WITH_CARRIER).on_duty("piotr").reports(call("started")).offered()
    given = given.accepted().on_duty("ewa")
    for each in more:
        given = given.reports(each)
    return given


def asked(kind: str = "warm") -> Given:
    """Piotr asks the carrier."""
    return of_piotr().does("piotr", "transfer", kind=kind, **CARRIER)


def completed(given: Given, outcome: str = "answered", **more: Any) -> Given:
    fields = {"transfer_id": given.transfer.transfer_id, "outcome": outcome, **more}
    return given.does("piotr", "complete_transfer", **fields)


@pytest.mark.parametrize("kind", ["warm", "cold"])
def test_she_who_asks_somebody_outside_has_the_matter_meanwhile(kind: str) -> None:
    """Nobody there can accept: owner and slot stay, number and packet are on record, nobody of ours is asked."""
    outcome = of_piotr().when("piotr", "transfer", kind=kind, **CARRIER)
    assert outcome.types == ["context.packaged", "transfer.requested"]
    opened = outcome.of(events.TransferRequested)
    assert opened.number == "+48221002003"
    assert (opened.expires - of_piotr().now).total_seconds() == 300
    given = of_piotr().after(outcome)
    assert (given.conversation.ownership.owner, given.busy()) == ("piotr", {"piotr"})
    assert given.conversation.waiting_contact is None
    assert given.dispatches().events == []
    packet = outcome.events[0]
    assert isinstance(packet, events.ContextPackaged)
    assert packet.personal is not None
    hop = packet.personal.packet.path.hops[-1]
    assert (hop.to, hop.brief, hop.outcome) == ("external-carrier", "Where is parcel 7?", "open")


@pytest.mark.parametrize("outcome", ["connected", "answered", "not_reached"])
def test_she_says_what_came_of_it_and_has_it_still(outcome: str) -> None:
    """The next packet shows who was asked, how that ended, and what they said; it is no forward."""
    given = completed(asked(), outcome, result="It comes tomorrow.")
    ownership = given.conversation.ownership
    assert (ownership.owner, ownership.transfer, given.busy()) == ("piotr", None, {"piotr"})
    assert (ownership.hops[-1].outcome, ownership.hops[-1].accepted) == (outcome, None)
    done = given.conversation.matter.done[-1]
    assert (done.what, done.by, done.text) == (outcome, "piotr", "It comes tomorrow.")
    again = given.when("piotr", "transfer", kind="warm", to={"agent": "ewa"}, brief="please")
    assert again.types == ["context.packaged", "transfer.requested"]


def test_what_came_of_it_is_said_once_by_its_sender() -> None:
    """Anybody else does not have it; there is nothing to say a second time, nor of a colleague of ours."""
    given = asked()
    fields = {"transfer_id": given.transfer.transfer_id, "outcome": "connected"}
    assert given.when("ewa", "complete_transfer", **fields).refused == "conversation.not_owned"
    after = given.does("piotr", "complete_transfer", **fields)
    assert after.when("piotr", "complete_transfer", **fields).refused == "transfer.not_open"
    inside = after.does("piotr", "transfer", kind="warm", to={"agent": "ewa"}, brief="please")
    of_ours = {**fields, "transfer_id": inside.transfer.transfer_id}
    assert inside.when("piotr", "complete_transfer", **of_ours).refused == "transfer.not_outside"


def test_nobody_of_ours_answers_for_them() -> None:
    """There is no offer that anybody could accept or refuse; a second one waits until the first has ended."""
    given = asked()
    key = {"transfer_id": given.transfer.transfer_id}
    for verb in ("accept_transfer", "reject_transfer"):
        assert given.when("ewa", verb, **key).refused == "offer.expired"
    again = given.when("piotr", "transfer", kind="warm", **CARRIER)
    assert again.refused == "transfer.already_open"


@pytest.mark.parametrize(
    "to", [{"external": "warehouse"}, {"external": "carrier", "queue": "warehouse"}, {}]
)
def test_only_whom_the_policy_lists_is_asked(to: dict[str, str]) -> None:
    """A queue is nobody outside, and a transfer goes to one place."""
    refused = of_piotr().when("piotr", "transfer", kind="warm", to=to, brief="please").refused
    assert refused == "transfer.target_unknown"


@pytest.mark.parametrize("kind", ["warm", "cold"])
def test_she_takes_it_back(kind: str) -> None:
    """She never let go: no slot is taken again."""
    given = asked(kind)
    outcome = given.when("piotr", "cancel_transfer", transfer_id=given.transfer.transfer_id)
    assert outcome.types == ["transfer.cancelled"]
    after = given.after(outcome)
    assert (after.conversation.ownership.owner, after.busy()) == ("piotr", {"piotr"})


@pytest.mark.parametrize(
    ("status", "back"), [("available", "agent-piotr"), ("away", "queue-hotline")]
)
def test_it_is_not_forgotten(status: str, back: str) -> None:
    """When its time is over it comes back to her, or to the queue while she makes a pause; not before, and once."""
    given = asked().does("piotr", "set_status", status=status)
    key = given.transfer.transfer_id
    assert given.passes(299).fires(EXPIRY, key).events == []
    outcome = given.passes(300).fires(EXPIRY, key)
    assert outcome.of(events.TransferExpired).returned_to == back
    after = given.after(outcome)
    assert after.busy() == ({"piotr"} if back == "agent-piotr" else set())
    assert after.passes(600).fires(EXPIRY, key).events == []


def test_who_has_gone_home_leaves_nothing_with_the_carrier() -> None:
    """Nobody would say what came of it: it waits in its queue at once, and others are asked to take it."""
    given = asked().does("piotr", "set_status", status="signed_out")
    outcome = given.returns()
    assert outcome.types == ["transfer.expired", "agent.released", "contact.wait_started"]
    after = given.after(outcome)
    assert (after.conversation.ownership.queue, after.busy()) == ("hotline", set())
    assert after.returns().events == []
    assert after.dispatches().of(events.ContactOffered).agent == "ewa"


def test_the_customer_calls_again_meanwhile() -> None:
    """The call rings at who has the matter, and what she asked outside goes on."""
    given = asked().reports(call("ended", k=1)).reports(call("started", "CA2", k=2))
    assert given.dispatches().of(events.ContactOffered).agent == "piotr"
    given = given.offered().accepted()
    assert given.conversation.ownership.transfer is not None
    after = completed(given, "connected")
    assert after.conversation.ownership.hops[-1].outcome == "connected"


def test_who_makes_a_pause_meanwhile_is_told_what_is_written() -> None:
    """She has the matter: a message does not wait for her in silence."""
    wrote = message("hello?", channel="email", handles=[mail()])
    given = of_piotr(wrote).does("piotr", "transfer", kind="warm", **CARRIER)
    given = given.does("piotr", "set_status", status="away")
    more = given.reports(message("hello?", channel="email", handles=[mail()], k=2))
    assert more.conversation.ownership.unattended_at is not None


def test_a_supervisor_may_give_it_to_somebody() -> None:
    """What was asked outside is over for the record: nobody who has it would say what came of it."""
    given = asked().does("piotr", "assign", to="ewa", reason="he is busy")
    ownership = given.conversation.ownership
    assert (ownership.owner, ownership.transfer) == ("ewa", None)
    assert ownership.hops[-2].outcome == "superseded"
    assert given.busy() == {"ewa"}
