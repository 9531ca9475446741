"""Customers whom a shop registers, and agents who come and go."""

from collections.abc import Sequence

from services.router.domain.decision import Decision, Loaded, Origin, ResolvedHandle
from services.router.domain.identify import claim
from services.router.domain.uniting import unite
from shared import aggregates, commands, errors, events, ids, proof
from shared.customer import Customer


def register_customer(decision: Decision, command: commands.RegisterCustomer) -> None:
    """A shop says who its customer is, with her orders and handles.

    Whoever wrote or called before is known provisionally: she is that customer from now on, with all her matters, and
    so is whoever else was known by one of the handles that the shop has verified. A handle that another registered
    customer has as well is shared from now on, and leads to neither alone.
    Raises: IdentityTaken when she is registered already, by this name and with all these handles; TextHasNul.
    """
    _refuse_nul(command)
    handles = decision.loaded.handles
    customer = customer_of(decision.origin, decision.loaded)
    if any(_same_person(command, each, handles) for each in decision.loaded.holders.values()):
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
                (each.handle.kind, each.handle.value, proof.of(each.handle)) for each in handles
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
        _hold(decision, each, customer)
    if decision.loaded.united:
        unite(decision)


def _same_person(
    command: commands.RegisterCustomer, known: Customer, handles: Sequence[ResolvedHandle]
) -> bool:
    """Tell whether nothing distinguishes who registers from a registered customer: no name, no handle of her own."""
    if known.provisional or known.name != command.name:
        return False
    return all(known.id in each.identity.holders for each in handles)


def _hold(decision: Decision, handle: ResolvedHandle, customer: events.CustomerId) -> None:
    """The handle is hers; beside whoever else is registered with it."""
    known = decision.loaded.holders
    others = [
        each for each in handle.identity.holders if each != customer and not known[each].provisional
    ]
    if not others:
        claim(decision, handle, customer, None)
        return
    decision.emit(
        events.IdentityShared,
        aggregates.IDENTITY.of(handle.hash),
        events.IdentitySharedOpen(kind=handle.handle.kind, customers=[*others, customer]),
        customer=customer,
    )


def customer_of(origin: Origin, loaded: Loaded) -> events.CustomerId:
    """Return who registers: whoever this command registered before, or who wrote before, else somebody new."""
    holders = [loaded.holders[name] for each in loaded.handles for name in each.identity.holders]
    again = (each.id for each in holders if origin.cause in each.seen)
    before = (each.id for each in holders if each.provisional)
    found = next(again, None) or next(before, None)
    return found or events.CustomerId(ids.scoped_id("customer", origin.tenant, origin.cause))


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
