"""Which packet was built last, and whether it still shows how the conversation stands."""

import msgspec
from msgspec.structs import replace

from shared import events
from shared.conversation import (
    contacts,
    handling,
    last_escalation,
    levels,
    live_wait,
    matter,
    ownership,
    reviews,
    satisfaction,
)

_NOT_SHOWN = (
    *ownership.NOT_SHOWN,
    *contacts.NOT_SHOWN,
    *live_wait.NOT_SHOWN,
    *matter.NOT_SHOWN,
    *levels.NOT_SHOWN,
    *handling.NOT_SHOWN,
    *reviews.NOT_SHOWN,
    *satisfaction.NOT_SHOWN,
    *last_escalation.NOT_SHOWN,
    events.CommandNoted,
    events.EntryRejected,
)


class LastPacket(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """The last packet.

    `current`: nothing it shows of the conversation has changed since; `customer_sequence`: how much of the customer it
    shows.
    """

    id: events.PacketId | None = None
    customer_sequence: int = 0
    current: bool = False


def evolve(packet: LastPacket, event: events.AnyEvent) -> LastPacket:
    """Return the last packet after an event. An offer without acceptance costs no new packet."""
    if isinstance(event, events.ContextPackaged):
        built_from = event.personal.packet.built_from if event.personal else None
        shown = built_from.customer.sequence if built_from else 0
        return LastPacket(id=event.open.packet_id, customer_sequence=shown, current=True)
    by_an_agent = isinstance(event, events.ChannelSwitched) and event.open.by is not None
    if not packet.current or (isinstance(event, _NOT_SHOWN) and not by_an_agent):
        return packet
    if isinstance(event, events.TransferRejected) and not event.open.final:
        return packet
    return replace(packet, current=False)
