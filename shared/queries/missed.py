"""The query about contacts that nobody took: what became of each."""

from datetime import datetime
from typing import Literal

import msgspec

from shared import events
from shared.queries.base import ListAnswer, ListQuestion, Name

Fate = Literal["reached", "answered", "closed", "open", "unreachable", "unaccounted"]
"""What became of a contact that was lost.

`reached`: somebody talked with her; `answered`: she wrote since, and was answered; `closed`: for another reason, which
was stated; `open`: a call is owed to her; `unreachable`: no number of hers is known; `unaccounted`: none of these,
which must never be.
"""


class MissedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One contact that nobody took. `reason`: see the event `contact.missed`; `lost`: when.

    `callback_id`, `queue`, `due`, `attempts`: of the call that is owed for it, wherever the matter goes on by now, and
    `owner`: who has that matter; `settled`: when she was reached, or it was closed; `in_time`: by when it was owed at
    first; `why`: for which reason it was closed.
    """

    conversation: str
    contact_id: str
    lost: datetime
    reason: str
    fate: Fate
    queue: str
    callback_id: str | None = None
    due: datetime | None = None
    attempts: int = 0
    owner: str | None = None
    settled: datetime | None = None
    in_time: bool = False
    why: str | None = None


class MissedCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many contacts were lost, and of how many each fate is: these add up to `lost`.

    `reached_in_time`: of those reached, within the time in which the call was owed at first; `recovery`: their share of
    all whose number is known; `reach_seconds`: from the loss until she was reached, the median; `None` without any.
    """

    lost: int
    reached: int
    answered: int
    closed: int
    open: int
    unreachable: int
    unaccounted: int
    reached_in_time: int
    recovery: float | None
    reach_seconds: float | None


class Missed(ListAnswer, frozen=True, kw_only=True):
    """The first that was lost first. `counts`: of all that were, whatever `fate` was asked for."""

    counts: MissedCounts
    contacts: list[MissedLine]


class AskMissed(ListQuestion[Missed], frozen=True, kw_only=True):
    """Which contacts nobody took from `since` on and before `until`, and what became of each.

    `queue`: where they were lost.
    """

    name = "missed"
    since: events.Instant
    until: events.Instant
    queue: Name | None = None
    fate: Fate | None = None


MISSED_QUERIES = (AskMissed,)
