"""Which contacts of a conversation are looked at by a supervisor, and what was found."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import events

NOT_SHOWN = (events.ReviewSampled, events.ReviewScored)
"""They change nothing that a packet shows: they are about the agent."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A contact that is looked at. `scored`: when, `None` until then."""

    review_id: events.ReviewId
    contact_id: events.ContactId
    agent: events.AgentId
    queue: str
    sampled: datetime
    scored: datetime | None = None
    by: events.AgentId | None = None
    card: dict[str, int] = {}
    finding: str | None = None


class Reviewing(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """`by_id`: every review; `wrapped_up_by`: who last wrote down how each contact went."""

    by_id: dict[events.ReviewId, Review] = {}
    wrapped_up_by: dict[events.ContactId, events.AgentId] = {}


def evolve(reviewing: Reviewing, event: events.AnyEvent) -> Reviewing:
    """Return the reviews after one event."""
    match event:
        case events.ContactWrappedUp(open=wrapped):
            by = {**reviewing.wrapped_up_by, wrapped.contact_id: wrapped.agent}
            return replace(reviewing, wrapped_up_by=by)
        case events.ReviewSampled(open=sampled):
            review = Review(
                review_id=sampled.review_id,
                contact_id=sampled.contact_id,
                agent=sampled.agent,
                queue=sampled.queue,
                sampled=event.recorded,
            )
            return replace(reviewing, by_id={**reviewing.by_id, review.review_id: review})
        case events.ReviewScored(open=scored) if scored.review_id in reviewing.by_id:
            review = replace(
                reviewing.by_id[scored.review_id],
                scored=event.recorded,
                by=scored.by,
                card=scored.card,
                finding=event.personal.finding if event.personal else events.ERASED,
            )
            return replace(reviewing, by_id={**reviewing.by_id, review.review_id: review})
        case _:
            return reviewing
