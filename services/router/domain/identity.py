"""The fold of a handle: whose it is. The handle itself is never stored here, only its keyed hash."""

import msgspec
from msgspec.structs import replace

from shared import events


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """`customer` is `None` while nobody holds the handle. `conversation`: for a reference, its contact's."""

    customer: events.CustomerId | None = None
    conversation: events.ConversationId | None = None
    verified: bool = False
    sequence: int = 0


UNCLAIMED = Identity()


def evolve(identity: Identity, sequence: int, event: events.AnyEvent) -> Identity:
    """Return the identity after one event of `ident-<keyed hash>`. It never fails."""
    changed = replace(identity, sequence=sequence)
    match event:
        case events.IdentityClaimed():
            return replace(
                changed,
                customer=event.open.customer,
                conversation=event.open.conversation,
                verified=event.open.verified,
            )
        case _:
            return changed
