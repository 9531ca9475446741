"""Who is told next, and who may say that she has seen it: read from the tenant's policy."""

from __future__ import annotations

from services.notify.domain.state import Notification
from shared.policy import Policy


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
