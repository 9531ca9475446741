"""Customers whom a shop registers, and agents who come and go."""

from __future__ import annotations

from collections.abc import Sequence

from services.router.domain.decision import Decision
from services.router.domain.identify import Looked, claim
from shared import subjects
from shared.commands import RegisterCustomer
from shared.errors import AgentSignedOut, IdentityTaken, TextHasNul
from shared.events import (
    AgentId,
    AgentSignedIn,
    AgentSignedInOpen,
    AgentStatus,
    AgentStatusSet,
    AgentStatusSetOpen,
    CustomerCreated,
    CustomerCreatedOpen,
    CustomerCreatedPersonal,
    CustomerId,
    OrderChanged,
    OrderChangedOpen,
    OrderChangedPersonal,
)


def register_customer(
    decision: Decision, customer: CustomerId, command: RegisterCustomer, looked: Sequence[Looked]
) -> None:
    """A shop says who its customer is, with her orders and handles.

    Whoever wrote or called before is known provisionally: she is that customer from now on, with all her matters.
    Raises: IdentityTaken when a handle belongs to another registered customer, or the handles to several; TextHasNul.
    """
    _refuse_nul(command)
    before = decision.customer
    taken = any(each.identity.customer not in (None, customer) for each in looked)
    if taken or (before.id is not None and not before.provisional):
        raise IdentityTaken()
    aggregate = subjects.customer(customer)
    decision.emit(
        CustomerCreated,
        aggregate,
        CustomerCreatedOpen(provisional=False, language=command.language),
        CustomerCreatedPersonal(
            name=command.name,
            salutation=command.salutation,
            handles=[
                (each.handle.kind, each.handle.value, each.handle.verified) for each in looked
            ],
        ),
        customer=customer,
    )
    for order in command.orders:
        decision.emit(
            OrderChanged,
            aggregate,
            OrderChangedOpen(status=order.status),
            OrderChangedPersonal(number=order.number, description=order.description),
            customer=customer,
        )
    for each in looked:
        claim(decision, each, customer, None)


def holder_of(looked: Sequence[Looked]) -> CustomerId | None:
    """Return the one customer to whom the handles lead; `None` when they lead to nobody, or to several."""
    holders = {each.identity.customer for each in looked} - {None}
    return holders.pop() if len(holders) == 1 else None


def _refuse_nul(command: RegisterCustomer) -> None:
    texts = [command.name, command.salutation or "", *(each.value for each in command.handles)]
    texts += [text for order in command.orders for text in (order.number, order.description or "")]
    if any("\0" in text for text in texts):
        raise TextHasNul()


def sign_in(decision: Decision, agent_id: AgentId) -> None:
    """The agent is at work and available; already so: decide nothing."""
    if decision.agent(agent_id).status != "available":
        decision.on_agent(AgentSignedIn, agent_id, AgentSignedInOpen(agent=agent_id))


def set_status(decision: Decision, agent_id: AgentId, status: AgentStatus) -> None:
    """The agent is available, away, or gone. Raises: AgentSignedOut before she signed in."""
    before = decision.agent(agent_id).status
    if before == status:
        return
    if before == "signed_out":
        raise AgentSignedOut(agent=agent_id)
    decision.on_agent(AgentStatusSet, agent_id, AgentStatusSetOpen(agent=agent_id, status=status))
