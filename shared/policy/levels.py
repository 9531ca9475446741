"""How soon customers are answered, and matters are resolved."""

from collections.abc import Collection
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared import events
from shared.strict import Name, Seconds, Strict

AheadFor = Literal["queue", "account", "vip", "cart"]
"""Why somebody stands ahead as she begins to wait; a rule acts when her time runs already."""


class ServiceLevel(Strict, frozen=True, kw_only=True):
    """How long the customer may wait, in open time of the calendar that holds.

    `media`, `queues`, `teams`, `priority`: for which it is, none: for all. A team is her owner's, or has agents in the
    queue where she waits; `priority`: reasons for which she stood ahead when she last began to wait, any of them.
    `first_response_seconds`: until a person answers her for the first time; `next_response_seconds`: the same of what
    she says later; `resolution_seconds`: until the matter is resolved, without the time in which it waits for her; a
    time that is not given says a later service level that fits, or none does; `warn_percent`: after how much of the
    time whoever can still answer is told.
    """

    name: Name
    media: tuple[events.Medium, ...] = ()
    queues: tuple[Name, ...] = ()
    teams: tuple[Name, ...] = ()
    priority: tuple[AheadFor, ...] = ()
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


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Who waits for what, as far as service levels ask."""

    target: events.SlaTarget
    medium: events.Medium
    queue: str | None
    teams: Collection[str] = ()
    priority: Collection[events.PriorityReason] = ()


def seconds_for(level: ServiceLevel, wait: Wait) -> float | None:
    """Return how long a service level gives for what is waited for; `None` where it does not fit, or does not say."""
    asked = (
        (level.media, (wait.medium,)),
        (level.queues, (wait.queue,)),
        (level.teams, wait.teams),
        (level.priority, wait.priority),
    )
    if any(wanted and not set(wanted).intersection(has) for wanted, has in asked):
        return None
    match wait.target:
        case "first_response":
            return level.first_response_seconds
        case "next_response":
            return level.next_response_seconds
        case "resolution":
            return level.resolution_seconds
