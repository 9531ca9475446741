"""What a queue cannot answer goes up: to whom, by when it is to be answered, and who is told.

After the hotline comes the warehouse, which has ten minutes, and after that the vault.
"""

import pytest

from shared import events, policy, timers
from shared.events import Handle
from tests.router.given import Given, Outcome
from tests.router.messaging import echoes
from tests.router.samples import ANNA_MAIL, LINES_TEXT, call, mail, message

LINES = policy.parse(LINES_TEXT)
DUE = timers.ESCALATION_DUE.name
WHY = {"brief": "what does the carrier owe her?"}


def of_piotr() -> Given:
    """A mail that Piotr has; Marek of the warehouse is on duty too."""
    wrote = message("who pays?", channel="email", handles=[mail()])
    return Given(policy=LINES).on_duty("piotr").reports(wrote).offered().accepted().on_duty("marek")


def escalated() -> tuple[Given, str]:
    """It went up to the warehouse, and Marek has it."""
    outcome = of_piotr().when("piotr", "escalate", **WHY)
    given = of_piotr().after(outcome).offered()
    taken = given.does("marek", "accept_transfer", transfer_id=given.transfer.transfer_id)
    return taken, outcome.of(events.ContactEscalated).escalation_id


def told(outcome: Outcome) -> list[tuple[str, str]]:
    """Return (to, text) of what the customer is told."""
    found = [each.personal for each in outcome.events if isinstance(each, events.MessageRequested)]
    return [(each.to, each.text) for each in found if each is not None]


def test_it_goes_to_the_next_line_with_the_packet_and_a_time() -> None:
    """She is told who answers and by when, where she wrote; the packet shows that, and the agent is free."""
    outcome = of_piotr().when("piotr", "escalate", **WHY)
    assert outcome.types == [
        "message.requested",
        "context.packaged",
        "transfer.requested",
        "agent.released",
        "contact.escalated",
    ]
    up = outcome.of(events.ContactEscalated)
    assert (up.from_queue, up.line, up.sender) == ("hotline", "warehouse", "piotr")
    assert (up.rule, up.message_id) == (
        "escalate.next_line",
        outcome.of(events.MessageRequested).message_id,
    )
    assert (up.due - of_piotr().now).total_seconds() == 600
    assert told(outcome) == [(ANNA_MAIL, "Warehouse odpowie do 12:10 UTC.")]
    after = of_piotr().after(outcome)
    assert (after.conversation.ownership.owner, after.busy()) == (None, set())
    assert after.dispatches().of(events.TransferOffered).agent == "marek"


def test_what_she_is_told_is_no_answer() -> None:
    """No person wrote it: she still waits, and the line's clock goes on."""
    after = of_piotr().does("piotr", "escalate", **WHY)
    assert after.conversation.talk.unanswered == 1
    escalation_id = after.conversation.escalation.id or ""
    assert after.passes(601).fires(DUE, escalation_id).types == ["escalation.overdue"]


def test_whoever_only_called_is_told_by_the_agent() -> None:
    """There is nowhere to write to: the matter goes up all the same."""
    given = Given(policy=LINES).on_duty("piotr").reports(call("started")).offered().accepted()
    outcome = given.when("piotr", "escalate", **WHY)
    assert told(outcome) == []
    assert outcome.of(events.ContactEscalated).message_id is None


def test_an_address_that_nobody_vouches_for_is_written_to_only_where_an_agent_did() -> None:
    """Otherwise others would get what she never asked for."""
    wrote = message("who pays?", channel="email", handles=[mail(proof="claimed")])
    given = Given(policy=LINES).on_duty("piotr").reports(wrote).offered().accepted()
    assert told(given.when("piotr", "escalate", **WHY)) == []
    answered = given.does("piotr", "send_message", channel="email", text="I ask.")
    assert [to for to, _ in told(answered.when("piotr", "escalate", **WHY))] == [ANNA_MAIL]


