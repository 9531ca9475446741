"""RAW to CONTACTS and VISITS, per account and in order: parse a batch, publish its events, then acknowledge the
deliveries.

A process killed anywhere in between is given the batch again; the events have the same ids, so none is doubled.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import structlog

from services.ingest.domain.delivery import RawDelivery, portions
from services.ingest.domain.ordering import in_order
from services.ingest.domain.outcome import Ignored, Quarantined
from services.ingest.handlers import accounts, logged, parsing, raw_store
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.visit_store import VisitStore
from shared import backoff, contact_log, ensuring, errors, events, metrics, streams, tracing, visits
from shared.bus import Bus
from shared.bus.deliveries import Delivery
from shared.readiness import Trouble
from shared.worker import held

RETRY = backoff.Backoff(first_seconds=0.1, longest_seconds=1.0)
LOGGED_EVERY_TRIES = 10
TROUBLE_SECONDS = 1.0
PORTION_BYTES = 16_777_216
"""Of a batch so much is read, in bodies that stand elsewhere, before its events are published."""

Publication = tuple[str, str, events.ContactEvent]
"""Channel, routing key, event."""

log = structlog.get_logger("ingest")


class Normaliser:
    """Normalises the deliveries of one account. `taken` is called after each batch."""

    def __init__(
        self,
        bus: Bus,
        bodies: BodyStore,
        contacts: contact_log.ContactLog,
        visited: VisitStore,
        door: accounts.Door,
        batch: int,
        taken: Callable[[], None] = lambda: None,
    ) -> None:
        self._bus = bus
        self._bodies = bodies
        self._contacts = contacts
        self._visited = visited
        self._door = door
        self._batch = batch
        self._taken = taken
        self.trouble: Trouble | None = None

    async def run(self) -> None:
        """Take batches for ever. What keeps this account from it is its trouble, and no other account's.

        Raises: BusUnavailable when the connection was given up.
        """
        while True:
            try:
                await self._follow()
            except Exception as error:
                if self._bus.closed:
                    raise
                self._say(error)
            await asyncio.sleep(TROUBLE_SECONDS)

    async def _follow(self) -> None:
        """Raises: StreamDrift while the account's consumer is missing or another than it must be."""
        (consumer,) = streams.ingest_consumers(self._door.tenant, [self._door.name], self._batch)
        await ensuring.assert_streams(self._bus, streams.WantedStreams(consumers=[consumer]))
        self.trouble = None
        async for batch in self._bus.pull(streams.RAW, consumer.name, batch=self._batch):
            await self.take(batch)

    def _say(self, error: Exception) -> None:
        """Keep the trouble for whoever asks how ingest is, and log it once."""
        code = error.code if isinstance(error, errors.TellonceError) else type(error).__name__
        if self.trouble is None or self.trouble.code != code:
            log.error(logged.ACCOUNT_HALTED, account=self._door.place, code=code, exc_info=error)
        self.trouble = Trouble(code=code, about=self._door.place)

    async def take(self, batch: Sequence[Delivery]) -> None:
        """Publish the events of a batch and acknowledge it, portion by portion."""
        waiting = list(batch)
        async with held(waiting):
            for portion in portions([self._raw(each) for each in batch], PORTION_BYTES):
                began = datetime.now(UTC)
                readings = await parsing.read_all(portion, self._bodies)
                await self._publish(_made(readings))
                for reading in readings:
                    _trace(reading, began)
                    await _acknowledge(reading, waiting.pop(0))
        self._taken()

    def _raw(self, delivery: Delivery) -> RawDelivery:
        return raw_store.raw_delivery(
            self._door.tenant,
            self._door.name,
            self._door.rules,
            sequence=delivery.sequence,
            body=delivery.body,
            fields=delivery.headers,
            stored=delivery.stored,
        )

    async def _publish(self, made: Sequence[Publication]) -> None:
        """Store all of `made`: what lasts in CONTACTS, what passes in VISITS."""
        lasting = [each for each in made if not visits.passes(each[2])]
        seen = [(key, event) for _, key, event in made if visits.passes(event)]
        if lasting:
            await _until_stored(lambda: self._contacts.publish(lasting), len(lasting))
        if seen:
            await _until_stored(lambda: self._visited.put(self._door.tenant, seen), len(seen))


async def _until_stored(store: Callable[[], Awaitable[None]], number: int) -> None:
    """Store events in order, trying until it is done: the account's order is kept by waiting."""
    tries = 0
    while True:
        try:
            await store()
        except (errors.BusUnavailable, errors.JetStreamRefused) as error:
            if tries % LOGGED_EVERY_TRIES == 0:
                log.warning(logged.PUBLISH_DELAYED, code=error.code, events=number)
            tries += 1
            await RETRY.pause(tries)
        else:
            return


def _made(readings: Sequence[parsing.Reading]) -> list[Publication]:
    """Return what a batch reports, in the order in which it happened, as far as the providers tell."""
    reports = [((one.raw.channel, key), event) for one in readings for key, event in one.reports]
    return [(channel, key, event) for (channel, key), event in in_order(reports)]


async def _acknowledge(reading: parsing.Reading, delivery: Delivery) -> None:
    with contextlib.suppress(errors.BusUnavailable):  # given again, its events have the same ids
        await delivery.ack()
    _log(reading, delivery)


def _trace(reading: parsing.Reading, began: datetime) -> None:
    raw = reading.raw
    tracing.note("normalise", raw.traceparent, began, tenant=raw.tenant, channel=raw.channel)


def _log(reading: parsing.Reading, delivery: Delivery) -> None:
    match reading.outcome:
        case Ignored(kind=kind):
            facts = {"result": "ignored", "kind": kind}
        case Quarantined(code=code, kind=kind):
            facts = {"result": "quarantined", "code": code, "kind": kind or ""}
        case _:
            facts = {"result": "published", "kind": ",".join(e.type for e in reading.events)}
    metrics.DELIVERIES.add(reading.raw.tenant, reading.raw.channel, facts["result"])
    log.info(
        logged.DELIVERY_NORMALISED,
        tenant=reading.raw.tenant,
        channel=reading.raw.channel,
        account=reading.raw.account,
        sequence=reading.raw.sequence,
        attempt=delivery.attempt,
        **facts,
    )
