"""Which ledger this is, on `ledger-identity`."""

from shared.events.envelope import Event, Nothing, Part


class LedgerFoundedOpen(Part, frozen=True, kw_only=True):
    """`after`: the last sequence that stood before it; 0 in a new ledger, more in one that an older version made."""

    after: int


class LedgerFounded(
    Event[LedgerFoundedOpen, Nothing], frozen=True, kw_only=True, tag="ledger.founded"
):
    """The ledger has an identity from now on: the id of this event."""


class LedgerAdoptedOpen(Part, frozen=True, kw_only=True):
    """`position`: the last sequence that stood before it; `against`: who contradicted, as `<witness>:<reason>`, and
    `backup:restored` where the ledger was put back from a backup."""

    position: int
    against: list[str]


class LedgerAdoptedPersonal(Part, frozen=True, kw_only=True):
    """`reason`: in the operator's words."""

    reason: str


class LedgerAdopted(
    Event[LedgerAdoptedOpen, LedgerAdoptedPersonal], frozen=True, kw_only=True, tag="ledger.adopted"
):
    """An operator accepts the ledger as it stands, although something beside it remembers another one."""


LedgerEvent = LedgerFounded | LedgerAdopted
