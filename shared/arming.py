"""Arming a timer: a message that the server delivers later (NATS ADR-51, measured on 2.15.1).

It outlives the service and the server; a time that has passed fires at once. What is due at once goes straight to
where timers fire, those of an aggregate on one subject: workers handle them one after another.
"""

from typing import Protocol

import msgspec

from shared import ids, subjects, timers
from shared.bus import Bus

FIRED_KEPT = "168h"
"""How long a fired timer waits for its reader: the server's duration format."""
AT_ONCE_KEPT = "720h"
"""How long what is due at once waits: a message that nobody takes meanwhile is neither sent nor said to have failed."""
AT_ONCE = frozenset(kind.name for kind in timers.AT_ONCE)
NOW = "now"
"""In the place of the id in the subject of what is due at once."""


class Timers(Protocol):
    """Arms timers."""

    async def arm(self, timer: timers.Timer) -> None:
        """Have `fired.….<kind>.<id>` published when it is due; arming the same again changes nothing.

        `kind` and `id` are subject tokens, `due` has a zone.
        Raises: ValueError, BusUnavailable (not armed, or unknown: arm again).
        """
        ...


class NatsTimers:
    """Timers as scheduled messages of the stream TIMERS."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def arm(self, timer: timers.Timer) -> None:
        """See `Timers.arm`."""
        check(timer)
        due, place = timer.due.isoformat(), (timer.tenant, timer.aggregate, timer.kind, timer.id)
        if timer.kind in AT_ONCE:
            await self._bus.store(
                subjects.fired(timer.tenant, timer.aggregate, timer.kind, NOW),
                msgspec.json.encode(timer),
                msg_id=ids.scoped_id("due", *place),
                headers={"Nats-TTL": AT_ONCE_KEPT},
            )
            return
        await self._bus.store(
            subjects.timer(*place),
            msgspec.json.encode(timer),
            msg_id=ids.scoped_id("timer", *place, due),
            headers={
                "Nats-Schedule": f"@at {due}",
                "Nats-Schedule-Target": subjects.fired(*place),
                "Nats-Schedule-TTL": FIRED_KEPT,
            },
        )


def check(timer: timers.Timer) -> None:
    """Raises: ValueError for a time without a zone."""
    if timer.due.tzinfo is None:
        raise ValueError("the time of a timer needs a zone")
