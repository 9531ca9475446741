"""As-of: what an agent saw at the moment she accepted, asked at once and asked again at the end."""

import time
from collections import Counter
from typing import Any

from deploy.story import errors, ledger_copy
from deploy.story.checks.expected_packet import told_by, told_in
from deploy.story.file.durations import seconds
from deploy.story.file.model import AsOfStep
from deploy.story.session import AgentView, Session

ASK_SECONDS = 15.0
ACCEPTANCES = ("contact.accepted", "transfer.accepted", "callback.reached")


async def look_back(session: Session, step: AsOfStep) -> dict[str, Any]:
    """Ask what the agent saw when she last accepted; keep it for the end. Return the answer.

    Raises: StepFailed (`as_of.no_acceptance`, `as_of.refused`, `as_of.packet_differs`, `as_of.later_shows`,
    `as_of.lacks`).
    """
    entry = await _acceptance(session, step.as_of)
    conversation = entry.conversation or ""
    answer = await _ask(session, conversation, entry.sequence, seconds(step.within))
    seen = AgentView(
        agent=step.as_of,
        conversation=conversation,
        sequence=entry.sequence,
        digest=answer["digest"],
        shown_sha256=(answer.get("shown") or {}).get("sha256"),
    )
    accepted = session.ledger.packets[entry.open["packet_id"]]
    if seen.shown_sha256 != accepted.sha256:
        raise errors.StepFailed(
            "as_of.packet_differs",
            "as-of shows another packet than the acceptance names",
            wanted=accepted.sha256,
            got=seen.shown_sha256,
        )
    must_be_as_it_was(session.ledger, seen, answer["packet"])
    session.seen.append(seen)
    return answer


async def look_back_again(session: Session, seen: AgentView) -> None:
    """Ask again after everything that came later.

    Raises: StepFailed (`as_of.refused`, `as_of.changed`, `as_of.later_shows`, `as_of.lacks`).
    """
    answer = await _ask(session, seen.conversation, seen.sequence, ASK_SECONDS)
    got = (answer["digest"], (answer.get("shown") or {}).get("sha256"))
    if got != (seen.digest, seen.shown_sha256):
        raise errors.StepFailed(
            "as_of.changed",
            f"what {seen.agent} saw is another thing now",
            wanted=[seen.digest, seen.shown_sha256],
            got=list(got),
        )
    await session.read_ledger()
    must_be_as_it_was(session.ledger, seen, answer["packet"])


async def _acceptance(session: Session, agent: str) -> ledger_copy.Entry:
    ledger = await session.read_ledger()
    found = [entry for entry in ledger.of_type(*ACCEPTANCES) if entry.open["agent"] == agent]
    if not found:
        raise errors.StepFailed("as_of.no_acceptance", f"{agent} has accepted nothing")
    return found[-1]


async def _ask(
    session: Session, conversation: str, sequence: int, within_seconds: float
) -> dict[str, Any]:
    asked = {"conversation": conversation, "sequence": sequence}
    answer = await session.asker.query("as_of", asked, time.monotonic() + within_seconds)
    if "error" in answer:
        raise errors.StepFailed("as_of.refused", "history refused", got=answer["error"])
    return answer


def must_be_as_it_was(
    ledger: ledger_copy.LedgerCopy, seen: AgentView, packet: dict[str, Any]
) -> None:
    """Compare with what LEDGER held at the acceptance. Raises: StepFailed (`as_of.later_shows`, `as_of.lacks`)."""
    told = told_by(ledger, seen.conversation, seen.sequence)
    for part, shown in told_in(packet).items():
        later = Counter(shown.items) - Counter(told[part])
        if later:
            raise errors.StepFailed(
                "as_of.later_shows",
                f"as-of shows {part} that were not so yet",
                wanted=told[part],
                got=sorted(later),
            )
        if len(shown.items) + shown.more != len(told[part]):
            raise errors.StepFailed(
                "as_of.lacks",
                f"as-of lacks some of the {part}",
                wanted=told[part],
                got=shown.items,
            )
