"""Who takes work, and where it waits."""

from typing import Annotated

from msgspec import Meta

from shared import events
from shared.policy.lines import NextLine
from shared.policy.needs import RELAXES, Language, Level, PrioritySeconds, Relaxation
from shared.strict import Name, Seconds, Strict

WaitLimits = Annotated[tuple[Seconds, ...], Meta(max_length=8)]
Transports = Annotated[tuple[Name, ...], Meta(min_length=1, max_length=8)]
Slots = Annotated[int, Meta(ge=1, le=100)]


class Queue(Strict, frozen=True, kw_only=True):
    """Where contacts wait.

    `supervisor`: who is told when nobody acknowledges; `transports`: how its agents are told; `calendar`: when its
    agents are there, where it is not the tenant's; `calendars`: the same for single media; `wait_seconds`: for how long
    somebody may wait live, where it is not as everywhere; `skills`: what whoever takes a contact must be able to do,
    and how well; `relaxes`: what is asked of her less the longer the contact waits, in order; `priority_seconds`: so
    much ahead of others its contacts stand, as if they had come earlier; `sticky_seconds`: so long a contact waits
    for the agent who had the customer last, while she is on duty; if she is free she is asked first anyway;
    `next_line`: where goes what cannot be answered here.
    """

    title: str
    supervisor: Name | None = None
    transports: Transports | None = None
    calendar: Name | None = None
    calendars: dict[events.Medium, Name] = {}
    wait_seconds: WaitLimits | None = None
    skills: dict[Name, Level] = {}
    relaxes: Annotated[tuple[Relaxation, ...], Meta(max_length=8)] = RELAXES
    priority_seconds: PrioritySeconds = 0
    sticky_seconds: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    next_line: NextLine | None = None


class Agent(Strict, frozen=True, kw_only=True):
    """A person who takes work.

    `slots`: conversations at once, `slots_by_medium`: of these so many of a medium, where it is counted apart (a call
    until it ends); `queues`: in which she is offered contacts; `transports`: how she is told; `skills`: what she can
    do, from 1 (a little) to 5 (best); `languages`: what she speaks; without any she is asked whatever the
    customer speaks.
    """

    name: str
    queues: list[Name]
    teams: list[Name] = []
    slots: Slots = 3
    slots_by_medium: dict[events.Medium, Slots] = {}
    transports: Transports | None = None
    skills: dict[Name, Level] = {}
    languages: list[Language] = []
