"""Defines the kinds of aggregate in the ledger: the prefix of an id, and the only service that writes the kind.

An aggregate is `<kind>-<id>` in words and two tokens, `<kind>.<id>`, in a subject: a server's permissions see whole
tokens only and must tell the writers apart. Who folds a kind binds it to its empty state and its `evolve`: `Folded`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared.events import AnyEvent


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of aggregate. `prefix`: its token in subjects; `writer`: the only service that appends to the kind.

    `journal`: each entry stands for itself, and whoever reads the aggregate passes over what is no event of ours there.
    """

    prefix: str
    writer: str
    journal: bool = False

    def of(self, name: str) -> str:
        """Return the aggregate of this kind with an id."""
        return f"{self.prefix}-{name}"


CONVERSATION = Kind("conv", "router")
CUSTOMER = Kind("cust", "router")
IDENTITY = Kind("ident", "router")
AGENT = Kind("agent", "router")
ACCOUNT = Kind("chan", "router", journal=True)
POLICY = Kind("policy", "router", journal=True)
WORK = Kind("work", "router", journal=True)
ENTRY = Kind("entry", "router", journal=True)
ANNOUNCED = Kind("announced", "router", journal=True)
LANE = Kind("lane", "router")
NOTIFICATION = Kind("notif", "notify")
LEDGER = Kind("ledger", "bootstrap", journal=True)

KINDS = {
    kind.prefix: kind
    for kind in (
        CONVERSATION,
        CUSTOMER,
        IDENTITY,
        AGENT,
        ACCOUNT,
        POLICY,
        WORK,
        ENTRY,
        ANNOUNCED,
        LANE,
        NOTIFICATION,
        LEDGER,
    )
}

LEDGER_IDENTITY = LEDGER.of("identity")
"""The one aggregate of its kind: which ledger this is."""

TENANT_POLICY = POLICY.of("tenant")
"""The one aggregate of its kind: which policy is in force."""


DESK = ANNOUNCED.of("desk")
"""The one aggregate of its kind: what everybody at the desk is to know."""


def split(aggregate: str) -> tuple[str, str]:
    """Return the prefix and the id of an aggregate; the id is empty for what is none."""
    prefix, _, name = aggregate.partition("-")
    return prefix, name


def is_journal(aggregate: str) -> bool:
    """Tell whether an aggregate is of a kind that is read over foreign entries."""
    kind = KINDS.get(split(aggregate)[0])
    return kind is not None and kind.journal


def account(channel: str, name: str) -> str:
    """Return the aggregate of a channel's account: what could not be read or decided of its deliveries stands there."""
    return ACCOUNT.of(f"{channel}-{name}")


class FoldedState(Protocol):
    """A folded state."""

    @property
    def sequence(self) -> int:
        """The ledger sequence of the last event folded in; 0 before the first."""
        ...


S = TypeVar("S", bound=FoldedState)


@dataclass(frozen=True, slots=True)
class Folded(Generic[S]):
    """How a kind is folded: from `empty`, one (sequence, event) at a time, by an `evolve` that never fails.

    `over`: tells whether little more is to come; such a state is not kept in memory.
    """

    kind: Kind
    empty: S
    evolve: Callable[[S, int, AnyEvent], S]
    over: Callable[[S], bool] = lambda _: False
