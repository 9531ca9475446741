"""The fold of a handle: whose it is. The handle itself is never stored here, only its keyed hash."""

import msgspec
from msgspec.structs import replace

from shared import events

REFERENCED_MAX = 8
"""So many conversations of one order or call number are looked at."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a handle.

    Attributes:
        customer: to whom it leads; `None` while nobody holds it, and once several do.
        shared_by: all who hold it, once several do.
        conversations: for a reference, those it was told in, the newest last; at most REFERENCED_MAX.
        proof: how well it is proved that it is the customer's.
        addressed: whom an agent wrote to under it, and from which conversation, while nobody held it.
    """

    customer: events.CustomerId | None = None
    shared_by: tuple[events.CustomerId, ...] = ()
    conversations: tuple[events.ConversationId, ...] = ()
    proof: events.Proof = "claimed"
    addressed: tuple[events.CustomerId, events.ConversationId] | None = None
    sequence: int = 0

    @property
    def conversation(self) -> events.ConversationId | None:
        """The conversation to which a reference leads; `None` for what is none."""
        return self.conversations[-1] if self.conversations else None

    @property
    def holders(self) -> tuple[events.CustomerId, ...]:
        """All to whom it may belong."""
        return self.shared_by if self.customer is None else (self.customer,)


UNCLAIMED = Identity()


def evolve(identity: Identity, sequence: int, event: events.AnyEvent) -> Identity:
    """Return the identity after one event of `ident-<keyed hash>`. It never fails."""
    changed = replace(identity, sequence=sequence)
    match event:
        case events.IdentityClaimed():
            return replace(
                changed,
                customer=event.open.customer,
                shared_by=(),
                conversations=_newest(identity.conversations, event.open.conversation),
                proof=event.open.proof or ("proved" if event.open.verified else "delivered"),
            )
        case events.IdentityShared():
            return replace(changed, customer=None, shared_by=tuple(event.open.customers))
        case events.IdentityAddressed():
            return replace(changed, addressed=(event.open.customer, event.open.conversation))
        case _:
            return changed


def _newest(
    before: tuple[events.ConversationId, ...], latest: events.ConversationId | None
) -> tuple[events.ConversationId, ...]:
    others = [each for each in before if each != latest]
    return tuple([*others, *([latest] if latest else [])][-REFERENCED_MAX:])
