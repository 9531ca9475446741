"""Where contact events stand whose tenant has the stream to itself."""

from collections.abc import Sequence

from shared import streams
from shared.events import ContactEvent
from shared.lanes import lane_of


def alone(event: ContactEvent) -> Sequence[int]:
    """Return the partitions of the event's usual lane, all of them."""
    return streams.contact_partitions(lane_of(event))
