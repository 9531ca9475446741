"""Automatic rules: what was decided leads to further acts, in the same decision, each in its rule's name.

A rule never answers a rule: what is matched was decided before the first of them acted, and what they decide is matched
by nobody (docs/adr/0092).
"""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from services.router.domain.automatic_answers import answer_automatically
from services.router.domain.decision import Decision
from services.router.domain.labels import add_labels
from services.router.domain.needs import wait_by_rule
from shared import aggregates, events, ids
from shared.policy.automatic import AutomaticRule


def act_by_rules(decision: Decision) -> None:
    """Let the rules of the policy act on what this decision has come to, in the policy's order, each of them once.

    A message that tells four facts is one thing that happened: who is told of facts is told of it once.
    """
    rules = decision.policy.rules
    if not rules or decision.conversation.id is None:
        return
    here, acted = aggregates.CONVERSATION.of(decision.conversation.id), set[str]()
    for event in [each for each in decision.events if each.aggregate == here]:
        if event.imported or event.id in decision.conversation.satisfaction.answers:
            continue
        for rule in rules:
            if rule.event != event.type or rule.name in acted:
                continue
            if _holds(decision, event, rule):
                acted.add(rule.name)
                _act(decision, event, rule)


def _holds(decision: Decision, event: events.AnyEvent, rule: AutomaticRule) -> bool:
    return all(
        _is_one_of(_said(decision, event, key), wanted if isinstance(wanted, tuple) else (wanted,))
        for key, wanted in rule.when.items()
    )


def _is_one_of(said: Iterable[Any], wanted: tuple[Any, ...]) -> bool:
    """Tell whether a value is among those wanted. A number is no truth value."""
    return any(each == one and type(each) is type(one) for each in said for one in wanted)


def _said(decision: Decision, event: events.AnyEvent, key: str) -> Iterable[Any]:
    """Return what an event and its conversation say of a key of `when`: one value, several, or none."""
    conversation, (kind, _, name) = decision.conversation, key.partition(".")
    if kind == "fact" and name:
        return [each.value for each in conversation.matter.facts.values() if each.name == name]
    if hasattr(event.open, key):
        value = getattr(event.open, key)
        return value if isinstance(value, list | tuple) else (value,)
    if key == "label":
        return conversation.handling.labels
    ownership = conversation.ownership
    return (ownership.queue or ownership.first_queue,)


def _act(decision: Decision, event: events.AnyEvent, rule: AutomaticRule) -> None:
    """Do what a rule says. The actor of these events alone is the rule, with the policy's version."""
    before, do = decision.origin, rule.do
    decision.origin = replace(before, actor=f"rule:{rule.name}@{before.policy_version}")
    add_labels(decision, do.label)
    if do.queue is not None or do.priority_seconds:
        wait_by_rule(decision, rule.name, do.queue, do.priority_seconds)
    if do.notify is not None:
        decision.on_conversation(
            events.AttentionRequested,
            events.AttentionRequestedOpen(
                to=do.notify,
                about=event.id,
                rule=rule.name,
                policy_version=before.policy_version,
            ),
        )
    if do.answer is not None and isinstance(event, events.MessageReceived | events.FormSubmitted):
        _answer(decision, event, rule)
    decision.origin = before


def _answer(
    decision: Decision, event: events.MessageReceived | events.FormSubmitted, rule: AutomaticRule
) -> None:
    """Tell the customer, once in a conversation; a machine is told nothing."""
    conversation, answer = decision.conversation, rule.do.answer
    said = ids.scoped_id("rule", decision.origin.tenant, conversation.id or "", rule.name)
    message_id = events.MessageId(said)
    if answer is None or event.open.automatic or message_id in conversation.talk.automatic:
        return
    answer_automatically(decision, event, answer, message_id)
