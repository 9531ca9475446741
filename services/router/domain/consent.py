"""Whether a customer may be written to on a channel: she says so herself, and it is hers, whatever the matter."""

from msgspec.structs import replace

from services.router.domain.decision import Decision
from services.router.domain.identify import learn, speaks
from shared import aggregates, events
from shared.customer import Customer

ConsentEvent = events.ConsentGiven | events.ConsentWithdrawn


def note_consent(decision: Decision, event: ConsentEvent) -> bool:
    """Decide that it is known of her; return whether anybody is known by whom it came.

    Nobody withdraws in vain: who was not known is known from now on, by what was written to.
    """
    customer = decision.loaded.whose.id or decision.customer.id or _introduced(decision, event)
    if customer is None:
        return False
    mine = replace(
        event,
        aggregate=aggregates.CUSTOMER.of(customer),
        recorded=decision.origin.recorded,
        conversation=decision.conversation.id,
        customer=customer,
    )
    decision.take(mine)
    return True


def _introduced(decision: Decision, event: ConsentEvent) -> events.CustomerId | None:
    """Return who withdraws, known provisionally from now on; `None` if nothing says who, or several share it."""
    heard = [each for each in decision.loaded.handles if speaks(decision.policy, each.handle)]
    free = [each for each in heard if not each.identity.holders]
    if isinstance(event, events.ConsentGiven) or not free:
        return None
    customer = events.CustomerId(decision.origin.id("customer"))
    decision.emit(
        events.CustomerCreated,
        aggregates.CUSTOMER.of(customer),
        events.CustomerCreatedOpen(provisional=True),
        events.CustomerCreatedPersonal(name=event.personal.name if event.personal else None),
        customer=customer,
    )
    for each in free:
        learn(decision, each, customer, event.open.contact_id)
    return customer


def keep_consent(decision: Decision, before: Customer, whose: Customer) -> None:
    """What she withdrew while she was known as somebody else holds, unless she said otherwise since."""
    assert whose.id is not None
    for channel, consent in before.consents.items():
        known = whose.consents.get(channel)
        if consent.given or (known is not None and known.at >= consent.at):
            continue
        decision.emit(
            events.ConsentWithdrawn,
            aggregates.CUSTOMER.of(whose.id),
            consent.open,
            events.ContactPersonal(),
            customer=whose.id,
        )
