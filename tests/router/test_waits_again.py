"""Whoever had an agent waits again: her wait has limits as the first one had, and belongs to a queue."""

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec.structs import replace as msgspec_replace

from shared import events, policy, timers
from tests.router.given import Given, Outcome
from tests.router.samples import LINES_TEXT, POLICY_TEXT, call, mail, message

LINES = policy.parse(LINES_TEXT)
MEASURED = policy.parse(POLICY_TEXT.replace(b"service_levels: []", b""))
WAIT, EXPIRY = timers.WAIT_EXCEEDED.name, timers.TRANSFER_EXPIRY.name
COLD = {"kind": "cold", "brief": "please"}


def of_piotr(*heard: events.InboundEvent, by: policy.Policy = LINES) -> Given:
    """What Piotr has taken; Ewa and Marek are there too."""
    given = Given(policy=by).on_duty("piotr")
    for each in heard or (call("started"),):
        given = given.reports(each)
    return given.offered().accepted().passes(60)


def started(outcome: Outcome) -> events.ContactWaitStartedOpen:
    found: events.ContactWaitStartedOpen = outcome.of(events.ContactWaitStarted)
    return found


def test_a_call_that_is_handed_on_cold_waits_from_now_on() -> None:
    """Its first limit is 46 seconds ahead, whatever it had waited before; the timer is armed by that."""
    given = of_piotr()
    outcome = given.when("piotr", "transfer", to={"queue": "warehouse"}, **COLD)
    wait = started(outcome)
    assert (wait.queue, wait.since) == ("warehouse", given.now)
    assert wait.exceeds == given.now + timedelta(seconds=46)
    armed = [each for event in outcome.events for each in timers.asked_by(event)]
    assert (WAIT, wait.contact_id) in [(each.kind, each.id) for each in armed]


def test_each_limit_that_passes_is_recorded_once_until_somebody_has_it() -> None:
    """As of any wait; whoever accepts ends it."""
    given = of_piotr().does("piotr", "transfer", to={"queue": "warehouse"}, **COLD)
    contact = given.conversation.contacts.latest
    assert contact is not None
    late = given.passes(46)
    passed = late.fires(WAIT, contact.contact_id)
    assert passed.types == ["contact.wait_exceeded"]
    assert late.after(passed).fires(WAIT, contact.contact_id).events == []
    taken = given.on_duty("marek").offered()
    taken = taken.does("marek", "accept_transfer", transfer_id=taken.transfer.transfer_id)
    assert taken.passes(60).fires(WAIT, contact.contact_id).events == []


def test_a_wait_that_goes_on_begins_no_second_time() -> None:
    """The transfer's time is over and the matter stays where it is: she has waited all the while."""
    given = of_piotr().does("piotr", "transfer", to={"queue": "warehouse"}, **COLD)
    expired = given.passes(120).fires(EXPIRY, given.transfer.transfer_id)
    assert expired.types == ["transfer.expired"]


def test_whose_agent_went_home_waits_again() -> None:
    """The owner signs out during a call: it returns to its queue with a limit."""
    given = of_piotr().does("piotr", "set_status", status="signed_out")
    outcome = given.returns()
    assert outcome.types[-1] == "contact.wait_started"
    assert started(outcome).queue == "hotline"
    assert given.after(outcome).returns().events == []


@pytest.mark.parametrize(("answered", "waits"), [(False, True), (True, False)])
def test_in_a_chat_she_waits_for_an_answer(answered: bool, waits: bool) -> None:
    """Whoever has read the answer may have gone: nobody waits then."""
    page = events.Handle(kind="account", value="chat:page", proof="claimed")
    given = of_piotr(message("where is it?", handles=[page]))
    if answered:
        given = given.does("piotr", "send_message", channel="chat", text="On its way.")
    outcome = given.does("piotr", "set_status", status="signed_out").returns()
    assert ("contact.wait_started" in outcome.types) is waits


