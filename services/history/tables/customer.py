"""Table `customer`: each person as she is known, and her fold without the commands that it remembers."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from services.history.tables.row import Key, ReplacedRow
from services.history.tables.table import Fold, Reading
from shared import aggregates, errors, handles, queries
from shared import customer as customers
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.ledger import Recorded

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Customer)


class CustomerRow(ReplacedRow, frozen=True, kw_only=True):
    """`provisional`: nothing but a handle is known; `state`: the fold."""

    table = "customer"
    key = ("tenant", "id")
    tenant: str
    id: str
    sequence: int
    provisional: bool
    language: str | None
    state: bytes


def evolve(customer: Customer, recorded: Recorded) -> Customer:
    """Return the fold, as it is kept, after an event."""
    return replace(customers.evolve(customer, recorded.sequence, recorded.event), seen={})


def write(key: Key, customer: Customer) -> CustomerRow:
    """Return the row of a customer."""
    tenant, name = key
    return CustomerRow(
        tenant=tenant,
        id=name,
        sequence=customer.sequence,
        provisional=customer.provisional,
        language=customer.language,
        state=_encoder.encode(customer),
    )


def read(state: bytes) -> Customer:
    """Return the fold in a row's `state`."""
    return _decoder.decode(state)


FOLD = Fold(
    row=CustomerRow,
    kind=aggregates.CUSTOMER,
    empty=UNKNOWN_CUSTOMER,
    evolve=evolve,
    write=write,
    read=read,
)


def handle_sha256(value: str) -> bytes:
    """Return what stands for a handle in table `handle`."""
    return hashlib.sha256(value.encode()).digest()


# -- answers ------------------------------------------------------------------------------------------


async def known_customer(reading: Reading, name: str | None) -> Mapping[str, Any]:
    """Return the row of a customer. Raises: CustomerUnknown."""
    row = await reading.first("customer", name)
    if row is None:
        raise errors.CustomerUnknown(customer=name)
    return row


async def customer(reading: Reading, asked: queries.AskCustomer) -> queries.CustomerAnswer:
    """Answer one person and her matters. Raises: CustomerUnknown, HandleInvalid."""
    name, shared_with = asked.customer, list[str]()
    if asked.handle is not None:
        kind = asked.handle.kind
        value = handles.normal(kind, asked.handle.value, reading.policy.region)
        held = await reading.rows("customers_of_handle", kind, handle_sha256(value))
        name = held[0]["customer"] if held else None
        shared_with = [each["customer"] for each in held[1:] if each["proof"] != "claimed"]
    known = read((await known_customer(reading, name))["state"])
    view = queries.CustomerView(
        id=str(name),
        provisional=known.provisional,
        name=known.name,
        salutation=known.salutation,
        language=known.language,
        handles=list(known.handles),
        orders=list(known.orders.values())[-reading.rows_max :],
    )
    page = await reading.page(
        queries.ConversationLine, "conversations_of_customer", name, asked=asked
    )
    return queries.CustomerAnswer(
        position=await reading.position(),
        count=page.count,
        next=page.next,
        customer=view,
        shared_with=shared_with,
        conversations=page.lines[::-1],
    )
