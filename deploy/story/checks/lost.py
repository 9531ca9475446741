"""What became of the contacts of a story that nobody took, as history answers it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.story.errors import StepFailed
from deploy.story.session import Session

AROUND = timedelta(days=1)
"""A story plays now; clocks may be apart."""


async def contacts(session: Session, deadline: float, **filters: str) -> list[dict[str, Any]]:
    """Return every contact of the story that was lost. Raises: StepFailed when history refuses."""
    ledger, now = await session.read_ledger(), datetime.now(UTC)
    mine = {each.conversation for each in ledger.of_type("contact.missed", "contact.abandoned")}
    if not mine:
        return []
    found: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"since": now - AROUND, "until": now + AROUND, **filters}
    while True:
        answer = await session.asker.query("missed", asked, deadline)
        if "error" in answer:
            raise StepFailed("expect.query_refused", "history refused", got=answer["error"])
        found += [each for each in answer["contacts"] if each["conversation"] in mine]
        if not answer["next"]:
            return found
        asked["after"] = answer["next"]


async def check_accounted_for(session: Session, seconds: float) -> None:
    """Raises: StepFailed, `missed.unaccounted`, unless it is known what became of everybody who was lost."""
    deadline = time.monotonic() + seconds
    unaccounted = await contacts(session, deadline, fate="unaccounted")
    if unaccounted:
        raise StepFailed("missed.unaccounted", "nobody owes somebody a call", got=unaccounted)
