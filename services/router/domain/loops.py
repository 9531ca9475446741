"""Nothing goes round in circles while the customer waits for an answer (docs/adr/0093)."""

from services.router.domain.answered import last_answer
from services.router.domain.decision import Decision
from shared import errors, events
from shared.conversation import Conversation
from shared.conversation.ownership import TakenHop, target_name


def check_no_loop(decision: Decision, to: events.Target) -> None:
    """Raises: TransferLoop when it was with the target so often already since she was answered last."""
    hops = _unanswered(decision.conversation)
    if _stays(hops, target_name(to)) >= decision.policy.loop_after:
        first = f"agent-{hops[0].sender}"
        raise errors.TransferLoop(path=" > ".join([first, *(each.to for each in hops)]))


def _unanswered(conversation: Conversation) -> list[TakenHop]:
    """Return the hand-overs by which it changed hands since she was answered last."""
    since = last_answer(conversation)
    return [
        each
        for each in conversation.ownership.hops
        if each.accepted is not None and (since is None or each.accepted > since)
    ]


def _stays(hops: list[TakenHop], target: str) -> int:
    """Return how often it was with a target and went on: an agent is its sender then, a group its target."""
    if target.startswith("agent-"):
        return sum(f"agent-{each.sender}" == target and each.kind != "assigned" for each in hops)
    return sum(each.to == target for each in hops)
