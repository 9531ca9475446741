"""Who writes, and how well it is proved: handles, a registered customer, a packet as it stands."""

from typing import Any

from services.router.domain import folds
from shared.conversation import Conversation
from shared.customer import Customer
from shared.events import (
    CustomerCreated,
)
from shared.events.packet import Packet
from shared.packet import package
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import mail

OLEK = "olek@customer.example"


CLAIMED = [mail(proof="claimed")]


PROVED = [mail(proof="proved")]


async def registered(router: InMemoryRouter, name: str, **values: Any) -> str:
    """A shop registers a customer with verified handles; return her id."""
    orders = values.pop("orders", [])
    handles = [{"kind": kind, "value": value, "verified": True} for kind, value in values.items()]
    await router.does(
        "service:shop", "register_customer", name=name, handles=handles, orders=orders
    )
    return str((await router.last(CustomerCreated)).customer)


async def packet_of(router: InMemoryRouter, conversation: Conversation) -> Packet:
    """Return the packet of a conversation as it stands."""
    customer: Customer = await router.load(folds.CUSTOMER, conversation.customer or "")
    return package(conversation, customer, packet_id="p", policy_version="v")  # type: ignore[arg-type]
