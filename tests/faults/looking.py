"""Reads everything that is checked, from a stack at rest."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

from services.router.tolerant_codec import TolerantCodec
from shared import subjects
from shared.bus import Bus
from shared.ledger.jetstream import NatsLedger
from tests.faults.asking import ask, listed, request, wait
from tests.faults.checking import FATES
from tests.faults.observed import Observed

REBUILD_SECONDS = 90.0
COUNTED_SECONDS = 40.0
ASKED_AT_ONCE = 8
COUNTS = ("received", *FATES, "missing")


async def look(bus: Bus, observed: Observed) -> None:
    """Write down what stands. Raises: TimeoutError when nobody answers."""
    ledger = NatsLedger(bus, TolerantCodec())
    end = await ledger.position()
    recorded: list[Any] = []
    async with contextlib.aclosing(ledger.follow(0)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            recorded += batch
            if recorded[-1].sequence >= end:
                break
    observed.recorded = recorded
    observed.position = (await ask(bus, "position", min_seq=end))["position"]
    named = {each.event.conversation for each in observed.readable() if each.event.conversation}
    observed.timelines = await _timelines(bus, sorted(named))
    subject = subjects.ops("history", "rebuild")
    digests = await request(bus, subject, {}, REBUILD_SECONDS, REBUILD_SECONDS)
    observed.live_digest, observed.rebuilt_digest = digests["live"], digests["rebuilt"]
    observed.balance = await _balance(bus)
    observed.proved = await _proved(bus)
    lines = await listed(bus, "overlooked", "requests")
    observed.overlooked = [line["id"] for line in lines if line["state"] == "none"]


async def _timelines(bus: Bus, names: Sequence[str]) -> dict[str, list[int]]:
    """Return the sequences of every timeline, asked for some at a time."""
    found: dict[str, list[int]] = {}
    for at in range(0, len(names), ASKED_AT_ONCE):
        some = names[at : at + ASKED_AT_ONCE]
        rows = await asyncio.gather(*(_timeline(bus, name) for name in some))
        found |= dict(zip(some, rows, strict=True))
    return found


async def _timeline(bus: Bus, conversation: str) -> list[int]:
    rows = await listed(bus, "timeline", "rows", conversation=conversation)
    return [row["sequence"] for row in rows]


async def _balance(bus: Bus) -> dict[str, int]:
    """Return the balance as it was counted, once all is counted."""
    deadline = time.monotonic() + COUNTED_SECONDS
    while True:
        found = await ask(bus, "balance")
        settled = found["to"] >= found["end"] and not found["missing"]
        if settled or time.monotonic() > deadline:
            return {name: found[name] for name in COUNTS}
        await wait()


async def _proved(bus: Bus) -> dict[str, int]:
    """Return the balance that RAW gives when it is parsed again."""
    total, first, end = dict.fromkeys(COUNTS, 0), 0, 0
    while first <= end:
        found = await ask(bus, "balance", **{"from": first})
        total = {name: total[name] + found[name] for name in COUNTS}
        first, end = found["to"] + 1, found["end"]
    return total
