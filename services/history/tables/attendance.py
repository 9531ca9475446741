"""Table `attendance`: each agent as she is at work now; table `stretch`: when she was available, and occupied."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import msgspec

from services.history.domain import attendance
from services.history.domain.attendance import (
    NEVER_THERE,
    Attendance,
    AttendanceEvent,
    Stretch,
)
from services.history.tables.row import AddedRow, Key, ReplacedRow
from services.history.tables.table import Fold, Reading, Step, Table
from shared import aggregates, errors
from shared.ledger import Recorded

STRETCHES_MAX = 100_000
"""Of so many one answer is made, and not of more."""
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Attendance)


class AttendanceRow(ReplacedRow, frozen=True, kw_only=True):
    """`id`: the agent; `state`: the fold."""

    table = "attendance"
    key = ("tenant", "id")
    tenant: str
    id: str
    state: bytes


class StretchRow(AddedRow, frozen=True, kw_only=True):
    """A stretch in which an agent was available, written when it is over. `occupied`: see `Stretch`."""

    table = "stretch"
    tenant: str
    agent: str
    since: datetime
    until: datetime
    occupied: bool


def key_of(recorded: Recorded) -> Key | None:
    """Return the tenant and the agent of an event that tells of her time; of others `None`."""
    if not isinstance(recorded.event, AttendanceEvent):
        return None
    return recorded.event.tenant, aggregates.split(recorded.aggregate)[1]


def evolve(known: Attendance, recorded: Recorded) -> Attendance:
    """Return the fold after an event."""
    return attendance.evolve(known, recorded.event)


def write(key: Key, known: Attendance) -> AttendanceRow:
    """Return the row of an agent."""
    tenant, name = key
    return AttendanceRow(tenant=tenant, id=name, state=_encoder.encode(known))


def read(state: bytes) -> Attendance:
    """Return the fold in a row's `state`."""
    return _decoder.decode(state)


FOLD = Fold(
    row=AttendanceRow,
    kind=aggregates.AGENT,
    key=key_of,
    empty=NEVER_THERE,
    evolve=evolve,
    write=write,
    read=read,
)


def rows(step: Step[Attendance]) -> Iterable[StretchRow]:
    """Return the row of the stretch that an event ended."""
    over = attendance.ended(step.before, step.after)
    if over is None:
        return ()
    tenant, name = step.key
    row = StretchRow(
        sequence=step.recorded.sequence,
        tenant=tenant,
        agent=name,
        since=over.since,
        until=over.until,
        occupied=over.occupied,
    )
    return (row,)


STRETCHES = Table(StretchRow, rows, of=FOLD)


# -- what measures are made of ------------------------------------------------------------------------


async def agents(reading: Reading, agent: str | None) -> dict[str, Attendance]:
    """Return an agent as she is at work now, or all."""
    return {row["id"]: read(row["state"]) for row in await reading.rows("attendance", agent)}


async def stretches(
    reading: Reading, since: datetime, until: datetime, agent: str | None
) -> dict[str, list[Stretch]]:
    """Return what is over of the time of an agent, or of all, in a range. Raises: RangeTooLarge."""
    found = await reading.rows("stretches", since, until, agent, STRETCHES_MAX + 1)
    if len(found) > STRETCHES_MAX:
        raise errors.RangeTooLarge(stretches_max=STRETCHES_MAX)
    of_agents: dict[str, list[Stretch]] = defaultdict(list)
    for row in found:
        stretch = Stretch(since=row["since"], until=row["until"], occupied=row["occupied"])
        of_agents[row["agent"]].append(stretch)
    return of_agents
