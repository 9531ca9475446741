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


Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=2_000)]


class AutomaticAnswer(Strict, frozen=True, kw_only=True):
    """What a customer is told, once in a conversation, whose message had to wait before it was decided.

    `texts`: in the shop's own words, by language; the first one is for whoever's language is not known or not there. It
    says that the message is here, that many write, and when a person answers; `after_seconds`: so long it has waited;
    `media`: of which messages; `by`: the account of e-mail that writes, `email/<name>`, where that which the message
    came to cannot.
    """

    texts: Annotated[dict[Language, Text], Meta(min_length=1, max_length=64)]
    after_seconds: Seconds = 300.0
    media: tuple[events.Medium, ...] = ("mail", "message")
    by: str | None = None

    def text(self, language: str | None) -> str:
        """Return the text for a language (BCP 47)."""
        wanted = (language or "").partition("-")[0].lower()
        return self.texts.get(wanted) or next(iter(self.texts.values()))


class Overload(Strict, frozen=True, kw_only=True):
    """What happens when contacts come faster than they are decided.

    `tell`: the queue whose people are told, else the first one; `answer`: what a customer is told who waits.
    """

    live: LaneRule = LaneRule(kept=64, limits=(10.0, 60.0))
    written: LaneRule = LaneRule(kept=4, limits=(60.0, 600.0))
    bulk: LaneRule = LaneRule()
    tell: Name | None = None
    answer: AutomaticAnswer | None = None

    def of(self, lane: events.Lane) -> LaneRule:
        rules: dict[events.Lane, LaneRule] = {
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
        limits = overload.of(lane).limits
        if list(limits) != sorted(set(limits)):
            yield f"overload: {lane}: the limits are not in order"
