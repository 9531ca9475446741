"""Computes the outcomes of a story's deliveries: ingest's balance less the balance at the start of the story."""

from deploy.story.errors import StepFailed
from deploy.story.session import Session

COUNTERS = ("received", "accepted", "duplicate", "ignored", "quarantined")


async def balance_of(session: Session, deadline: float) -> dict[str, int]:
    """Return the balance since the story began. `missing` is the whole stack's: what is lost is never only old.

    `deadline`: on the monotonic clock. Raises: StepFailed (`step.not_reached`, `expect.query_refused`).
    """
    got = await session.asker.query("balance", {}, deadline)
    if "error" in got:
        raise StepFailed("expect.query_refused", "ingest refused", got=got["error"])
    before = session.balance_before
    since = {name: int(got[name]) - before.get(name, 0) for name in COUNTERS}
    return {**since, "missing": int(got["missing"])}
