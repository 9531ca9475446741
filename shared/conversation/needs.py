"""What is asked of whoever takes a conversation, as it was recorded when it began to wait."""

import msgspec

from shared import events


class Needs(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """See `contact.queued`. `queue`: in which the skills are asked for; `None` where nothing is asked for."""

    queue: str | None = None
    skills: dict[str, int] = {}
    language: str | None = None
    priority: dict[events.PriorityReason, int] = {}
    last_agent: events.AgentId | None = None

    @property
    def priority_seconds(self) -> int:
        """How far ahead of others she stands."""
        return sum(self.priority.values())


def needs_of(queued: events.ContactQueued) -> Needs:
    """Return what an event says is needed."""
    opened = queued.open
    return Needs(
        queue=opened.queue if opened.skills else None,
        skills=opened.skills,
        language=opened.language,
        priority=opened.priority,
        last_agent=opened.last_agent,
    )
