"""Automatic rules: an event and a condition lead to acts, as data. Pure."""

import typing
from collections.abc import Collection, Container, Iterator
from functools import cache
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import fields

from shared import events
from shared.overload import AutomaticAnswer
from shared.policy.needs import PrioritySeconds
from shared.strict import Name, Strict
from shared.texts import Language, Text

RULES_MAX = 128
Label = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}\Z")]
Told = Annotated[str, Meta(pattern=r"^(queue|agent)-[a-z0-9_-]{1,32}\Z")]
Wanted = str | Annotated[int, Meta(ge=-(2**53), le=2**53)] | bool
ANSWERED = ("message.received", "form.submitted")
"""What a customer wrote, and may be answered by a rule."""
OF_A_CONVERSATION = (
    events.InboundEvent
    | events.ConversationEvent
    | events.HandlingEvent
    | events.WorkEvent
    | events.TransferEvent
    | events.MatterEvent
    | events.PromiseEvent
    | events.SlaEvent
    | events.FeedbackEvent
)


class Acts(Strict, frozen=True, kw_only=True):
    """What a rule does.

    `label`: labels that it gives; `queue`: where it waits from now on, if it waits for its first agent;
    `priority_seconds`: how far ahead of others it stands then, of several rules the furthest; `notify`: who is told,
    `queue-<name>` or `agent-<id>`; `message`: what the customer is told, once in a conversation, by language, the first
    one for whoever's language is not known; `by`: the account of e-mail that writes, where that which the message came
    to cannot.
    """

    label: Annotated[tuple[Label, ...], Meta(max_length=16)] = ()
    queue: Name | None = None
    priority_seconds: PrioritySeconds = 0
    notify: Told | None = None
    message: Annotated[dict[Language, Text], Meta(min_length=1, max_length=64)] | None = None
    by: str | None = None

    @property
    def answer(self) -> AutomaticAnswer | None:
        """What the customer is told; `None` when nothing."""
        return None if self.message is None else AutomaticAnswer(texts=self.message, by=self.by)


class AutomaticRule(Strict, frozen=True, kw_only=True):
    """One rule. `event`: its type; `when`: what its open part must say, by field: a value, or one of a list.

    Beside the fields of the event, `queue` is where the conversation is or came in, `label` a label of it, and
    `fact.<name>` the value of a fact that was stated. All must hold; without any the rule acts on each such event.
    """

    name: Name
    event: str
    when: Annotated[dict[str, Wanted | tuple[Wanted, ...]], Meta(max_length=16)] = {}
    do: Acts


AutomaticRules = Annotated[tuple[AutomaticRule, ...], Meta(max_length=RULES_MAX)]


@cache
def rule_types() -> dict[str, type[events.AnyEvent]]:
    """Return the types of events that a rule may be about, by name: those of a conversation."""
    known = events.event_types()
    about = frozenset(typing.get_args(OF_A_CONVERSATION))
    return {name: kind for name, kind in known.items() if kind in about}


def open_fields(kind: type[events.AnyEvent]) -> tuple[str, ...]:
    """Return the fields of the open part of a type of event."""
    data: Any = next(each.type for each in fields(kind) if each.name == "data")
    names: tuple[str, ...] = data.__args__[0].__struct_fields__
    return names


def complaints(
    rules: AutomaticRules,
    labels: Collection[str],
    recipients: Container[str],
    writers: Container[str],
) -> Iterator[str]:
    """Yield what is wrong with rules. `labels`: the policy's, any where it lists none; `recipients`: who may be told;
    `writers`: accounts of e-mail that can write.
    """
    names = [rule.name for rule in rules]
    for rule in rules:
        kind = rule_types().get(rule.event)
        if names.count(rule.name) > 1:
            yield f"rule {rule.name}: two have this name"
        if kind is None:
            yield f"rule {rule.name}: no event of a conversation is {rule.event}"
            continue
        known = {*open_fields(kind), "queue", "label"}
        for key in rule.when.keys() - known:
            if not key.startswith("fact."):
                yield f"rule {rule.name}: when: {key} is nothing that the event says"
        for complaint in _of_acts(rule, labels, recipients, writers):
            yield f"rule {rule.name}: {complaint}"


def _of_acts(
    rule: AutomaticRule,
    labels: Collection[str],
    recipients: Container[str],
    writers: Container[str],
) -> Iterator[str]:
    """Yield what a rule cannot do."""
    do = rule.do
    for label in sorted(set(do.label) - set(labels)) if labels else ():
        yield f"no label {label}"
    if do.queue is not None and f"queue-{do.queue}" not in recipients:
        yield f"no queue {do.queue}"
    if do.notify is not None and do.notify not in recipients:
        yield f"notify: nobody is {do.notify}"
    if do.message is not None and rule.event not in ANSWERED:
        yield f"message: it answers {' or '.join(ANSWERED)} only"
    if do.by is not None and do.by not in writers:
        yield f"by: {do.by} is no account of e-mail with an address"
