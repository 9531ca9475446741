"""An agent's work by how it stands: hers, waiting in her queues, put aside, done."""

from services.history.tables.table import Reading
from shared import errors, queries


async def work_list(reading: Reading, asked: queries.AskWorkList) -> queries.WorkList:
    """Answer a state's conversations, page by page. Raises: AgentUnknown, CommandUnreadable."""
    agent = reading.policy.agents.get(asked.agent)
    if agent is None:
        raise errors.AgentUnknown(agent=asked.agent)
    whose = list(agent.queues) if asked.state == "waiting" else asked.agent
    page = await reading.page(
        queries.WorkLine, f"work_{asked.state}", whose, asked.queue, asked.label, asked=asked
    )
    return queries.WorkList(
        position=await reading.position(), count=page.count, next=page.next, work=page.lines
    )
