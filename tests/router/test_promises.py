"""A promise may get another time, and ends in one word: kept, withdrawn or broken."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace as replace_struct

from shared import events
from shared.packet import package
from tests.router.given import Given
from tests.router.samples import message
from tests.router.test_decide import owned, promised

DUE, DUE_SOON = "promise_due", "promise_due_soon"
HOUR = timedelta(hours=1)


def moved(given: Given, promise_id: str, seconds: float, agent: str = "piotr") -> Given:
    """The promise is due so many seconds from now."""
    due = given.now + timedelta(seconds=seconds)
    return given.does(
        agent, "renegotiate_promise", promise_id=promise_id, due=due, reason="a delay"
    )


def passed(given: Given, promise_id: str, seconds: float) -> Given:
    """So many seconds pass, and both timers of the promise fire."""
    given = given.passes(seconds)
    for kind in (DUE_SOON, DUE):
        given = given.after(given.fires(kind, promise_id))
    return given


def the_promise(given: Given) -> Any:
    (promise,) = given.conversation.matter.promises.values()
    return promise


# -- due soon ---------------------------------------------------------------------------------------


def test_whoever_holds_the_matter_is_reminded_once_before_the_time() -> None:
    """A quarter of an hour before; a timer that comes again, or of what is over, decides nothing."""
    given, promise_id = promised(3_600)
    assert the_promise(given).due_soon == given.now + timedelta(minutes=45)
    assert given.passes(2_699).fires(DUE_SOON, promise_id).events == []
    outcome = given.passes(2_700).fires(DUE_SOON, promise_id)
    reminded = outcome.of(events.PromiseDueSoon)
    assert (reminded.to, reminded.agent, reminded.moved) == ("agent-piotr", "piotr", 0)
    assert given.after(outcome).passes(2_701).fires(DUE_SOON, promise_id).events == []
    assert given.passes(3_600).fires(DUE_SOON, promise_id).events == []


def test_of_a_promise_that_is_no_longer_than_that_nobody_is_reminded() -> None:
    """She has just made it."""
    given, promise_id = promised(900)
    assert the_promise(given).due_soon is None
    assert given.passes(899).fires(DUE_SOON, promise_id).events == []
    assert promised(901)[0].conversation.matter.promises != {}
    assert the_promise(promised(901)[0]).due_soon is not None


# -- another time -----------------------------------------------------------------------------------


def test_another_time_is_asked_about_anew_and_the_old_one_stays_on_record() -> None:
    """The old time passes unheard; the new one reminds, and is over, once each."""
    given, promise_id = promised(3_600)
    before = the_promise(given).due
    outcome = given.when(
        "piotr", "renegotiate_promise", promise_id=promise_id, due=before + HOUR, reason="a delay"
    )
    another = outcome.of(events.PromiseRenegotiated)
    assert (another.before, another.due, another.late) == (before, before + HOUR, False)
    given = given.after(outcome)
    assert passed(given, promise_id, 3_600).conversation.matter.overdue == ()
    given = passed(given, promise_id, 6_300)
    assert the_promise(given).reminded is True
    given = passed(given, promise_id, 900)
    assert given.conversation.matter.overdue == (promise_id,)
    assert (the_promise(given).first_due, the_promise(given).moved) == (before, 1)


def test_a_promise_that_was_overdue_may_be_overdue_again() -> None:
    """The customer waits until the new time; that she waited in vain before stays so."""
    given, promise_id = promised(600)
    given = moved(passed(given, promise_id, 601), promise_id, 600)
    assert given.conversation.matter.overdue == ()
    given = passed(given, promise_id, 600)
    assert given.conversation.matter.overdue == (promise_id,)
    kept = given.does("piotr", "keep_promise", promise_id=promise_id)
    assert the_promise(kept).missed is True


def test_the_same_time_again_decides_nothing() -> None:
    """A repetition, or two who agreed the same."""
    given, promise_id = promised()
    given = moved(given, promise_id, 7_200)
    again = {"promise_id": promise_id, "due": the_promise(given).due, "reason": "a delay"}
    assert given.when("ewa", "renegotiate_promise", **again).types == ["command.noted"]


@pytest.mark.parametrize(("seconds", "whose"), [(3_600, "ewa"), (3_601, "piotr")])
def test_a_promise_is_whose_who_gave_its_time_unless_it_was_missed(
    seconds: float, whose: str
) -> None:
    """Nobody takes over what another one missed."""
    given, promise_id = promised()
    given = moved(given.passes(seconds), promise_id, 3_600, agent="ewa")
    assert the_promise(given).by == whose


@pytest.mark.parametrize("seconds", [0, -1, 3_661 * 86_400])
def test_another_time_is_one_to_come(seconds: float) -> None:
    """As the first one is."""
    given, promise_id = promised()
    due = given.now + timedelta(seconds=seconds)
    said = {"promise_id": promise_id, "due": due, "reason": "a delay"}
    assert given.when("piotr", "renegotiate_promise", **said).refused == "promise.due_invalid"


# -- the end ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "ends"), [(3_600, "promise.withdrawn"), (3_601, "promise.broken")]
)
def test_what_is_given_up_is_withdrawn_in_time_and_broken_after_it(
    seconds: float, ends: str
) -> None:
    """Once: to do it again decides nothing, and it can be neither kept nor given another time any more."""
    given, promise_id = promised()
    given = given.passes(seconds)
    gives_up = {"promise_id": promise_id, "reason": "she found it"}
    outcome = given.when("ewa", "withdraw_promise", **gives_up)
    assert outcome.types == [ends]
    given = given.after(outcome)
    assert (the_promise(given).end, given.conversation.matter.done[-1].what) == (
        ends.removeprefix("promise."),
        ends.replace(".", "_"),
    )
    assert given.when("ewa", "withdraw_promise", **gives_up).types == ["command.noted"]
    assert given.when("ewa", "keep_promise", promise_id=promise_id).refused == "promise.not_open"
    later = {**gives_up, "due": given.now + HOUR}
    assert given.when("ewa", "renegotiate_promise", **later).refused == "promise.not_open"
    assert passed(given, promise_id, 7_200).conversation.matter.overdue == ()


def test_what_was_missed_once_cannot_be_withdrawn() -> None:
    """Another time does not undo that she waited in vain; the queue's supervisor is told whose it was."""
    given, promise_id = promised()
    given = moved(given.passes(3_601), promise_id, 3_600, agent="ewa")
    gives_up = {"promise_id": promise_id, "reason": "nobody reaches her"}
    broken = given.when("ewa", "withdraw_promise", **gives_up).of(events.PromiseBroken)
    assert (broken.agent, broken.promiser, broken.to) == ("ewa", "piotr", "agent-piotr")


