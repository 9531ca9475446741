"""The part of a policy that says what happens when contacts come faster than they are decided. Pure."""

import typing
from collections.abc import Container, Iterator
from typing import Annotated

from msgspec import Meta

from shared import events
from shared.strict import Name, Seconds, Strict


class LaneRule(Strict, frozen=True, kw_only=True):
    """What holds of a lane of contacts.

    `kept`: so many of its contact events are decided side by side at least, by each router, while those of a faster
    lane wait; `limits`: how long its oldest undecided contact event may wait, in seconds, shortest first.
    """

    kept: Annotated[int, Meta(ge=1, le=64)] = 1
    limits: tuple[Seconds, ...] = ()


class Overload(Strict, frozen=True, kw_only=True):
    """What happens when contacts come faster than they are decided.

    `tell`: the queue whose people are told, else the first one.
    """

    live: LaneRule = LaneRule(kept=64, limits=(10.0, 60.0))
    written: LaneRule = LaneRule(kept=4, limits=(60.0, 600.0))
    bulk: LaneRule = LaneRule()
    tell: Name | None = None

    def of(self, lane: events.Lane) -> LaneRule:
        rules: dict[events.Lane, LaneRule] = {
            "live": self.live,
            "written": self.written,
            "bulk": self.bulk,
        }
        return rules[lane]


def complaints(overload: Overload, queues: Container[str]) -> Iterator[str]:
    """Yield what cannot be so."""
    if overload.tell is not None and overload.tell not in queues:
        yield f"overload: no queue {overload.tell}"
    for lane in typing.get_args(events.Lane):
        limits = overload.of(lane).limits
        if list(limits) != sorted(set(limits)):
            yield f"overload: {lane}: the limits are not in order"
