"""Table `clock`: how long customers waited for answers, and for the end of their matters, against what was allowed."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.history.tables import conversation, row
from services.history.tables.table import Reading, Step, Table
from shared import events, queries
from shared.calendars import ALWAYS
from shared.conversation import Clock, Conversation
from shared.policy import Policy
from shared.service_levels import Calculation, Pause, calculate


class ClockRow(row.ReplacedRow, frozen=True, kw_only=True):
    """`milliseconds`: of open time that it may take; `state`: see `ClockLine`; `pauses`: as JSON, in order."""

    table = "clock"
    key = ("tenant", "conversation", "clock_id")
    tenant: str
    conversation: str
    clock_id: str
    target: str
    medium: str
    queue: str
    since: datetime
    milliseconds: int
    due: datetime
    state: str
    ended: datetime | None
    pauses: str
    calendar: str | None
    rule: str
    policy_version: str


def rows(step: Step[Conversation]) -> Iterable[ClockRow]:
    """Return the rows of the clocks that an event started, changed or ended."""
    before, after = step.before.levels, step.after.levels
    if before is after:
        return ()
    found = []
    pairs = ((before.response, after.response), (before.resolution, after.resolution))
    for was, runs in pairs:
        if was is not None and (runs is None or runs.clock_id != was.clock_id):
            found.append(_over(step, was))
        if runs is not None and runs is not was:
            state = "breached" if runs.late else "open" if runs.answered is None else "met"
            found.append(_row(step, runs, state, runs.answered))
    return found


TABLE = Table(ClockRow, rows, of=conversation.FOLD)


def _over(step: Step[Conversation], clock: Clock) -> ClockRow:
    """Return the row of a clock that an event ended: an answer, the end of the matter, or a wait that goes before."""
    event, came = step.recorded.event, clock.answered
    response = clock.target != "resolution"
    gone = events.ConversationResolved | events.ConversationAbsorbed | events.SlaStarted
    if came is None and not (response and isinstance(event, gone)):
        came = event.recorded
    late = clock.late or isinstance(event, events.SlaBreached)
    state = "breached" if late else "unanswered" if came is None else "met"
    return _row(step, clock, state, came)


def _row(step: Step[Conversation], clock: Clock, state: str, ended: datetime | None) -> ClockRow:
    tenant, name = step.key
    contact = step.after.contacts.by_id.get(clock.contact_id)
    return ClockRow(
        tenant=tenant,
        conversation=name,
        clock_id=clock.clock_id,
        target=clock.target,
        medium=contact.medium if contact else "",
        queue=clock.queue,
        since=clock.since,
        milliseconds=round(clock.seconds * 1_000),
        due=clock.due,
        state=state,
        ended=ended,
        pauses=msgspec.json.encode(clock.pauses).decode(),
        calendar=clock.calendar,
        rule=clock.rule,
        policy_version=clock.policy_version,
    )


# -- answers ------------------------------------------------------------------------------------------


async def service_level(
    reading: Reading, asked: queries.AskServiceLevel
) -> queries.ServiceLevelAnswer:
    """Answer how many customers were answered in time."""
    found = await reading.rows("service_level", asked.since, asked.until, asked.queue, asked.medium)
    return queries.ServiceLevelAnswer(
        position=await reading.position(), targets=[_counted(each) for each in found]
    )


def _counted(found: Mapping[str, Any]) -> queries.ServiceLevelLine:
    met, breached, unanswered = found["met"], found["breached"], found["unanswered"]
    return queries.ServiceLevelLine(
        target=found["target"],
        met=met,
        breached=breached,
        open=found["open"],
        unanswered=unanswered,
        service_level_without_unanswered=_share(met, met + breached),
        service_level_with_unanswered=_share(met, met + breached + unanswered),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a row that the answer goes on with."""

    clock_id: str
    target: str
    medium: str
    queue: str
    since: datetime
    milliseconds: int
    due: datetime
    state: str
    ended: datetime | None
    pauses: str
    calendar: str | None
    rule: str
    policy_version: str


_pauses = msgspec.json.Decoder(tuple[Pause, ...])


async def clocks(reading: Reading, asked: queries.AskClocks) -> queries.Clocks:
    """Answer how the deadlines of one conversation come about, the first wait first."""
    page = await reading.page(_Kept, "clocks", asked.conversation, asked=asked)
    return queries.Clocks(
        position=await reading.position(),
        count=page.count,
        next=page.next,
        clocks=[_shown(reading.policy, each) for each in page.lines],
    )


def _shown(policy: Policy, kept: _Kept) -> queries.ClockLine:
    pauses = _pauses.decode(kept.pauses)
    calculation = _calculated(policy, kept, pauses)
    return queries.ClockLine(
        clock_id=kept.clock_id,
        target=kept.target,
        medium=kept.medium,
        queue=kept.queue,
        state=kept.state,
        since=kept.since,
        seconds=kept.milliseconds / 1_000,
        due=kept.due,
        ended=kept.ended,
        rule=kept.rule,
        policy_version=kept.policy_version,
        calendar=kept.calendar,
        pauses=list(pauses),
        counted=list(calculation.counted) if calculation else [],
        calculated=calculation.due if calculation else None,
    )


def _calculated(policy: Policy, kept: _Kept, pauses: tuple[Pause, ...]) -> Calculation | None:
    """Return the calculation by the calendar as it is now; `None` when the policy has it no more."""
    hours = ALWAYS if kept.calendar is None else policy.calendars.get(kept.calendar)
    if hours is None:
        return None
    return calculate(hours, kept.since, kept.milliseconds / 1_000, pauses)