@pytest.mark.parametrize("verb", ["renegotiate_promise", "withdraw_promise"])
def test_what_is_kept_stays_kept(verb: str) -> None:
    """There is nothing to agree about any more."""
    given, promise_id = promised()
    given = given.does("piotr", "keep_promise", promise_id=promise_id)
    due = {"due": given.now + HOUR} if verb == "renegotiate_promise" else {}
    said = {"promise_id": promise_id, "reason": "a delay", **due}
    assert given.when("piotr", verb, **said).refused == "promise.not_open"
    assert given.when("piotr", verb, **{**said, "promise_id": "x"}).refused == "promise.not_open"


def test_a_thanks_does_not_clear_a_promise() -> None:
    """She is polite, and waits: the packet shows it, and it is overdue as if she had said nothing."""
    given, promise_id = promised()
    given = given.reports(message("Thank you, that is all!"))
    packet = package(
        given.conversation,
        given.loaded.customer,
        packet_id=events.PacketId("p"),
        policy_version="v",
    )
    assert [each.promise_id for each in packet.open.promises] == [promise_id]
    assert given.passes(3_600).fires(DUE, promise_id).types == ["promise.overdue"]


# -- who is told ------------------------------------------------------------------------------------


def test_a_promise_goes_where_the_work_goes() -> None:
    """Handed to a queue in which nobody is at work, it is that queue's, though its maker is there."""
    given, promise_id = promised()
    given = given.does("piotr", "transfer", to={"queue": "warehouse"}, kind="cold", brief="Look")
    transfer = given.transfer
    given = given.passes(121)
    given = given.after(given.fires("transfer_expiry", transfer.transfer_id))
    assert given.conversation.ownership.owner is None
    due = given.passes(3_600).fires(DUE, promise_id).of(events.PromiseOverdue)
    assert (due.agent, due.to) == ("piotr", "queue-warehouse")


def test_a_promise_without_a_supervisor_is_told_to_the_queue_when_it_is_broken() -> None:
    """Somebody sees it."""
    given = owned()
    conversation = given.conversation
    queued = {
        key: replace_struct(each, queue="warehouse")
        for key, each in conversation.contacts.by_id.items()
    }
    contacts = replace_struct(conversation.contacts, by_id=queued)
    there = replace_struct(conversation, contacts=contacts)
    given = replace(given, loaded=replace(given.loaded, conversation=there))
    given = given.does("piotr", "make_promise", text="We look.", due=given.now + HOUR)
    assert the_promise(given).queue == "warehouse"
    said = {"promise_id": the_promise(given).promise_id, "reason": "lost"}
    outcome = given.passes(3_601).when("piotr", "withdraw_promise", **said)
    assert outcome.of(events.PromiseBroken).to == "queue-warehouse"


def test_a_promise_of_old_is_still_due() -> None:
    """What was made before reminders were known has none, and its time passes as ever."""
    given, promise_id = promised()
    old = replace_struct(the_promise(given), due_soon=None, queue=None)
    matter = replace_struct(given.conversation.matter, promises={promise_id: old})
    there = replace_struct(given.conversation, matter=matter)
    given = replace(given, loaded=replace(given.loaded, conversation=there))
    assert given.passes(3_000).fires(DUE_SOON, promise_id).events == []
    assert given.passes(3_600).fires(DUE, promise_id).types == ["promise.overdue"]
