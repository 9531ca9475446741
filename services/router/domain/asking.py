"""Who may be asked to take a contact or a transfer, and who of them is."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from services.router.domain.agent import Agent
from shared import events
from shared.conversation import Conversation, OpenTransfer
from shared.policy import Agent as AgentPolicy
from shared.policy import Policy


def waits(conversation: Conversation) -> bool:
    """Tell whether somebody has to be asked now."""
    ownership = conversation.ownership
    if conversation.id is None or conversation.resolved or ownership.offer is not None:
        return False
    return ownership.transfer is not None or conversation.waiting_contact is not None


class Group(NamedTuple):
    """A team, or those who take from a queue."""

    kind: Literal["team", "queue"]
    name: str


class Asked(NamedTuple):
    """Who may be asked: `one` agent alone, else everybody of a group but those `without`."""

    one: str | None
    group: Group
    without: frozenset[str] = frozenset()


def asked_for(policy: Policy, conversation: Conversation) -> Asked:
    """Return whom the queue or the transfer allows. A call into an owned conversation is for its owner alone."""
    ownership, transfer = conversation.ownership, conversation.ownership.transfer
    if transfer is None:
        return Asked(ownership.owner, Group("queue", known_queue(policy, ownership.queue)))
    return Asked(
        transfer.to.agent,
        _group(transfer.to),
        frozenset({transfer.sender, *transfer.refused_by}),
    )


def _group(to: events.Target) -> Group:
    return Group("team", to.team) if to.team else Group("queue", to.queue or "")


def groups_of(agent: AgentPolicy) -> list[Group]:
    """Return in which groups an agent is."""
    queues, teams = dict.fromkeys(agent.queues), dict.fromkeys(agent.teams)
    return [*(Group("queue", each) for each in queues), *(Group("team", each) for each in teams)]


def candidates(policy: Policy, conversation: Conversation) -> list[events.AgentId]:
    """Return the agents who may be asked, in order of name. Whoever is no longer in the policy is not asked."""
    asked = asked_for(policy, conversation)
    if asked.one is not None:
        return [events.AgentId(asked.one)] if asked.one in policy.agents else []
    return [
        events.AgentId(name) for name in members(policy, asked.group) if name not in asked.without
    ]


def may_be_asked(policy: Policy, conversation: Conversation, name: events.AgentId) -> bool:
    """Tell whether an agent is a candidate, without a look at all others."""
    asked, agent = asked_for(policy, conversation), policy.agents.get(name)
    if agent is None or asked.one is not None:
        return agent is not None and name == asked.one
    return name not in asked.without and asked.group in groups_of(agent)


def members(policy: Policy, group: Group) -> list[str]:
    of_team = group.kind == "team"
    return policy.agents_of_team(group.name) if of_team else policy.agents_of_queue(group.name)


def group_of(policy: Policy, transfer: OpenTransfer) -> list[str]:
    """Return those of a transfer's team or queue who may still be asked, in order of name; [] for one to an agent."""
    refused = {transfer.sender, *transfer.refused_by}
    return [name for name in members(policy, _group(transfer.to)) if name not in refused]


def known_queue(policy: Policy, queue: str | None) -> str:
    """Return the queue, or the policy's first queue if the policy has dropped the queue: every wait ends."""
    return queue if queue is not None and queue in policy.queues else next(iter(policy.queues))


def choose(
    policy: Policy,
    conversation: Conversation,
    names: Sequence[events.AgentId],
    known: Callable[[events.AgentId], Agent],
    now: datetime,
) -> tuple[events.AgentId | None, dict[str, str]]:
    """Return which of these candidates to ask and, for each other one, why not; `known`: how an agent stands."""
    ownership = conversation.ownership
    free: list[tuple[int, datetime, events.AgentId]] = []
    reasons: dict[str, str] = {}
    for name in names:
        agent = known(name)
        reason = obstacle(policy, conversation, name, agent, now)
        if reason is not None:
            reasons[name] = reason
        else:
            free.append((ownership.passed_over.get(name, 0), agent.idle_since or now, name))
    if not free:
        return None, reasons
    chosen = min(free)[2]
    return chosen, reasons | {name: "idle_shorter" for _, _, name in free if name != chosen}


def obstacle(
    policy: Policy, conversation: Conversation, name: events.AgentId, agent: Agent, now: datetime
) -> str | None:
    """Return why a candidate is not asked now; `None` when she can be."""
    if agent.status != "available":
        return agent.status
    if name != conversation.ownership.owner:
        has_one = conversation.id in agent.working_on
        if has_one or not agent.can_take(policy.agents[name].slots):
            return "busy"
    rested = rest_ends(policy, conversation)
    if conversation.ownership.passed_over.get(name) and rested is not None and now < rested:
        return "passed_over_just_now"
    return None


def rest_ends(policy: Policy, conversation: Conversation) -> datetime | None:
    """Return until when those who were passed over are not asked again for this conversation; `None`: nobody was."""
    ownership = conversation.ownership
    if not ownership.passed_over or ownership.passed_over_at is None:
        return None
    return ownership.passed_over_at + timedelta(seconds=policy.times.offer_seconds)
