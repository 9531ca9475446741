"""The part of a policy that says what happens when contacts come faster than they are decided. Pure."""

import typing
from collections.abc import Container, Iterator, Mapping
from typing import Annotated

from msgspec import Meta

from shared import events
from shared.automatic_words import AutomaticWords
from shared.strict import Name, Seconds, Strict


class LaneRule(Strict, frozen=True, kw_only=True):
    """What holds of a lane of contacts; what it does not say is as usual.

    `kept`: so many of its contact events are decided side by side at least, by each router, while those of a faster
    lane wait, so for the fastest it says nothing: 8 of `written`, 2 of `bulk`; `limits`: how long its oldest undecided
    contact event may wait, in seconds, shortest first: 10 and 60 of `live`, 60 and 600 of `written`, none of `bulk`.
    """

    kept: Annotated[int, Meta(ge=1, le=64)] | None = None
    limits: tuple[Seconds, ...] | None = None


KEPT: Mapping[events.Lane, int] = {"live": 64, "written": 8, "bulk": 2}
LIMITS_SECONDS: Mapping[events.Lane, tuple[float, ...]] = {
    "live": (10.0, 60.0),
    "written": (60.0, 600.0),
    "bulk": (),
}


class AutomaticAnswer(AutomaticWords, frozen=True, kw_only=True):
    """What a customer is told, once in a conversation, whose message had to wait before it was decided.

    `texts`: in the shop's own words, by language; the first one is for whoever's language is not known or not there.
    They say that the message is here, that many write, and when a person answers; `after_seconds`: so long it has
    waited; `media`: of which messages; `by`: the account of e-mail that writes, `email/<name>`, where that which the
    message came to cannot.
    """

    after_seconds: Seconds = 300.0
    media: tuple[events.Medium, ...] = ("mail", "message")
    by: str | None = None


class Overload(Strict, frozen=True, kw_only=True):
    """What happens when contacts come faster than they are decided.

    `tell`: the queue whose people are told, else the first one; `answer`: what a customer is told who waits.
    """

    live: LaneRule = LaneRule()
    written: LaneRule = LaneRule()
    bulk: LaneRule = LaneRule()
    tell: Name | None = None
    answer: AutomaticAnswer | None = None

    def kept(self, lane: events.Lane) -> int:
        """Return how many of a lane are decided side by side although faster ones wait."""
        return self._of(lane).kept or KEPT[lane]

    def limits(self, lane: events.Lane) -> tuple[float, ...]:
        """Return how long the oldest of a lane may wait, in seconds, shortest first."""
        said = self._of(lane).limits
        return LIMITS_SECONDS[lane] if said is None else said

    def _of(self, lane: events.Lane) -> LaneRule:
        rules: Mapping[events.Lane, LaneRule] = {
            "live": self.live,
            "written": self.written,
            "bulk": self.bulk,
        }
        return rules[lane]


def complaints(
    overload: Overload, queues: Container[str], writers: Container[str]
) -> Iterator[str]:
    """Yield what cannot be so. `writers`: the accounts of e-mail with an address."""
    if overload.tell is not None and overload.tell not in queues:
        yield f"overload: no queue {overload.tell}"
    answer = overload.answer
    if answer is not None and answer.by is not None and answer.by not in writers:
        yield f"overload: answer: {answer.by} is no account of e-mail with an address"
    for lane in typing.get_args(events.Lane):
        limits = overload.limits(lane)
        if list(limits) != sorted(set(limits)):
            yield f"overload: {lane}: the limits are not in order"
