"""What a simulated week must show beyond the invariants of any history: turns are kept, and nobody has too much."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.router.domain.asking import waits
from services.router.domain.pool import known_queue
from shared import aggregates, conversation, events
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.ledger import Recorded
from shared.policy import Policy


def check_turns(seen: Sequence[Recorded], policy: Policy) -> int:
    """Check that in a queue it is offered by virtual start, but where an agent had her and let her go.

    Return how many offers were looked at. A call that rings at its owner, and a transfer, stand in no queue.
    """
    standing: dict[str, Conversation] = {}
    checked = 0
    for each in seen:
        prefix, name = aggregates.split(each.aggregate)
        if prefix != aggregates.CONVERSATION.prefix:
            continue
        before = standing.get(name, NEW_CONVERSATION)
        if isinstance(each.event, events.ContactOffered) and before.ownership.owner is None:
            checked += 1
            queue, since = known_queue(policy, before.ownership.queue), _since(before)
            ahead = [
                other.id
                for other in standing.values()
                if _in_turn(other, queue, policy) and _since(other) < since
            ]
            assert not ahead, f"{name} was offered before {ahead}, at {each.sequence}"
        after = conversation.evolve_parts(before, each.sequence, each.event)
        standing[name] = after
        if after.resolved:
            del standing[name]
    return checked


def _in_turn(it: Conversation, queue: str, policy: Policy) -> bool:
    ownership = it.ownership
    return (
        waits(it)
        and ownership.owner is None
        and ownership.transfer is None
        and not ownership.passed_over
        and known_queue(policy, ownership.queue) == queue
    )


def _since(it: Conversation) -> datetime:
    """Return since when she waits, less her priority."""
    since = it.ownership.waiting_since or it.opened
    assert since is not None
    return since - timedelta(seconds=it.ownership.needs.priority_seconds)


def check_room(seen: Sequence[Recorded], policy: Policy) -> int:
    """Check that no agent ever has more than her slots, but for what she called back herself; return the most.

    Who reaches a customer owns her matter, whatever else she has.
    """
    holds: dict[str, set[str]] = {name: set() for name in policy.agents}
    most, reached = 0, set[str]()
    for each in seen:
        event = each.event
        if isinstance(event, events.CallbackReached):
            reached.add(event.conversation or "")
        elif isinstance(event, events.AgentReserved):
            held = holds[event.open.agent]
            held.add(event.open.conversation)
            most = max(most, len(held))
            offered = {name for name in held if name not in reached}
            assert len(offered) <= policy.agents[event.open.agent].slots, event.open.agent
        elif isinstance(event, events.AgentReleased):
            holds[event.open.agent].discard(event.open.conversation)
    return most
