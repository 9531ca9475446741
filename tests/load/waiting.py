"""Who waited how long in a queue, and when somebody who was there was first asked or told: read from the ledger."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.router.domain import agent as agents
from shared import aggregates, events
from shared import conversation as conversations
from shared.ledger import Recorded
from shared.policy import Policy


@dataclass(frozen=True, slots=True)
class Wait:
    """A matter stood in a queue from `since` to `until`, or still does. `asked`: when somebody was asked or told."""

    conversation: str
    queue: str
    since: datetime
    until: datetime | None
    asked: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Presence:
    """`available` from a moment on, or not."""

    at: datetime
    available: bool


def waits(recorded: Sequence[Recorded], told: Mapping[str, datetime]) -> list[Wait]:
    """Return every wait. `told`: when a notice was on a screen, by its id."""
    asked, histories = _asked(recorded, told), _histories(recorded)
    return [wait for name, history in histories.items() for wait in _of(name, history, asked)]


def _histories(recorded: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    found: dict[str, list[Recorded]] = {}
    for each in recorded:
        if aggregates.split(each.aggregate)[0] == aggregates.CONVERSATION.prefix:
            found.setdefault(each.aggregate, []).append(each)
    return found


def _asked(
    recorded: Iterable[Recorded], told: Mapping[str, datetime]
) -> Mapping[str, list[datetime]]:
    """Return by conversation when somebody was asked to take it, or told of it on a screen."""
    found: dict[str, list[datetime]] = {}
    for each in recorded:
        event, conversation = each.event, str(each.event.conversation)
        if isinstance(event, events.ContactOffered | events.TransferOffered):
            found.setdefault(conversation, []).append(event.recorded)
        elif isinstance(event, events.NotificationRequested):
            at = told.get(event.open.notification_id)
            name = aggregates.split(each.aggregate)[1]
            found.setdefault(name, []).extend([at] if at else [])
    return found


def _of(name: str, history: list[Recorded], asked: Mapping[str, list[datetime]]) -> Iterable[Wait]:
    state, began = conversations.NEW_CONVERSATION, None
    conversation = aggregates.split(name)[1]
    moments = asked.get(conversation, [])
    for each in history:
        state = conversations.evolve(state, each.sequence, each.event)
        queue = None if state.resolved else state.ownership.queue
        if began is not None and began[0] != queue:
            yield Wait(conversation, *began, each.event.recorded, tuple(moments))
            began = None
        if queue is not None and began is None:
            began = (queue, each.event.recorded)
    if began is not None:
        yield Wait(conversation, *began, None, tuple(moments))


def presence(recorded: Iterable[Recorded]) -> Mapping[str, list[Presence]]:
    """Return by agent when she became available, and when she went."""
    found: dict[str, list[Presence]] = {}
    state: dict[str, agents.Agent] = {}
    for each in recorded:
        prefix, name = aggregates.split(each.aggregate)
        if prefix != aggregates.AGENT.prefix:
            continue
        before = state.get(name, agents.ABSENT)
        state[name] = agents.evolve(before, each.sequence, each.event)
        now = state[name].status == "available"
        if now != (before.status == "available"):
            found.setdefault(name, []).append(Presence(each.event.recorded, now))
    return found


def unseen_seconds(
    wait: Wait, there: Mapping[str, Sequence[Presence]], policy: Policy, end: datetime
) -> float:
    """Return how long a wait went on unseen while there was somebody to see it.

    It is seen as soon as somebody is asked to take it, or told of it on a screen, while one of its queue or the
    queue's supervisor is there. The time runs only while there is one.
    """
    supervisor = policy.queues[wait.queue].supervisor
    people = {*policy.agents_of_queue(wait.queue), *([supervisor] if supervisor else [])}
    presences = [there.get(name, ()) for name in people]
    seen = [at for at in wait.asked if at >= wait.since and is_there(at, presences)]
    until = min([*seen, wait.until or end])
    return covered(wait.since, until, presences)


def is_there(moment: datetime, presences: Iterable[Sequence[Presence]]) -> bool:
    """Tell whether one of several people is there at a moment."""
    last = (next((each for each in reversed(one) if each.at <= moment), None) for one in presences)
    return any(each is not None and each.available for each in last)


def covered(since: datetime, until: datetime, presences: Iterable[Sequence[Presence]]) -> float:
    """Return how many seconds between two moments at least one of several people is there."""
    people = list(presences)
    inside = {each.at for one in people for each in one if since < each.at < until}
    moments = [since, *sorted(inside), until]
    return sum(
        (last - first).total_seconds()
        for first, last in itertools.pairwise(moments)
        if last > first and is_there(first, people)
    )