def test_the_page_at_which_she_chats_is_no_others() -> None:
    """Nobody else sits there, whoever she says she is."""
    page = Handle(kind="account", value="chat:page", proof="claimed")
    given = Given(policy=LINES).on_duty("piotr").reports(message("who pays?", handles=[page]))
    assert [to for to, _ in told(given.offered().accepted().when("piotr", "escalate", **WHY))] == [
        "chat:page"
    ]


def test_where_an_agent_went_on_with_her_she_is_told() -> None:
    """She left the chat for her mail: nobody reads what is written there."""
    page = Handle(kind="account", value="chat:page", proof="claimed")
    wrote = message("who pays?", handles=[page, mail()])
    given = Given(policy=LINES).on_duty("piotr").reports(wrote).offered().accepted()
    moved = given.does("piotr", "switch_channel", channel="email")
    assert [to for to, _ in told(moved.when("piotr", "escalate", **WHY))] == [ANNA_MAIL]


def test_a_later_line_may_be_named_and_no_other_queue() -> None:
    """The vault comes after the warehouse; the hotline comes after nothing, and nothing after the vault."""
    given = of_piotr()
    to_vault = given.when("piotr", "escalate", to="vault", **WHY)
    assert to_vault.of(events.ContactEscalated).line == "vault"
    assert given.when("piotr", "escalate", to="hotline", **WHY).refused == "escalation.no_line"
    assert given.when("marek", "escalate", **WHY).refused == "conversation.not_owned"
    taken, _ = escalated()
    up = taken.when("marek", "escalate", **WHY).of(events.ContactEscalated)
    assert (up.from_queue, up.line) == ("warehouse", "vault")


@pytest.mark.parametrize(("early", "overdue"), [(1, []), (0, ["escalation.overdue"])])
def test_who_took_it_and_did_not_answer_in_time_is_told(early: int, overdue: list[str]) -> None:
    """Once, and not before its time; nobody else's clock tells."""
    taken, escalation_id = escalated()
    late = taken.passes(600 - early)
    outcome = late.fires(DUE, escalation_id)
    assert outcome.types == overdue
    if overdue:
        assert outcome.of(events.EscalationOverdue).to == "agent-marek"
        assert late.after(outcome).fires(DUE, escalation_id).events == []
    assert taken.passes(601).fires(DUE, "another").events == []


def test_what_nobody_took_is_told_to_the_line() -> None:
    """The transfer's own time is over long before: it waits in the line's queue then, as the line's."""
    given = of_piotr().does("piotr", "escalate", **WHY).passes(121)
    transfer_id, escalation_id = given.transfer.transfer_id, given.conversation.escalation.id or ""
    waits = given.after(given.fires(timers.TRANSFER_EXPIRY.name, transfer_id))
    assert waits.conversation.ownership.queue == "warehouse"
    outcome = waits.passes(600).fires(DUE, escalation_id)
    assert outcome.of(events.EscalationOverdue).to == "queue-warehouse"


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("send_message", {"channel": "email", "text": "The carrier pays."}),
        ("wrap_up", {"disposition": "solved", "summary": "The carrier pays."}),
    ],
)
def test_an_answer_ends_the_lines_time(verb: str, fields: dict[str, str]) -> None:
    """She is answered: nobody is told."""
    taken, escalation_id = escalated()
    answered = taken.passes(1).does("marek", verb, **fields)
    assert answered.passes(600).fires(DUE, escalation_id).events == []


def test_an_answer_by_the_providers_own_program_is_one() -> None:
    """She has it, wherever the agent wrote it; what a program of theirs sent by itself is none."""
    taken, escalation_id = escalated()
    for automatic, told_late in ((False, []), (True, ["escalation.overdue"])):
        echo = echoes("The carrier pays.", name=f"echo-{automatic}", automatic=automatic)
        answered = taken.passes(1).reports(echo)
        assert answered.passes(600).fires(DUE, escalation_id).types == told_late


