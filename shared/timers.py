"""Timers: a message that the server delivers later (NATS ADR-51, measured on 2.15.1).

A fired timer is a question, "still due?", and is never cancelled.
It outlives the service and the server; a time that has passed fires at once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import msgspec

from shared import subjects
from shared.bus import Bus
from shared.ids import scoped_id

FIRED_KEPT = "168h"
"""How long a fired timer waits for its reader: the server's duration format."""


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a timer, armed and fired alike. `id`: of the event or offer that it asks about."""

    tenant: str
    aggregate: str
    kind: str
    id: str
    due: datetime


_decoder = msgspec.json.Decoder(Timer)


def read_timer(body: bytes) -> Timer:
    """Return the timer in a fired message. Raises: msgspec.DecodeError."""
    return _decoder.decode(body)


class Timers(Protocol):
    """Arms timers."""

    async def arm(
        self, tenant: str, aggregate: str, kind: str, event_id: str, at: datetime
    ) -> None:
        """Have `fired.….<kind>.<id>` published at `at`; arming the same again changes nothing.

        `kind` and `event_id` are subject tokens, `at` has a zone.
        Raises: ValueError, BusUnavailable (not armed, or unknown: arm again).
        """
        ...


class NatsTimers:
    """Timers as scheduled messages of the stream TIMERS."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def arm(
        self, tenant: str, aggregate: str, kind: str, event_id: str, at: datetime
    ) -> None:
        """See `Timers.arm`."""
        timer = _timer(tenant, aggregate, kind, event_id, at)
        await self._bus.store(
            subjects.timer(tenant, aggregate, kind, event_id),
            msgspec.json.encode(timer),
            msg_id=scoped_id("timer", tenant, aggregate, kind, event_id, timer.due.isoformat()),
            headers={
                "Nats-Schedule": f"@at {timer.due.isoformat()}",
                "Nats-Schedule-Target": subjects.fired(tenant, aggregate, kind, event_id),
                "Nats-Schedule-TTL": FIRED_KEPT,
            },
        )


class MemoryTimers:
    """The twin: `armed` in order; `due(now)` takes out and returns what would have fired."""

    def __init__(self) -> None:
        self._armed: dict[str, Timer] = {}

    @property
    def armed(self) -> list[Timer]:
        """Return what is armed, earliest first."""
        return sorted(self._armed.values(), key=lambda timer: timer.due)

    async def arm(
        self, tenant: str, aggregate: str, kind: str, event_id: str, at: datetime
    ) -> None:
        """See `Timers.arm`."""
        timer = _timer(tenant, aggregate, kind, event_id, at)
        self._armed[subjects.timer(tenant, aggregate, kind, event_id)] = timer

    def due(self, now: datetime) -> list[Timer]:
        """Take out and return the timers whose time has come, earliest first."""
        fired = [timer for timer in self.armed if timer.due <= now]
        for timer in fired:
            del self._armed[subjects.timer(timer.tenant, timer.aggregate, timer.kind, timer.id)]
        return fired


def _timer(tenant: str, aggregate: str, kind: str, event_id: str, at: datetime) -> Timer:
    if at.tzinfo is None:
        raise ValueError("the time of a timer needs a zone")
    return Timer(tenant=tenant, aggregate=aggregate, kind=kind, id=event_id, due=at.astimezone(UTC))
