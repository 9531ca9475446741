"""An agent comes, goes, and is away."""

from shared import events
from shared.commands.base import Command


class SignIn(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent is at work and available."""

    verb = "sign_in"


class SetStatus(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent is available, away, or signs out."""

    verb = "set_status"
    status: events.AgentStatus


AGENT_COMMANDS: tuple[type[Command], ...] = (
    SignIn,
    SetStatus,
)
