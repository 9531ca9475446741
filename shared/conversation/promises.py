"""The promises of a matter: made, given another time, kept, withdrawn or broken."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from shared import events

NOT_SHOWN = (events.PromiseOverdue, events.PromiseDueSoon)
"""They change nothing that a packet shows: it shows when each is due."""


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody promised to the customer.

    Attributes:
        by: whose it is: who made it, or who agreed another time before the old one was over.
        due: the time that holds now; `first_due`: what was promised at first, `None` while that holds.
        queue: to which the matter belonged when it was made; `None` of one that was made before that was noted.
        due_soon: when whoever holds the matter is reminded, `reminded`: she was; both of the time that holds now.
        moved: how often it got another time.
        missed: once a time of it was over before it was kept or got another one; that stays so.
        end: `withdrawn` before its time was over, `broken` after it; `ended`: when.
    """

    promise_id: events.PromiseId
    text: str
    by: events.AgentId
    made: datetime
    due: datetime
    kept: datetime | None = None
    queue: str | None = None
    due_soon: datetime | None = None
    reminded: bool = False
    first_due: datetime | None = None
    moved: int = 0
    missed: bool = False
    end: Literal["withdrawn", "broken"] | None = None
    ended: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody is still to keep it."""
        return self.kept is None and self.end is None


Promises = Mapping[events.PromiseId, Promise]


def evolve(promises: dict[events.PromiseId, Promise], event: events.PromiseEvent) -> Promises:
    """Return the promises after one event; what names an unknown one changes nothing."""
    if isinstance(event, events.PromiseMade):
        return {**promises, event.open.promise_id: _made(event)}
    promise = promises.get(event.open.promise_id)
    return promises if promise is None else {**promises, promise.promise_id: _after(promise, event)}


def _made(event: events.PromiseMade) -> Promise:
    made = event.open
    return Promise(
        promise_id=made.promise_id,
        text=event.personal.text if event.personal else events.ERASED,
        by=made.agent,
        made=made.made or event.recorded,
        due=made.due,
        queue=made.queue,
        due_soon=made.due_soon,
        first_due=made.first_due,
        moved=made.moved,
        missed=made.missed,
    )


def _after(promise: Promise, event: events.PromiseEvent) -> Promise:
    match event:
        case events.PromiseDueSoon():
            return replace(promise, reminded=True)
        case events.PromiseOverdue():
            return replace(promise, missed=True)
        case events.PromiseKept():
            missed = promise.missed or event.open.late
            return replace(promise, kept=event.recorded, missed=missed)
        case events.PromiseRenegotiated():
            return _renegotiated(promise, event.open)
        case events.PromiseWithdrawn():
            return replace(promise, end="withdrawn", ended=event.recorded)
        case events.PromiseBroken():
            return replace(promise, end="broken", ended=event.recorded, missed=True)
        case _:
            return promise


def _renegotiated(promise: Promise, another: events.PromiseRenegotiatedOpen) -> Promise:
    """Return the promise with its new time, from now on whose who gave that; one that was missed stays whose it was."""
    missed = promise.missed or another.late
    return replace(
        promise,
        by=promise.by if missed else another.agent,
        due=another.due,
        due_soon=another.due_soon,
        reminded=False,
        first_due=promise.first_due or another.before,
        moved=another.moved,
        missed=missed,
    )
