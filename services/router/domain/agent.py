"""The fold of an agent: at work or not, and which conversations take her slots."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from shared import events, memory, policy

NEVER = datetime.min.replace(tzinfo=UTC)


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """`since`: when her status changed last; `working_on`: one slot per conversation, offered or owned;
    `media`: on which she works there, where that is counted apart; `idle_since`: when a slot last became free."""

    status: events.AgentStatus = "signed_out"
    since: datetime | None = None
    working_on: frozenset[events.ConversationId] = frozenset()
    media: Mapping[events.ConversationId, events.Medium] = {}
    idle_since: datetime | None = None
    seen: memory.Memory = {}
    sequence: int = 0

    @property
    def on_duty(self) -> bool:
        return self.status != "signed_out"

    @property
    def turn(self) -> tuple[int, datetime]:
        """By what those who have room are asked in turn: who has least, and of them who is idle longest."""
        return len(self.working_on), self.idle_since or NEVER

    def can_take(self, limits: policy.Agent, medium: events.Medium | None = None) -> bool:
        """Tell whether one more conversation fits, begun on a medium; `None`: on none that may be counted apart."""
        room = self.status == "available" and len(self.working_on) < limits.slots
        return room and self.has_line(limits, medium)

    def has_line(
        self,
        limits: policy.Agent,
        medium: events.Medium | None,
        but: events.ConversationId | None = None,
    ) -> bool:
        """Tell whether the medium has room, whatever her slots say; `but`: a conversation that is not counted."""
        most = None if medium is None else limits.slots_by_medium.get(medium)
        if most is None:
            return True
        return sum(1 for key, each in self.media.items() if each == medium and key != but) < most


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
            conversation, medium = event.open.conversation, event.open.medium
            media = _without(changed.media, conversation)
            return replace(
                changed,
                working_on=changed.working_on | {conversation},
                media=media if medium is None else {**media, conversation: medium},
            )
        case events.AgentCallEnded():
            return replace(changed, media=_without(changed.media, event.open.conversation))
        case events.AgentReleased():
            return replace(
                changed,
                working_on=changed.working_on - {event.open.conversation},
                media=_without(changed.media, event.open.conversation),
                idle_since=event.recorded,
            )
        case _:
            return changed


def _without(
    media: Mapping[events.ConversationId, events.Medium], conversation: events.ConversationId
) -> Mapping[events.ConversationId, events.Medium]:
    return {key: each for key, each in media.items() if key != conversation} if media else media


def fold(history: Iterable[tuple[int, events.AnyEvent]], start: Agent = ABSENT) -> Agent:
    """Return the agent after (sequence, event) pairs in ledger order."""
    for sequence, event in history:
        start = evolve(start, sequence, event)
    return start
