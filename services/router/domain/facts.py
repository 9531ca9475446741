"""What the customer told: stated once, noticed when she has to say it again."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from services.router.domain.decision import Decision
from services.router.domain.identify import claim, is_known
from services.router.domain.identity import REFERENCED_MAX
from services.router.domain.references import OWN_WORDS
from shared import commands, errors, events, handles, patterns
from shared.conversation import Contact, Conversation, StatedFact
from shared.customer import Customer
from shared.packet import FACTS_PER_MESSAGE, check_text
from shared.policy import Policy

TEXT_SEARCHED_CHARACTERS = 16_384
"""Patterns look at the beginning of a text only; nobody states a parcel number on the sixth page."""


def state_fact(
    decision: Decision,
    name: str,
    value: str,
    *,
    origin: events.FactOrigin,
    contact_id: events.ContactId | None,
) -> None:
    """Decide that the customer told something.

    Told before and a hand-over in between: `fact.repeated`. Told before to the same ear: nothing.
    """
    contact = _contact(decision.conversation, contact_id)
    channel = contact.channel if contact else None
    known = _known(decision, name, value)
    if known is not None:
        _tell_again(decision, known, channel, contact.contact_id if contact else None)
        return
    decision.on_conversation(
        events.FactStated,
        events.FactStatedOpen(
            fact_id=events.FactId(decision.new_id("fact", name, value)),
            name=name,
            origin=origin,
            channel=channel,
            contact_id=contact.contact_id if contact else None,
            told_to=decision.conversation.ownership.owner,
        ),
        events.FactValue(value=value),
    )
    _claim_number(decision, name, value)


def _claim_number(decision: Decision, name: str, value: str) -> None:
    """The number of an order or parcel leads to this conversation from now on; nobody known crowds nobody out."""
    conversation, wanted = decision.conversation, number_handle(name, value).value
    for each in decision.loaded.numbers:
        led = each.identity.conversations
        crowded = len(led) >= REFERENCED_MAX and not is_known(decision.customer)
        if each.handle.value == wanted and conversation.id not in led and not crowded:
            assert conversation.customer is not None
            claim(decision, each, conversation.customer, conversation.id)


def number_handle(name: str, value: str) -> events.Handle:
    """Return what stands for the number of an order or parcel among the references."""
    if name in OWN_WORDS:
        return handles.own_reference("fact", f"{name}={normal_value(value)}")
    return handles.own_reference(name, normal_value(value))


def names_matter(policy: Policy, name: str) -> bool:
    """Tell whether a fact of this name leads to the matter that it belongs to."""
    return any(pattern.joins and pattern.fact == name for pattern in policy.patterns)


def holds(conversation: Conversation, named: Sequence[tuple[str, str]]) -> bool:
    """Tell whether one of these was told in the conversation."""
    facts = conversation.matter.facts.values()
    return any(
        fact.name == name and same_value(fact.value, value)
        for name, value in named
        for fact in facts
    )


def right_to(customer: Customer, named: Sequence[tuple[str, str]]) -> int:
    """Return how good a customer's right to a number is: 2 for an order that the shop says is hers, 1 for what somebody
    told who is known, 0 for what nobody known told."""
    ordered = any(same_value(order, value) for order in customer.orders for _, value in named)
    return 2 if ordered else int(is_known(customer))


def record_fact(decision: Decision, command: commands.RecordFact) -> None:
    """An agent writes down what the customer told. Raises: TextTooLong, TextHasNul."""
    value = check_text(command.value)
    state_fact(decision, command.fact, value, origin="agent", contact_id=command.contact_id)


def correct_fact(decision: Decision, command: commands.CorrectFact) -> None:
    """Decide a fact's new value. Raises: FactUnknown, TextTooLong, TextHasNul."""
    conversation, fact_id, value = decision.conversation, command.fact_id, command.value
    fact = conversation.matter.facts.get(fact_id)
    if fact is None:
        raise errors.FactUnknown(fact_id=fact_id)
    if fact.value == check_text(value):
        return
    contact = _contact(conversation, command.contact_id)
    decision.on_conversation(
        events.FactCorrected,
        events.FactCorrectedOpen(
            fact_id=fact_id,
            name=fact.name,
            channel=contact.channel if contact else None,
            contact_id=contact.contact_id if contact else None,
        ),
        events.FactValue(value=value),
    )


def _contact(conversation: Conversation, contact_id: events.ContactId | None) -> Contact | None:
    """Return the contact on which the customer stated the facts: the named contact, else where she was heard last."""
    contacts = conversation.contacts
    return contacts.by_id.get(contact_id) if contact_id else contacts.latest


def facts_in(policy: Policy, text: str) -> list[tuple[str, str]]:
    """Return the (name, value) pairs that a text states by the policy's patterns, each once, in order of patterns."""
    found = dict.fromkeys(_matches(policy, text[:TEXT_SEARCHED_CHARACTERS]))
    return list(found)[:FACTS_PER_MESSAGE]


def same_value(one: str, other: str) -> bool:
    """Tell whether two values are the same fact: letter case and blanks do not make a difference."""
    return normal_value(one) == normal_value(other)


def normal_value(value: str) -> str:
    """Return a fact's value as it is compared."""
    return "".join(value.split()).casefold()


def told_already(policy: Policy, conversation: Conversation, text: str) -> list[str]:
    """Return the names of the facts that an agent's text asks for and the customer told already, in reading order."""
    told = {fact.name for fact in conversation.matter.facts.values()}
    asked = (
        each.fact
        for each in policy.patterns
        if each.asks is not None
        and each.fact in told
        and patterns.is_in(each.asks, text[:TEXT_SEARCHED_CHARACTERS], re.IGNORECASE)
    )
    return list(dict.fromkeys(asked))


def _compared(policy: Policy, name: str, value: str) -> str:
    """Return a value as the policy's pattern of this fact compares it; of nothing but what is left out, all of it."""
    text = normal_value(value)
    form = next((each.compare for each in policy.patterns if each.fact == name), "text")
    kept = _KEPT[form]
    return "".join(filter(kept, text)) or text


_KEPT: Mapping[str, Callable[[str], bool]] = {
    "text": lambda _: True,
    "characters": str.isalnum,
    "digits": str.isdigit,
}


def _matches(policy: Policy, text: str) -> Iterator[tuple[str, str]]:
    for pattern in policy.patterns:
        for match in patterns.found_in(pattern.pattern, text):
            found = match[1] if match.groups() else None
            yield pattern.fact, match[0] if found is None else found


def _known(decision: Decision, name: str, value: str) -> StatedFact | None:
    facts, wanted = (
        decision.conversation.matter.facts.values(),
        _compared(decision.policy, name, value),
    )
    alike = (each for each in facts if each.name == name)
    return next(
        (each for each in alike if _compared(decision.policy, name, each.value) == wanted), None
    )


def _tell_again(
    decision: Decision, fact: StatedFact, channel: str | None, contact_id: events.ContactId | None
) -> None:
    hops = decision.conversation.ownership.handovers - fact.told_at_handover
    if hops == 0:
        return
    decision.on_conversation(
        events.FactRepeated,
        events.FactRepeatedOpen(
            fact_id=fact.fact_id,
            name=fact.name,
            channel=channel,
            contact_id=contact_id,
            told_to=decision.conversation.ownership.owner,
            hops_since=hops,
        ),
    )
