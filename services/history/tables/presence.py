"""Table `presence`: which agents are at work."""

from collections.abc import Iterable
from typing import Any

from services.history.tables.row import ReplacedRow
from services.history.tables.table import Reading, Step, Table
from shared import events, queries


class PresenceRow(ReplacedRow, frozen=True, kw_only=True):
    """`status`: `available`, `away` or `signed_out`."""

    table = "presence"
    key = ("tenant", "agent")
    tenant: str
    agent: str
    sequence: int
    status: str


def rows(step: Step[Any]) -> Iterable[PresenceRow]:
    """Return the row of an agent who comes, goes or makes a pause."""
    event = step.recorded.event
    match event:
        case events.AgentSignedIn():
            status: str = "available"
        case events.AgentStatusSet():
            status = event.open.status
        case _:
            return ()
    row = PresenceRow(
        tenant=event.tenant,
        agent=event.open.agent,
        sequence=step.recorded.sequence,
        status=status,
    )
    return (row,)


TABLE = Table(PresenceRow, rows, on=events.AgentSignedIn | events.AgentStatusSet)


async def who_sees(reading: Reading) -> list[str]:
    """Return whoever is there to see what was told: available agents, and queues that have one."""
    there, queues = await _there(reading)
    return [f"agent-{name}" for name in there] + [f"queue-{name}" for name in queues]


async def on_duty(reading: Reading, _: queries.AskOnDuty) -> queries.OnDuty:
    """Answer who is there to take what comes in."""
    there, queues = await _there(reading)
    return queries.OnDuty(position=await reading.position(), agents=there, queues=queues)


async def _there(reading: Reading) -> tuple[list[str], list[str]]:
    """Return the available agents, and the queues that have one."""
    available = {str(row["agent"]) for row in await reading.rows("available_agents")}
    there = sorted(available & reading.policy.agents.keys())
    queues = {queue for name in there for queue in reading.policy.agents[name].queues}
    return there, sorted(queues)
