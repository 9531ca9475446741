"""Waits until the services have worked off everything that they were given, redeliveries included.

What a kill left half done comes again after the consumers' `ack_wait`; before that nobody knows how often it was done.
"""

import asyncio
import time
from typing import Any

from shared.bus import Bus
from shared.errors import TellonceError
from shared.streams import CONTACTS, LEDGER, RAW, TIMERS, fired

REST_SECONDS = 30.0
POLL_SECONDS = 0.05
READ = (RAW, CONTACTS, LEDGER, TIMERS)
FIRED = frozenset({fired("router"), fired("notify")})
"""A timer that asks about nothing keeps its place there for a while."""


async def until_at_rest(bus: Bus) -> list[str]:
    """Return [] once nothing is left to do, else the consumers that are still at work after REST_SECONDS.

    One look at several streams is no moment: it counts when the next one finds that nothing has moved.
    """
    deadline = time.monotonic() + REST_SECONDS
    before: dict[str, int] | None = None
    while True:
        busy, floors = await _look(bus)
        if not busy and floors == before:
            return []
        if time.monotonic() > deadline:
            return busy
        before = floors
        await asyncio.sleep(POLL_SECONDS)


async def _look(bus: Bus) -> tuple[list[str], dict[str, int]]:
    """Return the consumers with something to do, and up to where each has done everything.

    Only the durable ones: others may have belonged to a process that is dead.
    """
    try:
        lists = [await bus.api(f"CONSUMER.LIST.{name}") for name in READ]
    except TellonceError as error:
        return [error.code], {}
    every: list[dict[str, Any]] = [
        each
        for found in lists
        for each in found["consumers"]
        if "durable_name" in each["config"] and each["name"] not in FIRED
    ]
    busy = [each["name"] for each in every if each["num_pending"] or each["num_ack_pending"]]
    return sorted(busy), {each["name"]: each["ack_floor"]["stream_seq"] for each in every}
