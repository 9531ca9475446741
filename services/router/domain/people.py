"""Agents who come and go."""

from services.router.domain.decision import Decision
from shared import commands, errors, events


def sign_in(decision: Decision, _: commands.SignIn) -> None:
    """The agent is at work and available; already so: decide nothing."""
    agent_id = decision.by
    if decision.agent(agent_id).status != "available":
        decision.on_agent(events.AgentSignedIn, agent_id, events.AgentSignedInOpen(agent=agent_id))


def set_status(decision: Decision, command: commands.SetStatus) -> None:
    """The agent is available, away, or gone. Raises: AgentSignedOut before she signed in."""
    agent_id, status = decision.by, command.status
    before = decision.agent(agent_id).status
    if before == status:
        return
    if before == "signed_out":
        raise errors.AgentSignedOut(agent=agent_id)
    decision.on_agent(
        events.AgentStatusSet, agent_id, events.AgentStatusSetOpen(agent=agent_id, status=status)
    )
