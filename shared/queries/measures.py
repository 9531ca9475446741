"""The query about the measures of a contact centre."""

import msgspec

from shared import events
from shared.queries.base import Answer, Name, Question

MEASURES_VERSION = 2
"""Raise it with every change of a formula: figures of different versions are not compared."""


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """Shares are 0 to 1, times seconds; `None` where nothing was there to measure.

    `asa_to_asked`, `asa_to_taken`: of live contacts the average wait until somebody was asked, and took it; `aht`: from
    taking to wrap-up; `service_level_20s_…`: of live contacts, taken within 20 seconds, of those taken and those lost:
    all of these, those after 5 seconds, or none; `abandonment`: of live contacts, and its two parts: before and after
    somebody had been asked to take it; `fcr_gross`, `fcr_net`: solved at the first contact, of all and of those that
    went to nobody else; `repeat_contact`: of those solved, the person came again within 7 days, `…_same_matter` with
    the same; `occupancy`: of the time available; `acknowledged`: of hand-overs; `repeats_per_hand_over`: facts told
    again; `promise_kept`: in time, of those due; `missed_recovery`: of the lost whose number is known, reached;
    `recovery_seconds`: the median; `feedback_score`: the mean of what customers say of a contact, 1 to 5;
    `feedback_rate`: of those who were asked, who said it.
    """

    version: int = MEASURES_VERSION
    contacts: int
    taken: int
    abandoned: int
    missed: int
    asa_to_asked: float | None
    asa_to_taken: float | None
    aht: float | None
    service_level_20s_with_abandoned: float | None
    service_level_20s_without_short_abandoned: float | None
    service_level_20s_without_abandoned: float | None
    abandonment: float | None
    abandonment_before_asked: float | None
    abandonment_after_asked: float | None
    transfer_rate: float | None
    fcr_gross: float | None
    fcr_net: float | None
    repeat_contact: float | None
    repeat_contact_same_matter: float | None
    occupancy: float | None
    acknowledged: float | None
    repeats_per_hand_over: float | None
    promise_kept: float | None
    missed_recovery: float | None
    recovery_seconds: float | None
    feedback_score: float | None = None
    feedback_rate: float | None = None


class MeasuresAnswer(Answer, frozen=True, kw_only=True):
    """The figures, true for `position`."""

    measures: Measures


class AskMeasures(Question[MeasuresAnswer], frozen=True, kw_only=True):
    """How the contacts that began from `since` on and before `until` were handled.

    `queue`, `agent`, `channel`: where they waited, who took them, and how they came. A range of more conversations than
    one answer is made of is refused (`query.range_too_large`).
    """

    name = "measures"
    since: events.Instant
    until: events.Instant
    queue: Name | None = None
    agent: Name | None = None
    channel: Name | None = None


MEASURES_QUERIES = (AskMeasures,)
