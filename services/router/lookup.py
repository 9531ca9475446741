"""Asks history where an event was recorded."""

from shared.bus import Bus
from shared.queries import AskKnown
from shared.query_client import ask


class History:
    """History's `known` query over the bus."""

    def __init__(self, bus: Bus, timeout_seconds: float) -> None:
        self._bus = bus
        self._timeout_seconds = timeout_seconds

    async def known(self, tenant: str, event_id: str, position: int) -> int | None:
        """Return where history saw an event id, `None` when nowhere up to `position`. Raises: ViewUnavailable."""
        question = AskKnown(ids=[event_id], min_seq=position)
        answer = await ask(self._bus, tenant, question, timeout_seconds=self._timeout_seconds)
        known = answer.known.get(event_id)
        return None if known is None else known.sequence