def test_the_wrap_up_of_whoever_could_not_answer_is_no_answer() -> None:
    """Piotr writes down how it went once he has let go: the line's clock goes on."""
    taken, escalation_id = escalated()
    wrapped = taken.passes(1).does("piotr", "wrap_up", disposition="forwarded", summary="asked")
    assert wrapped.passes(600).fires(DUE, escalation_id).types == ["escalation.overdue"]


def test_what_is_taken_back_is_nobodys_to_answer() -> None:
    """The sender knows the answer after all."""
    given = of_piotr().does("piotr", "escalate", **WHY)
    escalation_id = given.conversation.escalation.id or ""
    back = given.does("piotr", "cancel_transfer", transfer_id=given.transfer.transfer_id)
    assert back.passes(601).fires(DUE, escalation_id).events == []


# -- warm ----------------------------------------------------------------------------------------------


def on_hold() -> Given:
    """A call that Piotr has and asks the warehouse about, while the customer holds; Marek of it is there."""
    given = Given(policy=LINES).on_duty("piotr").reports(call("started")).offered().accepted()
    given = given.on_duty("marek").does("piotr", "escalate", kind="warm", **WHY)
    return given.reports(call("held", k=1))


def test_a_warm_one_leaves_her_with_its_sender_until_the_line_accepts() -> None:
    """Owner and slot stay, nothing is written to her, and the line has its time all the same."""
    given = Given(policy=LINES).on_duty("piotr").reports(call("started")).offered().accepted()
    outcome = given.when("piotr", "escalate", kind="warm", **WHY)
    assert outcome.types == ["context.packaged", "transfer.requested", "contact.escalated"]
    assert outcome.of(events.ContactEscalated).message_id is None
    asked = on_hold().offered()
    assert (asked.offer.agent, asked.conversation.ownership.owner) == ("marek", "piotr")
    taken = asked.does("marek", "accept_transfer", transfer_id=asked.transfer.transfer_id)
    assert (taken.conversation.ownership.owner, taken.busy()) == ("marek", {"marek"})
    talks = taken.reports(call("resumed", k=2)).passes(601)
    assert talks.fires(DUE, taken.conversation.escalation.id or "").events == []


def test_its_sender_who_talks_with_her_is_no_answer_of_the_line() -> None:
    """The line is told, not she who could not answer it and waits for it herself."""
    given = Given(policy=LINES).on_duty("piotr").reports(call("started")).offered().accepted()
    given = given.does("piotr", "escalate", kind="warm", **WHY).passes(601)
    outcome = given.fires(DUE, given.conversation.escalation.id or "")
    assert outcome.of(events.EscalationOverdue).to == "queue-warehouse"


def test_what_came_back_to_its_sender_is_with_the_line_no_more() -> None:
    """Nobody of the line took it in time: its clock ends with that, and the matter belongs where it did."""
    given = on_hold()
    escalation_id, key = given.conversation.escalation.id or "", given.transfer.transfer_id
    late = given.passes(121)
    back = late.after(late.fires(timers.TRANSFER_EXPIRY.name, key))
    assert back.conversation.ownership.owner == "piotr"
    assert back.belongs_to() == "hotline"
    assert back.passes(600).fires(DUE, escalation_id).events == []


def test_how_long_she_held_is_counted() -> None:
    """Over all her holds, also the one that her hanging up ends; a report that comes twice begins none anew."""
    given = on_hold().passes(20).reports(call("held", k=2)).passes(10).reports(call("resumed", k=3))
    (contact,) = given.conversation.contacts.by_id.values()
    assert (contact.held_seconds, contact.held_since) == (30, None)
    again = given.passes(5).reports(call("held", k=4)).passes(7).reports(call("ended", k=5))
    (contact,) = again.conversation.contacts.by_id.values()
    assert (contact.held_seconds, contact.on_hold) == (37, False)
