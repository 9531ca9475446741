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


def escalates_to(policy: Policy, recipient: str) -> str:
    """Return who is told when `recipient` does not acknowledge: `agent-<id>`, or `queue-<name>` without a supervisor.

    For a queue its supervisor; for an agent the supervisor of one of her queues, another person if there is one.
    A recipient that the policy no longer has is told again herself.
    """
    kind, _, name = recipient.partition("-")
    queues = [name] if kind == "queue" else _queues_of(policy, name)
    found = [
        supervisor
        for queue in queues
        if queue in policy.queues and (supervisor := policy.queues[queue].supervisor) is not None
    ]
    others = [each for each in found if each != name]
    if others or found:
        return f"agent-{(others or found)[0]}"
    return f"queue-{queues[0]}" if queues else recipient


def may_acknowledge(policy: Policy, notification: Notification, agent: str) -> bool:
    """Tell whether the agent was told: as recipient, as one of the queue, or after an escalation."""
    kind, _, name = notification.recipient.partition("-")
    told = {name} if kind == "agent" else set(policy.agents_of_queue(name))
    for each in (notification.escalated_to, escalates_to(policy, notification.recipient)):
        if each is not None:
            told.add(each.partition("-")[2])
    return agent in told


def _queues_of(policy: Policy, agent: str) -> list[str]:
    known = policy.agents.get(agent)
    return [] if known is None else list(known.queues)
