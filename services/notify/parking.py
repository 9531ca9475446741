"""Parks with the router, who writes the journals, what notify cannot handle; handles it again when that is recorded."""

from typing import Protocol

import msgspec
import structlog

from shared import aggregates, arrivals, commands, errors, events, ids, streams, subjects
from shared.bus.deliveries import StoredMessage
from shared.clock import Clock

ACTOR = "service:notify"
LAST_ATTEMPT = 1_000
"""Whoever counts tries has none left."""

log = structlog.get_logger("notify.parking")


class Bus(Protocol):
    """What is needed of the bus."""

    async def request(self, subject: str, body: bytes = b"") -> bytes: ...

    async def leader_get(
        self, stream: str, *, sequence: int | None = None
    ) -> StoredMessage | None: ...


class _Reply(msgspec.Struct):
    """Any reply, as far as it tells a refusal."""

    error: commands.Problem | None = None


class Parking:
    """`handlers`: what handles a message, by the consumer that parked it."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self.handlers: dict[str, arrivals.Handle] = {}

    async def park(self, failed: arrivals.Failed) -> None:
        """Ask the router to note what failed. Raises: BusUnavailable while nobody does: the message comes again."""
        now, arrived = self._clock.now(), failed.arrived
        command = commands.ParkWork(
            command_id=ids.scoped_id(failed.consumer, str(arrived.sequence), now.isoformat()),
            issued_at=now,
            actor=ACTOR,
            consumer=failed.consumer,
            stream=_stream(arrived),
            sequence=arrived.sequence,
            sha256=ids.body_sha256(arrived.body),
            error=failed.error,
            failures=failed.failures,
        )
        subject = subjects.command(failed.tenant, command.verb)
        reply = await self._bus.request(subject, msgspec.json.encode(command))
        refused = msgspec.json.decode(reply, type=_Reply).error
        if refused is not None:
            raise errors.BusUnavailable(cause=refused.code)

    async def take_up(self, event: events.WorkRetried) -> None:
        """Handle once more what an operator asked for, if it is notify's.

        As the last of all tries: the lane that takes it up waits for it, and with the lane whoever is to be told.
        Raises: what handling raises; then this event fails, and is parked in its turn.
        """
        _, consumer = aggregates.split(event.aggregate)
        handle = self.handlers.get(consumer)
        if handle is None:
            return
        retried = event.open
        stored = await self._bus.leader_get(retried.stream, sequence=retried.sequence)
        if stored is None or ids.body_sha256(stored.body) != retried.sha256:
            log.error("parked_gone", parked_id=retried.parked_id)
            return
        arrived = arrivals.ArrivedMessage(
            stored.subject,
            stored.body,
            LAST_ATTEMPT,
            stored.sequence,
            headers=stored.headers,
        )
        await handle(arrived)


def _stream(arrived: arrivals.ArrivedMessage) -> str:
    """Return the stream of a message that notify reads."""
    return streams.TIMERS if arrived.subject.startswith("fired.") else streams.LEDGER
