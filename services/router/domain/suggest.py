"""Who else may be meant: what only hints at a customer is shown to the agent, and identifies nobody."""

from services.router.domain.decision import Decision
from shared import events


def suggest(decision: Decision, event: events.InboundEvent) -> None:
    """Decide who may be meant by the contact, each once in a conversation."""
    for hint in decision.loaded.hints:
        conversation, customer = decision.conversation, hint.customer.id
        if customer is None or customer == conversation.customer:
            continue
        if customer in conversation.people.possible:
            continue
        decision.on_conversation(
            events.CustomerSuggested,
            events.CustomerSuggestedOpen(
                customer=customer,
                contact_id=event.open.contact_id,
                reason=hint.reason,
                kind=hint.kind,
            ),
            events.CustomerSuggestedPersonal(name=hint.customer.name, value=hint.value),
        )
