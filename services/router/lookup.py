"""Asks history what was ever recorded."""

from __future__ import annotations

from typing import Any

import msgspec

from shared import subjects
from shared.bus import Bus
from shared.errors import TellonceError, ViewUnavailable


class History:
    """History's `known` query over the bus."""

    def __init__(self, bus: Bus, timeout_seconds: float) -> None:
        self._bus = bus
        self._timeout_seconds = timeout_seconds

    async def known(self, tenant: str, event_id: str, position: int) -> bool:
        """Tell whether an event id stands in the ledger up to `position`. Raises: ViewUnavailable."""
        question = msgspec.json.encode({"ids": [event_id], "min_seq": position})
        subject = subjects.query(tenant, "known")
        try:
            reply = await self._bus.request(
                subject, question, timeout_seconds=self._timeout_seconds
            )
        except TellonceError as error:
            raise ViewUnavailable() from error
        answer: dict[str, Any] = msgspec.json.decode(reply)
        if "error" in answer:
            raise ViewUnavailable(reason=str(answer["error"].get("code")))
        return event_id in answer["known"]
