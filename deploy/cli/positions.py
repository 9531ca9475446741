"""Where a stream was at a time."""

from datetime import datetime

from shared.bus import Bus


async def position_at(bus: Bus, stream: str, since: datetime, last: int) -> int:
    """Return the first position of a stream that was stored at a time or later; beyond `last` when there is none."""
    first, behind = 1, last + 1
    while first < behind:
        middle = (first + behind) // 2
        stored = await bus.leader_get(stream, sequence=middle, next_by_subject=">")
        if stored is None or stored.stored >= since:
            behind = middle
        else:
            first = stored.sequence + 1
    return first
