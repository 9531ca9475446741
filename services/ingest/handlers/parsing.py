"""Parsing stored deliveries with their channel's file, or its archive's, off the event loop: the doors stay quick."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import structlog

from services.ingest.archives import ARCHIVES
from services.ingest.channels import CHANNELS
from services.ingest.domain import delivery, outcome
from services.ingest.domain.outcome import Parsed, Reports
from services.ingest.handlers import logged
from services.ingest.handlers.body_store import BodyStore
from shared import contact_log
from shared.events import ContactEvent

log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True)
class Reading:
    """A delivery, what parsing made of it, and the events to publish with their routing keys.

    `raw`: without its body, where that stood elsewhere: one of those is held at a time.
    """

    raw: delivery.RawDelivery
    outcome: Parsed
    reports: Reports

    @property
    def lost(self) -> bool:
        """Whether its body could not be read."""
        return self.raw.lost is not None

    @property
    def events(self) -> list[ContactEvent]:
        return [event for _, event in self.reports]


async def read_all(deliveries: Sequence[delivery.RawDelivery], bodies: BodyStore) -> list[Reading]:
    """Return the readings in the order of the deliveries. The content of a delivery never makes `read_all` raise.

    Raises: BusUnavailable, JetStreamRefused when a body elsewhere could not be asked for.
    """
    readings: list[Reading] = []
    for here, together in groupby(deliveries, key=lambda raw: raw.elsewhere is None):
        if here:
            readings += await asyncio.to_thread(_read_each, list(together))
        else:
            readings += [await _read_from(bodies, raw) for raw in together]
    return readings


def _read_each(deliveries: Sequence[delivery.RawDelivery]) -> list[Reading]:
    return [read(raw) for raw in deliveries]


async def _read_from(bodies: BodyStore, raw: delivery.RawDelivery) -> Reading:
    async with bodies.whole(raw) as whole:
        reading = await bodies.apart(read, whole)
        return replace(reading, raw=replace(whole, body=b""))


def read(raw: delivery.RawDelivery) -> Reading:
    """Return the reading of a delivery. What makes the channel's code fail, or no stream takes, is quarantined."""
    try:
        lost = raw.lost
        reader = ARCHIVES[raw.channel] if raw.imported else CHANNELS[raw.channel]
        parsed = outcome.Quarantined(lost) if lost else reader.parse(raw)
        reports = outcome.reports_of(raw, parsed)
        for routing_key, event in reports:
            contact_log.check(raw.channel, routing_key, event)
    except Exception:
        log.exception(
            logged.PARSE_FAILED, channel=raw.channel, account=raw.account, sequence=raw.sequence
        )
        parsed = outcome.unreadable()
        reports = outcome.reports_of(raw, parsed)
    return Reading(raw, parsed, reports)
