"""What as-of answers is compared with all that LEDGER held then: not more, not less, nothing otherwise."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from deploy.story.checks.as_of_checks import must_be_as_it_was
from deploy.story.checks.expected_packet import told_by
from deploy.story.errors import StepFailed
from deploy.story.session import AgentView
from tests.stories.written import Ledger

LONG = "a" * 5_000

THEN: dict[str, Any] = {
    "around": {"visit": None, "announcements": []},
    "facts": [{"fact_id": "f1", "name": "locker", "value": "KRA01M"}],
    "open": {"promises": [{"promise_id": "p2", "text": "soon"}]},
    "path": {"hops": [{"sender": "piotr", "kind": "warm", "brief": "please", "accepted": "12:00"}]},
    "said": [
        {"by": "customer", "text": LONG[:4_096], "cut": len(LONG) - 4_096},
        {"by": "agent-piotr", "text": "I ask", "cut": 0},
    ],
    "more": {"facts": 0, "promises": 0, "hops": 0, "said": 0},
}


def told() -> tuple[Ledger, AgentView]:
    """A ledger in which everything goes on after the acceptance, and the acceptance."""
    ledger = Ledger()
    ledger.tell("f1", "locker", "KRA01M")
    ledger.add("message.received", {"text": LONG + " quoted", "reply_text": LONG})
    ledger.add("message.requested", {"text": "I ask"}, agent="piotr")
    ledger.add("promise.made", {"text": "at once"}, promise_id="p1")
    ledger.add("promise.made", {"text": "soon"}, promise_id="p2")
    ledger.add("promise.kept", promise_id="p1")
    ledger.add(
        "transfer.requested", {"brief": "please"}, transfer_id="t1", sender="piotr", kind="warm"
    )
    ledger.add("transfer.accepted", transfer_id="t1", agent="ewa")
    seen = AgentView("ewa", "c1", ledger.copy.entries[-1].sequence, "digest", None)
    ledger.add("fact.corrected", {"value": "KRA02M"}, fact_id="f1", name="locker")
    ledger.tell("f2", "colour", "red")
    ledger.add("promise.made", {"text": "later"}, promise_id="p3")
    ledger.add(
        "transfer.requested", {"brief": "later"}, transfer_id="t2", sender="ewa", kind="cold"
    )
    ledger.add("form.submitted", {"text": "later"})
    return ledger, seen


def code_of(change: Callable[[dict[str, Any]], object]) -> str | None:
    """The failure for a packet that differs from what was so, `None` for none."""
    ledger, seen = told()
    packet = copy.deepcopy(THEN)
    change(packet)
    try:
        must_be_as_it_was(ledger.copy, seen, packet)
    except StepFailed as failed:
        return failed.code
    return None


def test_what_was_so_is_shown() -> None:
    """Facts, open promises, hops with their acceptance and messages, cut or whole."""
    assert code_of(lambda _packet: None) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda packet: packet["facts"].append({"fact_id": "f2", "name": "colour", "value": "red"}),
        lambda packet: packet["facts"][0].update(value="KRA02M"),
        lambda packet: packet["open"]["promises"].append({"promise_id": "p3", "text": "later"}),
        lambda packet: packet["open"]["promises"].append({"promise_id": "p1", "text": "at once"}),
        lambda packet: packet["path"]["hops"].append(
            {"sender": "ewa", "kind": "cold", "brief": "later", "accepted": None}
        ),
        lambda packet: packet["path"]["hops"][0].update(accepted=None),
        lambda packet: packet["said"].append({"by": "customer", "text": "later", "cut": 0}),
        lambda packet: packet["said"].append({"by": "agent-piotr", "text": "I ask", "cut": 0}),
    ],
    ids=["fact", "correction", "promise", "kept", "hop", "acceptance", "message", "said twice"],
)
def test_what_was_not_so_yet_is_noticed(change: Callable[[dict[str, Any]], object]) -> None:
    """Whatever came later, or is over already, must not be seen."""
    assert code_of(change) == "as_of.later_shows"


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ("facts", lambda packet: packet["facts"]),
        ("promises", lambda packet: packet["open"]["promises"]),
        ("hops", lambda packet: packet["path"]["hops"]),
        ("said", lambda packet: packet["said"]),
    ],
)
def test_what_is_left_out_must_be_counted(
    part: str, place: Callable[[dict[str, Any]], list[Any]]
) -> None:
    """A packet has limits: what it does not hold it counts in `more`."""

    def counted(packet: dict[str, Any]) -> None:
        del place(packet)[0]
        packet["more"][part] += 1

    assert code_of(lambda packet: place(packet).pop(0)) == "as_of.lacks"
    assert code_of(counted) is None


def test_a_promise_is_to_be_kept_where_its_conversation_goes_on() -> None:
    """It was made twice in LEDGER, and is open once: in the conversation that absorbed the other one."""
    ledger = Ledger()
    ledger.add("promise.made", {"text": "soon"}, promise_id="p1")
    ledger.add("conversation.absorbed", into="c2")
    ledger.add("conversation.merged", conversation="c2", merged="c1")
    ledger.add("promise.made", {"text": "soon"}, conversation="c2", promise_id="p1")
    end = ledger.copy.entries[-1].sequence
    assert told_by(ledger.copy, "c1", end)["promises"] == []
    assert told_by(ledger.copy, "c1", 1)["promises"] == [("p1", "soon")]
    assert told_by(ledger.copy, "c2", end)["promises"] == [("p1", "soon")]
