"""Reads the policy: the next agent to tell, the transports to her, and the agents who may acknowledge."""

from collections.abc import Collection

from services.notify.domain.state import Notification
from shared.errors import PolicyInvalid
from shared.policy import Policy


def transports_of(policy: Policy, recipient: str) -> list[str]:
    """Return by which transports `agent-<id>` or `queue-<name>` is told, each once: its own, else the tenant's."""
    kind, _, name = recipient.partition("-")
    known = policy.agents.get(name) if kind == "agent" else policy.queues.get(name)
    own = None if known is None else known.transports
    return list(dict.fromkeys(own or policy.transports))


def check_transports(policy: Policy, known: Collection[str]) -> None:
    """Raises: PolicyInvalid when somebody is to be told by a transport that is not among the `known`."""
    named = {"tenant": policy.transports}
    named |= {f"agent-{name}": agent.transports or () for name, agent in policy.agents.items()}
    named |= {f"queue-{name}": queue.transports or () for name, queue in policy.queues.items()}
    for who, transports in named.items():
        for transport in transports:
            if transport not in known:
                raise PolicyInvalid("there is no such transport", who=who, transport=transport)


def escalates_to(policy: Policy, recipient: str, there: Collection[str] = ()) -> str:
    """Return who is told when `recipient` does not acknowledge: the next in line who is there, else the next.

    `there`: agents who are there to see it.
    """
    line = next_in_line(policy, recipient)
    return next((each for each in line if not reached_by(policy, each).isdisjoint(there)), line[0])


def next_in_line(policy: Policy, recipient: str) -> list[str]:
    """Return whom the policy names after `recipient`, in order: `agent-<id>` or `queue-<name>`, at least one.

    For a queue its supervisor, for an agent the supervisors of her queues but herself; then the queues. A recipient
    that the policy no longer has is told again herself.
    """
    kind, _, name = recipient.partition("-")
    queues = [name] if kind == "queue" else _queues_of(policy, name)
    supervisors = [policy.queues[each].supervisor for each in queues if each in policy.queues]
    people = [f"agent-{each}" for each in supervisors if each is not None and each != name]
    return list(dict.fromkeys([*people, *(f"queue-{each}" for each in queues)])) or [recipient]


def reached_by(policy: Policy, recipient: str) -> set[str]:
    """Return the agents who see what `agent-<id>` or `queue-<name>` is told."""
    kind, _, name = recipient.partition("-")
    return {name} if kind == "agent" else set(policy.agents_of_queue(name))


def may_acknowledge(policy: Policy, notification: Notification, agent: str) -> bool:
    """Tell whether the agent was told: as recipient, as one of the queue, or after an escalation."""
    first = notification.recipient
    told = {first, notification.escalated_to or first, escalates_to(policy, first)}
    return any(agent in reached_by(policy, each) for each in told)


def _queues_of(policy: Policy, agent: str) -> list[str]:
    known = policy.agents.get(agent)
    return [] if known is None else list(known.queues)
