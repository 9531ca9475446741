"""Everything that a playing story holds: its stack, its connections, what was saved and answered so far."""

from dataclasses import dataclass, field
from typing import Any

from deploy.story import asking, ledger_copy
from deploy.story.file.model import Expect, Story
from deploy.story.providers import api_server, chat_socket, doors, mail_sink
from deploy.story.stack import Stack
from deploy.story.telling.report import Report
from shared.policy import Policy


@dataclass(frozen=True, slots=True)
class AgentView:
    """What an agent saw when she accepted, as history answered it: to be asked for again at the end."""

    agent: str
    conversation: str
    sequence: int
    digest: str
    shown_sha256: str | None


@dataclass(frozen=True, slots=True)
class Met:
    """An expectation that was met at step `n`."""

    n: int
    wanted: Expect


@dataclass
class Session:
    """One story at play.

    `others`: the same for the other tenants of the story, by name.
    `answers`: of the last step; several after a `together` or `times`. `met`: expectations to look at again at the end.
    `balance_before`: how ingest's balance stood when the story began; {} for a fresh stack.
    """

    story: Story
    stack: Stack
    asker: asking.Asker
    sink: mail_sink.MailSink
    apis: api_server.ApiServer
    ledger: ledger_copy.LedgerCopy
    report: Report
    policy: Policy
    known: dict[str, Any]
    chats: chat_socket.Chats = field(default_factory=chat_socket.Chats)
    balance_before: dict[str, int] = field(default_factory=dict)
    answers: list[doors.Answer] = field(default_factory=list)
    met: list[Met] = field(default_factory=list)
    seen: list[AgentView] = field(default_factory=list)
    others: dict[str, "Session"] = field(default_factory=dict)

    @property
    def tenant(self) -> str:
        return self.asker.tenant

    @property
    def all(self) -> "list[Session]":
        """The session of every tenant of the story, this one last."""
        return [*self.others.values(), self]

    def of(self, tenant: str | None) -> "Session":
        """Return the session of a tenant; this one where the story has no such tenant."""
        return self.others.get(tenant or "", self)

    def queues_of(self, agent: str) -> list[str]:
        """Return the queues an agent works for, as the policy says."""
        known = self.policy.agents.get(agent)
        return known.queues if known is not None else []

    def person(self, agent: str) -> str:
        """Return an agent's name for people to read."""
        known = self.policy.agents.get(agent)
        return known.name if known is not None else agent

    async def read_ledger(self) -> ledger_copy.LedgerCopy:
        """Return the copy of LEDGER, brought up to date."""
        await self.ledger.catch_up(self.asker.bus)
        return self.ledger
