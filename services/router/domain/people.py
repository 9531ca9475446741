"""Customers whom a shop registers, and agents who come and go."""

from collections.abc import Sequence

from services.router.domain.decision import Decision, Origin, ResolvedHandle
from services.router.domain.identify import claim
from shared import aggregates, commands, errors, events, ids


def register_customer(decision: Decision, command: commands.RegisterCustomer) -> None:
    """A shop says who its customer is, with her orders and handles.

    Whoever wrote or called before is known provisionally: she is that customer from now on, with all her matters.
    Raises: IdentityTaken when a handle belongs to another registered customer, or the handles to several; TextHasNul.
    """
    _refuse_nul(command)
    before, handles = decision.customer, decision.loaded.handles
    customer = customer_of(decision.origin, handles)
    taken = any(each.identity.customer not in (None, customer) for each in handles)
    if taken or (before.id is not None and not before.provisional):
        raise errors.IdentityTaken()
    aggregate = aggregates.CUSTOMER.of(customer)
    decision.emit(
        events.CustomerCreated,
        aggregate,
        events.CustomerCreatedOpen(provisional=False, language=command.language),
        events.CustomerCreatedPersonal(
            name=command.name,
            salutation=command.salutation,
            handles=[
                (each.handle.kind, each.handle.value, each.handle.verified) for each in handles
            ],
        ),
        customer=customer,
    )
    for order in command.orders:
        decision.emit(
            events.OrderChanged,
            aggregate,
            events.OrderChangedOpen(status=order.status),
            events.OrderChangedPersonal(number=order.number, description=order.description),
            customer=customer,
        )
    for each in handles:
        claim(decision, each, customer, None)


def customer_of(origin: Origin, handles: Sequence[ResolvedHandle]) -> events.CustomerId:
    """Return the one customer behind the handles; a new customer when the handles lead to none or to several."""
    holders = {each.identity.customer for each in handles if each.identity.customer is not None}
    if len(holders) == 1:
        return holders.pop()
    return events.CustomerId(ids.scoped_id("customer", origin.tenant, origin.cause))


def _refuse_nul(command: commands.RegisterCustomer) -> None:
    texts = [command.name, command.salutation or "", *(each.value for each in command.handles)]
    texts += [text for order in command.orders for text in (order.number, order.description or "")]
    if any("\0" in text for text in texts):
        raise errors.TextHasNul()


def sign_in(decision: Decision, _: commands.SignIn) -> None:
    """The agent is at work and available; already so: decide nothing."""
    agent_id = decision.by
    if decision.agent(agent_id).status != "available":
        decision.on_agent(events.AgentSignedIn, agent_id, events.AgentSignedInOpen(agent=agent_id))


def set_status(decision: Decision, command: commands.SetStatus) -> None:
    """The agent is available, away, or gone. Raises: AgentSignedOut before she signed in."""
    agent_id, status = decision.by, command.status
    before = decision.agent(agent_id).status
    if before == status:
        return
    if before == "signed_out":
        raise errors.AgentSignedOut(agent=agent_id)
    decision.on_agent(
        events.AgentStatusSet, agent_id, events.AgentStatusSetOpen(agent=agent_id, status=status)
    )
