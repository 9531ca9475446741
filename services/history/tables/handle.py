"""Table `handle`: who is known by which telephone number or address."""

from collections.abc import Iterable

from services.history.tables import customer, row
from services.history.tables.table import Step, Table
from shared import proof as degrees
from shared.customer import Customer


class HandleRow(row.ReplacedRow, frozen=True, kw_only=True):
    """`value_sha256`: of the handle, so that one of any length can be looked up."""

    table = "handle"
    key = ("tenant", "customer", "kind", "value_sha256")
    tenant: str
    customer: str
    kind: str
    value_sha256: bytes
    sequence: int
    verified: bool
    proof: str


def rows(step: Step[Customer]) -> Iterable[HandleRow]:
    """Return the rows of a customer's handles, if an event changed one."""
    if step.after.handles is step.before.handles:
        return ()
    tenant, name = step.key
    return [
        HandleRow(
            tenant=tenant,
            customer=name,
            kind=handle.kind,
            value_sha256=customer.handle_sha256(handle.value),
            sequence=step.recorded.sequence,
            verified=handle.verified,
            proof=degrees.of(handle),
        )
        for handle in step.after.handles
    ]


TABLE = Table(HandleRow, rows, of=customer.FOLD)
