"""Queries about service levels: how soon customers are answered, and how each deadline comes about."""

from datetime import datetime

import msgspec

from shared import events
from shared.queries.base import Answer, Id, ListAnswer, ListQuestion, Name, Question
from shared.service_levels import Counted, Pause


class ServiceLevelLine(msgspec.Struct, frozen=True, kw_only=True):
    """The waits for one `target`: `first_response`, `next_response` or `resolution`.

    `met`, `breached`: what came in time, or had not come by then; `open`: neither is known yet; `unanswered`: the
    matter was resolved, or went on elsewhere, before the time was over and without an answer.

    service_level_without_unanswered = met / (met + breached)
    service_level_with_unanswered = met / (met + breached + unanswered)

    `None` where nothing ended. A call that was lost counts as any wait: an owed call that reaches her answers it.
    """

    target: str
    met: int
    breached: int
    open: int
    unanswered: int
    service_level_without_unanswered: float | None
    service_level_with_unanswered: float | None


class ServiceLevelAnswer(Answer, frozen=True, kw_only=True):
    """A line for each target of which there are any."""

    targets: list[ServiceLevelLine]


class AskServiceLevel(Question[ServiceLevelAnswer], frozen=True, kw_only=True):
    """Of the waits that began from `since` on and before `until`: how many were answered in time.

    `queue`, `medium`: where the customer waited, and how she came.
    """

    name = "service_level"
    since: events.Instant
    until: events.Instant
    queue: Name | None = None
    medium: events.Medium | None = None


class ClockLine(msgspec.Struct, frozen=True, kw_only=True):
    """One wait. `state`: `open`, `met`, `breached` or `unanswered`, see `ServiceLevelLine`; `due`: as it was decided.

    `seconds`: of open time that it may take; `ended`: when what she waited for came; `counted`: the spans that count,
    one after another, until they are as long; `calculated`: the end of the last of them, by the calendar as it is now:
    another than `due` where the calendar has changed, `None` while it pauses, or without that calendar.
    """

    clock_id: str
    target: str
    medium: str
    queue: str
    state: str
    since: datetime
    seconds: float
    due: datetime
    ended: datetime | None
    rule: str
    policy_version: str
    calendar: str | None
    pauses: list[Pause]
    counted: list[Counted]
    calculated: datetime | None


class Clocks(ListAnswer, frozen=True, kw_only=True):
    """The first wait first."""

    clocks: list[ClockLine]


class AskClocks(ListQuestion[Clocks], frozen=True, kw_only=True):
    """How long the customer waited in a conversation, and how each deadline comes about."""

    name = "clocks"
    conversation: Id


SERVICE_LEVEL_QUERIES = (AskServiceLevel, AskClocks)
