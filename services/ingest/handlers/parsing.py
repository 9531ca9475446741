"""Parsing stored deliveries with their channel's file, off the event loop: the doors stay quick."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from services.ingest.channels import CHANNELS
from services.ingest.domain import delivery, outcome
from services.ingest.domain.outcome import Parsed, Reports
from services.ingest.handlers import logged
from shared import contact_log
from shared.events import ContactEvent

log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True)
class Reading:
    """A delivery, what parsing made of it, and the events to publish with their routing keys."""

    raw: delivery.RawDelivery
    outcome: Parsed
    reports: Reports

    @property
    def events(self) -> list[ContactEvent]:
        return [event for _, event in self.reports]


async def read_all(deliveries: Sequence[delivery.RawDelivery]) -> list[Reading]:
    """Return the readings in the order of the deliveries. The content of a delivery never makes `read_all` raise."""
    return await asyncio.to_thread(lambda: [read(raw) for raw in deliveries])


def read(raw: delivery.RawDelivery) -> Reading:
    """Return the reading of a delivery. What makes the channel's code fail, or no stream takes, is quarantined."""
    try:
        parsed = CHANNELS[raw.channel].parse(raw)
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
