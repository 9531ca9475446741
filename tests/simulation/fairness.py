"""What a simulated week must show beyond the invariants of any history: turns are kept, and nobody has too much."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.router.domain.asking import asked_for, candidates, held_for, obstacle, waits
from shared import aggregates, calendars, events
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.ledger import Recorded
from shared.policy import Policy
from tests.simulation.watch import Watch

STARVED_AFTER = timedelta(hours=8)
"""A shift: nobody waits for longer, in her queue's open time, until somebody is asked; not even after a holiday."""


def check_turns(seen: Sequence[Recorded], policy: Policy) -> int:
    """Check that an agent is offered whoever waits longest of those whom she may be asked to take, less priority.

    Return how many offers were looked at. A call that rings at its owner, and a transfer, stand in no queue.
    """
    watch, checked = Watch(policy), 0
    for each in seen:
        _, name = aggregates.split(each.aggregate)
        before, event = watch.open.get(name, NEW_CONVERSATION), each.event
        if isinstance(event, events.ContactOffered) and before.ownership.owner is None:
            checked += 1
            since, agent, now = _since(before), event.open.agent, event.recorded
            ahead = [
                other.id
                for other in watch.open.values()
                if _waits_in_queue(other)
                and _since(other) < since
                and _can_take(watch, agent, other, now)
            ]
            assert not ahead, f"{name} was offered before {ahead}, at {each.sequence}"
            had_her_last = "sticky_elsewhere" in event.open.passed_over.values()
            longer = [] if had_her_last else _before_her(watch, before, agent, now)
            assert not longer, f"{agent} was asked before {longer}, at {each.sequence}"
        watch.see(each)
    return checked


def _waits_in_queue(it: Conversation) -> bool:
    return waits(it) and it.ownership.owner is None and it.ownership.transfer is None


def _since(it: Conversation) -> datetime:
    """Return since when she waits, less her priority."""
    since = it.ownership.waiting_since or it.opened
    assert since is not None
    return since - timedelta(seconds=it.ownership.needs.priority_seconds)


def _can_take(watch: Watch, agent: events.AgentId, it: Conversation, now: datetime) -> bool:
    """Tell whether an agent could be asked for a conversation: it is not kept for somebody else who is there."""
    policy, asked = watch.policy, asked_for(watch.policy, it, now)
    held = held_for(policy, it, asked, now)
    if held is not None and held[0] != agent and watch.agents[held[0]].on_duty:
        return False
    there = watch.agents[agent]
    return (
        agent in candidates(policy, it, now)
        and obstacle(policy, it, asked.pool, agent, there, now) is None
    )


def _before_her(watch: Watch, it: Conversation, chosen: events.AgentId, now: datetime) -> list[str]:
    """Return who could have been asked in the place of an agent, and whose turn was before hers.

    Of several offers in one decision her slots stand before the later ones: this one is not yet among what she has.
    """
    refused, there = it.ownership.passed_over, watch.agents[chosen]
    turn = replace(there, working_on=there.working_on - {it.id}).turn
    return [
        name
        for name in candidates(watch.policy, it, now)
        if name != chosen
        and refused.get(name, 0) <= refused.get(chosen, 0)
        and watch.agents[name].turn < turn
        and _can_take(watch, name, it, now)
    ]


def check_room(seen: Sequence[Recorded], policy: Policy) -> int:
    """Check that nobody is asked beyond her slots, of all and of each medium; return the most that anybody had.

    What comes back to her, and what a supervisor gives her, she has whatever else she has.
    """
    watch, most = Watch(policy), 0
    for each in seen:
        event = each.event
        watch.see(each)
        if not isinstance(event, events.AgentReserved):
            continue
        stands, limits = watch.agents[event.open.agent], policy.agents[event.open.agent]
        most = max(most, len(stands.working_on))
        if event.open.until is None:
            continue
        assert len(stands.working_on) <= limits.slots, (event.open.agent, each.sequence)
        for medium, lines in limits.slots_by_medium.items():
            taken = [one for one in stands.media.values() if one == medium]
            if event.open.medium == medium:
                assert len(taken) <= lines, (event.open.agent, medium, each.sequence)
    return most


def longest_wait(seen: Sequence[Recorded], policy: Policy, end: datetime) -> timedelta:
    """Return how long anybody waited, in the open time of her queue, until somebody was asked or she was gone.

    Raises: AssertionError when that was for longer than STARVED_AFTER.
    """
    longest = timedelta(0)
    for name, queue, since, until in _waits(seen, end):
        waited = calendars.open_between(policy.hours(queue), since, until)
        assert waited <= STARVED_AFTER, (name, queue, since, until, waited)
        longest = max(longest, waited)
    return longest


def _waits(
    seen: Sequence[Recorded], end: datetime
) -> Iterator[tuple[str, str, datetime, datetime]]:
    """Yield each wait in a queue: whose, in which, from when until when."""
    standing: dict[str, tuple[str, datetime]] = {}
    for each in seen:
        _, name = aggregates.split(each.aggregate)
        event = each.event
        if isinstance(event, events.ContactQueued | events.ConversationReturned):
            standing.setdefault(name, (event.open.queue, event.recorded))
        elif _ends_a_wait(event) and name in standing:
            queue, since = standing.pop(name)
            yield name, queue, since, event.recorded
    for name, (queue, since) in standing.items():
        yield name, queue, since, end


def _ends_a_wait(event: events.AnyEvent) -> bool:
    match event:
        case (
            events.ContactOffered()
            | events.ContactAbandoned()
            | events.ContactMissed()
            | events.CallbackReached()
            | events.ConversationAssigned()
            | events.ConversationAbsorbed()
            | events.ConversationResolved()
        ):
            return True
        case events.ConversationMerged():
            return event.open.owner is not None
        case _:
            return False
