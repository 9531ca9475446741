"""The fold of an agent: at work or not, and which conversations take her slots."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import events, memory


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """`since`: when her status changed last; `working_on`: one slot per conversation, offered or owned;
    `idle_since`: when a slot last became free."""

    status: events.AgentStatus = "signed_out"
    since: datetime | None = None
    working_on: frozenset[events.ConversationId] = frozenset()
    idle_since: datetime | None = None
    seen: memory.Memory = {}
    sequence: int = 0

    @property
    def on_duty(self) -> bool:
        return self.status != "signed_out"

    def can_take(self, slots: int) -> bool:
        return self.status == "available" and len(self.working_on) < slots


ABSENT = Agent()


def evolve(agent: Agent, sequence: int, event: events.AnyEvent) -> Agent:
    """Return the agent after one event of `agent-<id>`, remembered as a command; of one that was folded in already
    only that is new. It never fails."""
    seen = memory.remember(agent.seen, sequence, event)
    known = sequence <= agent.sequence
    return replace(agent if known else evolve_parts(agent, sequence, event), seen=seen)


def evolve_parts(agent: Agent, sequence: int, event: events.AnyEvent) -> Agent:
    """Return the same without the memory of commands: enough to know whom to ask."""
    changed = replace(agent, sequence=sequence)
    match event:
        case events.AgentSignedIn():
            at = event.recorded
            return replace(changed, status="available", since=at, idle_since=at)
        case events.AgentStatusSet():
            return replace(changed, status=event.open.status, since=event.recorded)
        case events.AgentReserved():
            return replace(changed, working_on=changed.working_on | {event.open.conversation})
        case events.AgentReleased():
            rest = changed.working_on - {event.open.conversation}
            return replace(changed, working_on=rest, idle_since=event.recorded)
        case _:
            return changed


def fold(history: Iterable[tuple[int, events.AnyEvent]], start: Agent = ABSENT) -> Agent:
    """Return the agent after (sequence, event) pairs in ledger order."""
    for sequence, event in history:
        start = evolve(start, sequence, event)
    return start
