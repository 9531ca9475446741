"""What a contact states: by its menu, its form and its text."""

from collections.abc import Sequence

from services.router.domain.decision import Told
from services.router.domain.facts import facts_in, names_matter
from shared import events
from shared.conversation.talk import words
from shared.packet import FACTS_PER_MESSAGE, fit_text
from shared.policy import Policy


def told(policy: Policy, event: events.InboundEvent) -> list[Told]:
    """Return what the menu, the form and the text of a contact say, as (origin, name, value), each once.

    At most FACTS_PER_MESSAGE, in this order. What a machine wrote tells nothing.
    """
    if event.open.automatic:
        return []
    stated = [
        *_chosen_facts(policy, event),
        *(("text", name, value) for name, value in facts_in(policy, text_of(event))),
    ]
    found: dict[tuple[str, str], events.FactOrigin] = {}
    for origin, name, said in stated:
        value = fit_text(said.strip())
        if value:
            found.setdefault((name, value), origin)
    first = list(found.items())[:FACTS_PER_MESSAGE]
    return [(origin, name, value) for (name, value), origin in first]


def numbers_in(policy: Policy, told_now: Sequence[Told]) -> list[tuple[str, str]]:
    """Return the (fact, value) pairs by which a contact names a matter, of what it tells."""
    return [(name, value) for _, name, value in told_now if names_matter(policy, name)]


def text_of(event: events.InboundEvent) -> str:
    """Return what the customer wrote; empty when she did not write."""
    match event:
        case events.MessageReceived() | events.MessageEdited():
            return words(event)
        case events.CallVoicemailLeft(personal=personal) if personal is not None:
            return personal.text
        case events.FormSubmitted(personal=personal) if personal is not None:
            return "\n".join([personal.text, *(value for _, value in personal.fields)])
        case _:
            return ""


def _chosen_facts(
    policy: Policy, event: events.InboundEvent
) -> list[tuple[events.FactOrigin, str, str]]:
    """Return what the account's rules make of a digit or of form fields, as (origin, name, value)."""
    account = policy.account(event.open.channel, event.open.account)
    if account is None:
        return []
    match event:
        case events.CallMenuSelected():
            digits = event.open.digits
            rule = account.menu.get(digits)
            return [] if rule is None else [("menu", rule.fact, rule.value or digits)]
        case events.FormSubmitted(personal=personal) if personal is not None:
            rules = account.fields
            return [
                ("form", rules[name].fact, value)
                for name, value in personal.fields
                if name in rules
            ]
        case _:
            return []
