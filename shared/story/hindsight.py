"""As-of: what an agent saw at the moment she accepted, asked at once and asked again at the end."""

from __future__ import annotations

import time
from typing import Any

from shared.story.errors import StepFailed
from shared.story.handed_over import facts_at
from shared.story.ledger_copy import Entry
from shared.story.model import AsOfStep, seconds
from shared.story.stage import Seen, Stage

ASK_SECONDS = 15.0
ACCEPTANCES = ("contact.accepted", "transfer.accepted", "callback.reached")


async def look_back(stage: Stage, step: AsOfStep) -> dict[str, Any]:
    """Ask what the agent saw when she last accepted; keep it for the end. Return the answer.

    Raises: StepFailed (`as_of.no_acceptance`, `as_of.refused`, `as_of.later_shows`, `as_of.packet_differs`).
    """
    entry = await _acceptance(stage, step.as_of)
    conversation = entry.conversation or ""
    answer = await _ask(stage, conversation, entry.sequence, seconds(step.within))
    seen = Seen(
        agent=step.as_of,
        conversation=conversation,
        sequence=entry.sequence,
        digest=answer["digest"],
        shown_sha256=(answer.get("shown") or {}).get("sha256"),
    )
    accepted = stage.ledger.packets[entry.open["packet_id"]]
    if seen.shown_sha256 != accepted.sha256:
        raise StepFailed(
            "as_of.packet_differs",
            "as-of shows another packet than the acceptance names",
            wanted=accepted.sha256,
            got=seen.shown_sha256,
        )
    _nothing_later(stage, seen, answer["packet"])
    stage.seen.append(seen)
    return answer


async def look_back_again(stage: Stage, seen: Seen) -> None:
    """Ask again after everything that came later. Raises: StepFailed (`as_of.changed`, `as_of.later_shows`)."""
    answer = await _ask(stage, seen.conversation, seen.sequence, ASK_SECONDS)
    got = (answer["digest"], (answer.get("shown") or {}).get("sha256"))
    if got != (seen.digest, seen.shown_sha256):
        raise StepFailed(
            "as_of.changed",
            f"what {seen.agent} saw is another thing now",
            wanted=[seen.digest, seen.shown_sha256],
            got=list(got),
        )
    await stage.read_ledger()
    _nothing_later(stage, seen, answer["packet"])


async def _acceptance(stage: Stage, agent: str) -> Entry:
    ledger = await stage.read_ledger()
    found = [entry for entry in ledger.of_type(*ACCEPTANCES) if entry.open["agent"] == agent]
    if not found:
        raise StepFailed("as_of.no_acceptance", f"{agent} has accepted nothing")
    return found[-1]


async def _ask(
    stage: Stage, conversation: str, sequence: int, within_seconds: float
) -> dict[str, Any]:
    asked = {"conversation": conversation, "sequence": sequence}
    answer = await stage.asker.query("as_of", asked, time.monotonic() + within_seconds)
    if "error" in answer:
        raise StepFailed("as_of.refused", "history refused", got=answer["error"])
    return answer


def _nothing_later(stage: Stage, seen: Seen, packet: dict[str, Any]) -> None:
    """Raises: StepFailed when the packet holds a fact that nobody had told yet, or lacks one."""
    told = set(facts_at(stage.ledger, seen.conversation, seen.sequence + 1))
    shown = {fact["fact_id"] for fact in packet["facts"]}
    if shown - told:
        raise StepFailed(
            "as_of.later_shows",
            "as-of shows what came later",
            wanted=sorted(told),
            got=sorted(shown),
        )
