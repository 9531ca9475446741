"""Asks the stack's services, until one of them answers with more than "later"."""

import asyncio
import time
from typing import Any

import msgspec

from shared import errors, subjects
from shared.bus import Bus

TENANT = "demo"
ANSWERED_SECONDS = 40.0
TRY_SECONDS = 5.0
PAUSE_SECONDS = 0.2


async def wait(seconds: float = PAUSE_SECONDS) -> None:
    """Wait before the same is tried, or the next is done."""
    await asyncio.sleep(seconds)


async def ask(bus: Bus, name: str, **question: Any) -> dict[str, Any]:
    """Return the answer to a query. Raises: as `request`."""
    return await request(bus, subjects.query(TENANT, name), question, ANSWERED_SECONDS)


async def listed(bus: Bus, query: str, lines: str, **asked: Any) -> list[dict[str, Any]]:
    """Return the lines of all pages of a list."""
    page = await ask(bus, query, **asked)
    found = list(page[lines])
    while page["next"] is not None:
        page = await ask(bus, query, **{**asked, "after": page["next"]})
        found += page[lines]
    return found


async def request(
    bus: Bus,
    subject: str,
    body: dict[str, Any],
    within_seconds: float,
    try_seconds: float = TRY_SECONDS,
) -> dict[str, Any]:
    """Return the answer to a request. Raises: AssertionError for a refusal, TimeoutError after `within_seconds`."""
    deadline, last = time.monotonic() + within_seconds, ""
    while time.monotonic() < deadline:
        try:
            answer = await bus.request(
                subject, msgspec.json.encode(body), timeout_seconds=try_seconds
            )
            reply: dict[str, Any] = msgspec.json.decode(answer)
            if not (reply.get("error") or {}).get("retryable"):
                assert "error" not in reply, reply
                return reply
            last = str(reply)
        except errors.TellonceError as error:
            last = error.code
        await wait()
    raise TimeoutError(f"{subject} is not answered: {last}")
