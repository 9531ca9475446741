"""Who takes work, and where it waits."""

from typing import Annotated

from msgspec import Meta

from shared import events
from shared.strict import Name, Seconds, Strict

WaitLimits = Annotated[tuple[Seconds, ...], Meta(max_length=8)]
Transports = Annotated[tuple[Name, ...], Meta(min_length=1, max_length=8)]


class Queue(Strict, frozen=True, kw_only=True):
    """Where contacts wait.

    `supervisor`: who is told when nobody acknowledges; `transports`: how its agents are told; `calendar`: when its
    agents are there, where it is not the tenant's; `calendars`: the same for single media; `wait_seconds`: for how long
    somebody may wait live, where it is not as everywhere.
    """

    title: str
    supervisor: Name | None = None
    transports: Transports | None = None
    calendar: Name | None = None
    calendars: dict[events.Medium, Name] = {}
    wait_seconds: WaitLimits | None = None


class Agent(Strict, frozen=True, kw_only=True):
    """A person who takes work.

    `slots`: conversations at once; `queues`: in which she is offered contacts; `transports`: how she is told.
    """

    name: str
    queues: list[Name]
    teams: list[Name] = []
    slots: Annotated[int, Meta(ge=1, le=100)] = 3
    transports: Transports | None = None