def test_who_calls_while_her_mail_waits_has_a_limit_of_her_own() -> None:
    """The matter stands in its queue already, so she is not queued; she is on the line all the same."""
    wrote = message("where?", channel="email", handles=[mail()])
    given = Given(policy=LINES).reports(wrote).passes(600)
    called = given.reports(call("started", handles=[mail()]))
    wait = called.conversation.live_wait
    assert wait is not None
    assert (wait.since, wait.exceeds) == (given.now, given.now + timedelta(seconds=46))


def test_what_decides_nothing_begins_no_wait() -> None:
    """An old timer that is asked once more writes nothing that its first answer wrote already."""
    given = of_piotr().does("piotr", "transfer", to={"queue": "warehouse"}, **COLD)
    stale = replace(given.loaded, conversation=msgspec_replace(given.conversation, live_wait=None))
    assert replace(given, loaded=stale).fires(timers.OFFER_EXPIRY.name, "o1").events == []


def test_who_writes_on_in_a_chat_that_nobody_has_waits_from_then_on() -> None:
    """She was answered before it came back to its queue, and asks something more: not at whatever happens next."""
    page = events.Handle(kind="account", value="chat:page", proof="claimed")
    given = of_piotr(message("where is it?", handles=[page]))
    given = given.does("piotr", "send_message", channel="chat", text="On its way.")
    given = given.does("piotr", "set_status", status="signed_out")
    given = given.after(given.returns()).passes(600)
    wait = started(given.hears(message("and when?", k=1, handles=[page], at=given.now)))
    assert (wait.queue, wait.since) == ("hotline", given.now)


def test_a_mail_has_no_limit_of_this_kind() -> None:
    """It has the targets of an answer."""
    given = of_piotr(message("where?", channel="email", handles=[mail()]))
    outcome = given.does("piotr", "set_status", status="signed_out").returns()
    assert "contact.wait_started" not in outcome.types


def test_in_a_warm_transfer_she_is_with_its_sender() -> None:
    """Who holds the line is nobody's queue; she is looked after by whoever put her there."""
    given = of_piotr()
    outcome = given.when(
        "piotr", "transfer", to={"queue": "warehouse"}, kind="warm", brief="please"
    )
    assert outcome.types == ["context.packaged", "transfer.requested"]


def test_the_next_answer_has_a_service_level() -> None:
    """A caller who was with an agent, and is with nobody now, wants the next one within the policy's time."""
    given = of_piotr(by=MEASURED)
    assert given.conversation.levels.response is None
    outcome = given.when("piotr", "transfer", to={"queue": "warehouse"}, **COLD)
    begun = outcome.of(events.SlaStarted)
    assert (begun.target, begun.queue, begun.since) == ("next_response", "warehouse", given.now)
    after = given.after(outcome).on_duty("marek").offered()
    key = after.transfer.transfer_id
    assert "sla.met" in after.when("marek", "accept_transfer", transfer_id=key).types


def test_what_nobody_took_in_time_belongs_where_it_lies() -> None:
    """A cold transfer leaves the matter in the target's queue, also when its time is over; its supervisor is asked."""
    given = of_piotr().does("piotr", "transfer", to={"queue": "warehouse"}, **COLD)
    assert given.belongs_to() == "hotline"
    after = given.passes(120)
    after = after.after(after.fires(EXPIRY, given.transfer.transfer_id))
    assert after.conversation.ownership.queue == "warehouse"
    assert after.belongs_to() == "warehouse"


def test_what_came_back_from_a_warm_transfer_belongs_where_it_did() -> None:
    """Nobody there ever had it."""
    given = of_piotr().does("piotr", "transfer", to={"queue": "warehouse"}, kind="warm", brief="?")
    after = given.passes(120)
    after = after.after(after.fires(EXPIRY, given.transfer.transfer_id))
    assert (after.conversation.ownership.owner, after.belongs_to()) == ("piotr", "hotline")
