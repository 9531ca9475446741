"""Automatic rules: on an event, under a condition, in the rule's name, and never on what a rule did."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from shared import errors, events, policy
from shared.policy.automatic import AutomaticRule
from tests.router.given import POLICY, Given
from tests.router.samples import POLICY_TEXT, call, message


def with_rules(*rules: dict[str, Any]) -> Given:
    """Given a policy with these rules."""
    read = msgspec.convert(list(rules), tuple[AutomaticRule, ...])
    return Given(policy=replace(POLICY, rules=read))


def rule(name: str = "r", event: str = "message.received", **more: Any) -> dict[str, Any]:
    return {"name": name, "event": event, "do": {"label": ["found"]}, **more}


def labels(given: Given) -> Sequence[str]:
    return given.conversation.handling.labels


def test_an_act_is_in_the_same_decision_and_names_its_rule_and_version() -> None:
    """Who is told and what is labelled stands behind the event that the rule is on."""
    told = rule("chats", do={"label": ["found"], "notify": "queue-warehouse"})
    given = with_rules(told).reports(message("hello"))
    assert labels(given) == ("found",)
    owned = with_rules(rule("taken", "contact.accepted", do={"notify": "agent-ewa"}))
    owned = owned.on_duty("piotr").reports(message("hello")).offered()
    outcome = owned.when("piotr", "accept_offer", offer_id=owned.offer.offer_id)
    [accepted, wanted] = outcome.events
    attention = outcome.of(events.AttentionRequested)
    assert (attention.to, attention.about, attention.rule) == ("agent-ewa", accepted.id, "taken")
    assert (accepted.actor, wanted.actor) == ("agent:piotr", "rule:taken@v")


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({}, True),
        ({"channel": "chat"}, True),
        ({"channel": ["mail", "chat"], "attachments": 0}, True),
        ({"channel": "mail"}, False),
        ({"channel": "chat", "attachments": 1}, False),
        ({"attachments": False}, False),
        ({"queue": "hotline"}, True),
        ({"queue": "vault"}, False),
        ({"fact.colour": "red"}, True),
        ({"fact.colour": ["green", "blue"]}, False),
        ({"fact.order_number": "red"}, False),
        ({"label": "found"}, False),
    ],
)
def test_a_rule_acts_where_all_that_it_wants_is_so(when: dict[str, Any], holds: bool) -> None:
    """Fields of the event, where the conversation is, its labels, and the facts that were told by then."""
    given = with_rules(rule(when=when)).reports(message("The red one"))
    assert labels(given) == (("found",) if holds else ())


def test_a_rule_never_answers_a_rule() -> None:
    """Neither in one decision nor in the next: each acts on what was decided before the first of them."""
    first = rule("first", do={"label": ["one"]})
    second = rule("second", "conversation.labelled", do={"label": ["two"], "notify": "queue-vault"})
    third = rule("third", "attention.requested", do={"label": ["three"]})
    given = with_rules(first, second, third).on_duty("piotr").reports(message("hello"))
    assert labels(given) == ("one",)
    by_hand = given.when("piotr", "label", add=["mine"])
    assert by_hand.types == [
        "conversation.labelled",
        "conversation.labelled",
        "attention.requested",
    ]
    assert labels(given.after(by_hand)) == ("one", "mine", "two")


def test_what_a_rule_wants_and_is_so_already_is_not_done_again() -> None:
    """The label is there; a seventeenth finds no room, and nothing fails."""
    many = [f"l{n}" for n in range(16)]
    given = with_rules(rule(do={"label": many}), rule("more", do={"label": ["more"]}))
    given = given.reports(message("hello"))
    assert labels(given) == tuple(many)
    assert labels(given.reports(message("again", k=1))) == tuple(many)


def test_a_rule_acts_once_in_a_decision() -> None:
    """A message that tells three facts is one thing to be told of; what comes later is another."""
    given = with_rules(rule(event="fact.stated", do={"notify": "queue-vault"}))
    outcome = given.hears(message("ORD-12345, the red one, not the blue"))
    assert outcome.types.count("fact.stated") == 3
    first = next(each for each in outcome.events if each.type == "fact.stated")
    assert outcome.of(events.AttentionRequested).about == first.id
    again = given.after(outcome).hears(message("ORD-54321", k=1))
    assert again.types.count("attention.requested") == 1


def test_a_customer_is_told_once_in_a_conversation() -> None:
    """In her language or the first, by the account that she wrote to; and it answers nothing."""
    told = rule("thanks", do={"message": {"pl": "Dziękujemy.", "en": "Thank you."}})
    given = with_rules(told).reports(message("hello", channel="email"))
    [message_id] = given.conversation.talk.automatic
    again = given.reports(message("hello?", channel="email", k=1))
    assert list(again.conversation.talk.automatic) == [message_id]
    assert again.conversation.talk.unanswered == 2


def test_a_condition_that_nothing_meets_costs_no_event() -> None:
    """A timer, an offer and a command decide what they decide without rules."""
    given, bare = with_rules(rule(when={"channel": "mail"})), Given()
    for each in (given, bare):
        ringing = each.on_duty("piotr").reports(call("started"))
        assert ringing.dispatches().types == [
            "context.packaged",
            "contact.offered",
            "agent.reserved",
        ]


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ("[{name: a, event: nothing.happened, do: {}}]", "no event of a conversation is"),
        ("[{name: a, event: agent.signed_in, do: {}}]", "no event of a conversation is"),
        (
            "[{name: a, event: call.started, do: {}}, {name: a, event: call.ended, do: {}}]",
            "two have",
        ),
        (
            "[{name: a, event: call.started, when: {colour: red}, do: {}}]",
            "when: colour is nothing",
        ),
        ("[{name: a, event: call.started, do: {notify: queue-attic}}]", "nobody is queue-attic"),
        ("[{name: a, event: call.started, do: {label: [b]}}]", "no label b"),
        ("[{name: a, event: call.started, do: {queue: attic}}]", "no queue attic"),
        ("[{name: a, event: call.started, do: {message: {pl: b}}}]", "message: it answers"),
        (
            "[{name: a, event: form.submitted, do: {message: {pl: b}, by: email/x}}]",
            "email/x is no",
        ),
    ],
)
def test_a_rule_that_could_never_act_is_refused_with_the_policy(rules: str, complaint: str) -> None:
    """Whoever writes the policy is told, not the customer who waits for it."""
    text = POLICY_TEXT + f"labels: [vip]\nrules: {rules}\n".encode()
    with pytest.raises(errors.PolicyInvalid, match=complaint):
        policy.parse(text)


def test_a_rule_sends_what_waits_to_another_queue_and_ahead() -> None:
    """It waits since it came; once it stands so nothing more is decided, and of two rules the furthest place counts."""
    moved = rule("broken", do={"queue": "warehouse", "priority_seconds": 60})
    given = with_rules(moved, rule("urgent", do={"priority_seconds": 300}))
    outcome = given.hears(message("broken!"))
    queued = [each for each in outcome.events if isinstance(each, events.ContactQueued)]
    assert [each.open.rule for each in queued] == ["entry.account", "rule.broken", "rule.urgent"]
    ownership = given.after(outcome).conversation.ownership
    assert (ownership.queue, ownership.waiting_since) == ("warehouse", queued[0].recorded)
    assert ownership.needs.priority == {"rule": 300}
    assert "contact.queued" not in given.after(outcome).hears(message("hello?", k=1)).types


def test_where_it_waits_says_what_is_asked_for() -> None:
    """Not the queue that it has left: nobody here may be able to do that."""
    queues = dict(POLICY.queues)
    queues["hotline"] = replace(queues["hotline"], skills={"lamps": 3}, priority_seconds=50)
    queues["warehouse"] = replace(queues["warehouse"], skills={"stock": 1}, priority_seconds=7)
    ruled = with_rules(rule("broken", do={"queue": "warehouse"})).policy
    given = Given(policy=replace(ruled, queues=queues))
    needs = given.reports(message("broken!")).conversation.ownership.needs
    assert (needs.skills, needs.priority) == ({"stock": 1}, {"queue": 7})


def test_a_rule_takes_nothing_from_who_has_it() -> None:
    """Once somebody has it, it goes where people send it; who is asked to take it may still do so."""
    given = with_rules(rule("later", do={"queue": "warehouse"}, when={"attachments": 0}))
    waits = given.on_duty("piotr").reports(call("started")).offered()
    asked = waits.reports(message("hello", k=1))
    assert asked.conversation.ownership.queue == "warehouse"
    owned = asked.accepted()
    assert owned.conversation.ownership.owner == "piotr"
    assert "contact.queued" not in owned.hears(message("hello?", k=2)).types


def test_what_people_sent_to_a_queue_stays_there() -> None:
    """Nobody has it after a transfer that nobody took, and yet it waits for its first agent no more."""
    given = with_rules(rule("later", do={"queue": "warehouse", "priority_seconds": 60}))
    owned = given.on_duty("piotr").reports(call("started")).offered().accepted()
    sent = owned.does("piotr", "transfer", to={"queue": "vault"}, kind="cold", brief="keys")
    over = sent.passes(120).after(
        sent.passes(120).fires("transfer_expiry", sent.transfer.transfer_id)
    )
    assert over.conversation.ownership.queue == "vault"
    assert "contact.queued" not in over.hears(message("hello?", k=1)).types


def test_what_is_pressed_leaves_her_as_far_ahead() -> None:
    """The skill of a digit is asked for beside the place that a rule gave her."""
    ahead = rule("calls", "call.started", do={"priority_seconds": 300})
    accounts = dict(POLICY.accounts)
    name = next(key for key, each in accounts.items() if "1" in each.menu)
    digit = replace(accounts[name].menu["1"], skills={"orders": 2})
    accounts[name] = replace(accounts[name], menu={**accounts[name].menu, "1": digit})
    given = Given(policy=replace(with_rules(ahead).policy, accounts=accounts))
    needs = (
        given.reports(call("started"))
        .reports(call("menu", digits="1"))
        .conversation.ownership.needs
    )
    assert (needs.skills, needs.priority) == ({"orders": 2}, {"rule": 300})


@pytest.mark.parametrize("event", ["contact.abandoned", "call.menu_selected", "contact.queued"])
def test_a_lost_call_is_not_made_to_wait_anew(event: str) -> None:
    """Nobody is on the line: neither a digit that is told late nor a rule seeks somebody for her who would be."""
    given = with_rules(rule(event=event, do={"queue": "warehouse"}))
    lost = given.reports(call("ended", handles=[])).reports(call("menu", digits="2", handles=[]))
    assert lost.conversation.contacts.last is not None
    assert lost.conversation.contacts.last.status == "lost"
