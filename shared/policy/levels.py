"""How soon customers are answered, and matters are resolved."""

from typing import Annotated

from msgspec import Meta

from shared import events
from shared.strict import Name, Seconds, Strict


class ServiceLevel(Strict, frozen=True, kw_only=True):
    """How long the customer may wait, in open time of the calendar that holds.

    `media`, `queues`: for which it is, none: for all; `first_response_seconds`: until a person answers her for the
    first time; `next_response_seconds`: the same of what she says later; `resolution_seconds`: until the matter is
    resolved, without the time in which it waits for her; a time that is not given says a later service level that
    fits, or none does; `warn_percent`: after how much of the time whoever can still answer is told.
    """

    name: Name
    media: tuple[events.Medium, ...] = ()
    queues: tuple[Name, ...] = ()
    first_response_seconds: Seconds | None = None
    next_response_seconds: Seconds | None = None
    resolution_seconds: Seconds | None = None
    warn_percent: Annotated[int, Meta(ge=1, le=99)] = 80


DEFAULT = (
    ServiceLevel(
        name="at_once",
        media=("chat", "message"),
        first_response_seconds=900.0,
        next_response_seconds=900.0,
    ),
    ServiceLevel(
        name="within_the_hour", first_response_seconds=3_600.0, next_response_seconds=3_600.0
    ),
)
"""Chats and messages within a quarter of an hour, all else within an hour; no time for the end of a matter."""


def seconds_for(
    level: ServiceLevel, target: events.SlaTarget, queue: str | None, medium: events.Medium
) -> float | None:
    """Return how long a service level gives for a target; `None` where it does not fit, or does not say."""
    if (level.media and medium not in level.media) or (level.queues and queue not in level.queues):
        return None
    match target:
        case "first_response":
            return level.first_response_seconds
        case "next_response":
            return level.next_response_seconds
        case "resolution":
            return level.resolution_seconds
