"""Computes the outcomes of a story's deliveries: ingest's balance less the balance at the start of the story."""

import asyncio
import time
from typing import Any

from deploy.story.errors import StepFailed
from deploy.story.session import Session

COUNTERS = ("received", "accepted", "duplicate", "ignored", "quarantined", "parked", "skipped")
POLL_SECONDS = 0.05


async def balance_of(session: Session, deadline: float) -> dict[str, int]:
    """Return the balance since the story began. `missing` is the whole stack's: what is lost is never only old.

    `deadline`: on the monotonic clock. Raises: StepFailed (`step.not_reached`, `expect.query_refused`).
    """
    got = await _ask(session, {}, deadline)
    while got["to"] < got["end"] and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        got = await _ask(session, {}, deadline)
    before = session.balance_before
    since = {name: int(got[name]) - before.get(name, 0) for name in COUNTERS}
    return {**since, "missing": int(got["missing"])}


async def unproved(session: Session, deadline: float) -> dict[str, Any]:
    """Return the numbers that RAW, parsed again from its beginning, gives otherwise than they were counted.

    {} when there are none, and when RAW is too long for one answer. Raises: as `balance_of`.
    """
    counted = await _ask(session, {}, deadline)
    proved = await _ask(session, {"from": 0, "to": counted["to"]}, deadline)
    if proved["to"] < counted["to"]:
        return {}
    return {
        name: {"counted": counted[name], "proved": proved[name]}
        for name in COUNTERS
        if counted[name] != proved[name]
    }


async def _ask(session: Session, question: dict[str, Any], deadline: float) -> dict[str, Any]:
    got = await session.asker.query("balance", question, deadline)
    if "error" in got:
        raise StepFailed("expect.query_refused", "ingest refused", got=got["error"])
    return got
