"""Who may be asked to take a contact or a transfer, and who of them is."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.router.domain.agent import Agent
from services.router.domain.pool import (
    Group,
    Pool,
    group_for,
    group_of_target,
    groups_of,
    medium_of,
    pool_after,
    pool_for,
    steps_passed,
    unfit,
    waits_since,
)
from shared import events
from shared.conversation import Conversation, OpenTransfer
from shared.policy import Policy

LONGEST_IDLE, LAST_AGENT = "dispatch.longest_idle", "dispatch.last_agent"
RELAXED, OVERFLOW = "dispatch.relaxed_", "dispatch.overflow_"
"""By which rule somebody is asked; the last two end with the step that let her in, counted from 1."""

Known = Callable[[events.AgentId], Agent]
"""How an agent stands."""


def waits(conversation: Conversation) -> bool:
    """Tell whether somebody has to be asked now."""
    ownership = conversation.ownership
    if conversation.id is None or conversation.resolved or ownership.offer is not None:
        return False
    return ownership.handing_on is not None or conversation.waiting_contact is not None


class Asked(NamedTuple):
    """Who may be asked: `one` agent alone, else everybody of a pool but those `without`."""

    one: str | None
    pool: Pool
    without: frozenset[str] = frozenset()


def asked_for(policy: Policy, conversation: Conversation, now: datetime) -> Asked:
    """Return whom the queue or the transfer allows. A call into an owned conversation is for its owner alone."""
    ownership, transfer = conversation.ownership, conversation.ownership.handing_on
    one = ownership.owner if transfer is None else transfer.to.agent
    without = frozenset({transfer.sender, *transfer.refused_by}) if transfer else frozenset()
    if one is not None:
        group = group_for(policy, conversation)
        return Asked(one, Pool((group,), medium=medium_of(conversation)), without)
    return Asked(None, pool_for(policy, conversation, now), without)


def candidates(policy: Policy, conversation: Conversation, now: datetime) -> list[events.AgentId]:
    """Return the agents of the groups, in order of name: those who can do what is asked for may be asked.

    Whoever is no longer in the policy is not asked.
    """
    asked = asked_for(policy, conversation, now)
    if asked.one is not None:
        return [events.AgentId(asked.one)] if asked.one in policy.agents else []
    names = {name for group in asked.pool.groups for name in members(policy, group)}
    return [events.AgentId(name) for name in sorted(names - asked.without)]


def members(policy: Policy, group: Group) -> list[str]:
    of_team = group.kind == "team"
    return policy.agents_of_team(group.name) if of_team else policy.agents_of_queue(group.name)


def group_of(policy: Policy, transfer: OpenTransfer) -> list[str]:
    """Return those of a transfer's team or queue who may still be asked, in order of name; [] for one to an agent."""
    refused = {transfer.sender, *transfer.refused_by}
    return [name for name in members(policy, group_of_target(transfer.to)) if name not in refused]


class Choice(NamedTuple):
    """Whom to ask, by which rule and for which queue; for each other one, why not."""

    agent: events.AgentId | None
    rule: str
    queue: str
    passed_over: dict[str, str]


def choose(
    policy: Policy,
    conversation: Conversation,
    names: Sequence[events.AgentId],
    known: Known,
    now: datetime,
) -> Choice:
    """Return which of these candidates to ask: who was passed over least, then who had her last, then whose turn it is.

    See `Agent.turn`: who has room and works already is not idle.
    """
    asked, refused = asked_for(policy, conversation, now), conversation.ownership.passed_over
    last = last_agent(policy, conversation, asked)
    held = held_for(policy, conversation, asked, now)
    hers_alone = held is not None and known(held[0]).on_duty
    free: list[tuple[int, bool, tuple[int, datetime], events.AgentId]] = []
    reasons: dict[str, str] = {}
    for name in names:
        agent = known(name)
        reason = obstacle(policy, conversation, asked.pool, name, agent, now)
        if reason is None and hers_alone and name != last:
            reason = "sticky_elsewhere"
        if reason is not None:
            reasons[name] = reason
        else:
            free.append((refused.get(name, 0), name != last, agent.turn, name))
    queue = conversation.ownership.queue or ""
    if not free:
        return Choice(None, "", queue, reasons)
    *_, first, chosen = min(free)
    if chosen == last:
        reasons |= {name: "sticky_elsewhere" for *_, name in free if name != chosen}
    else:
        others = [(name, turn[0] > first[0]) for *_, turn, name in free if name != chosen]
        reasons |= {name: "more_work" for name, has_more in others if has_more}
        reasons |= {name: "idle_shorter" for name, has_more in others if not has_more}
    rule, queue = _rule(policy, conversation, asked, chosen, now)
    return Choice(chosen, rule, queue, reasons)


def _rule(
    policy: Policy, conversation: Conversation, asked: Asked, chosen: events.AgentId, now: datetime
) -> tuple[str, str]:
    """Return the rule by which an agent is asked, and the queue of whose agents she is.

    Numbered is the step that let her in, from 1; by no step she is who had her last, or idle longest.
    """
    queue, agent = conversation.ownership.queue or "", policy.agents[chosen]
    first = LAST_AGENT if chosen == last_agent(policy, conversation, asked) else LONGEST_IDLE
    if asked.one is not None:
        return first, queue
    steps, hers = steps_passed(policy, conversation, now), groups_of(agent)
    for number in range(len(steps) + 1):
        pool = pool_after(policy, conversation, steps[:number])
        by = next((group for group in pool.groups if group in hers), None)
        if by is None or unfit(agent, pool) is not None:
            continue
        if number == 0:
            return first, queue
        own = by == pool.groups[0]
        return (f"{RELAXED}{number}", queue) if own else (f"{OVERFLOW}{number}", by.name)
    return first, queue


def last_agent(policy: Policy, conversation: Conversation, asked: Asked) -> events.AgentId | None:
    """Return who had this matter last, or the customer's earlier one, if she may be asked and has not refused."""
    ownership = conversation.ownership
    name = ownership.last_owner or ownership.needs.last_agent
    agent = policy.agents.get(name) if name is not None else None
    if name is None or agent is None or asked.one is not None or name in ownership.passed_over:
        return None
    if ownership.handing_on is not None or unfit(agent, asked.pool) is not None:
        return None
    return name if set(asked.pool.groups) & set(groups_of(agent)) else None


def held_for(
    policy: Policy, conversation: Conversation, asked: Asked, now: datetime
) -> tuple[events.AgentId, datetime] | None:
    """Return for whom alone it waits, and until when, provided that she is on duty; `None`: for anybody."""
    name, since = last_agent(policy, conversation, asked), waits_since(conversation)
    if name is None or since is None:
        return None
    until = since + timedelta(seconds=policy.queues[asked.pool.groups[0].name].sticky_seconds)
    return (name, until) if now < until else None


def obstacle(
    policy: Policy,
    conversation: Conversation,
    pool: Pool,
    name: events.AgentId,
    agent: Agent,
    now: datetime,
) -> str | None:
    """Return why a candidate is not asked now; `None` when she can be."""
    ownership, limits = conversation.ownership, policy.agents[name]
    if (reason := unfit(limits, pool)) is not None:
        return reason
    if agent.status != "available":
        return agent.status
    has_one = conversation.id in agent.working_on
    if name != ownership.owner and (has_one or len(agent.working_on) >= limits.slots):
        return "busy"
    if not agent.has_line(limits, pool.medium, conversation.id):
        return "medium_full"
    rested = rest_ends(policy, conversation)
    if ownership.passed_over.get(name) and rested is not None and now < rested:
        return "passed_over_just_now"
    return None


def rest_ends(policy: Policy, conversation: Conversation) -> datetime | None:
    """Return until when those who were passed over are not asked again for this conversation; `None`: nobody was."""
    ownership = conversation.ownership
    if not ownership.passed_over or ownership.passed_over_at is None:
        return None
    return ownership.passed_over_at + timedelta(seconds=policy.times.offer_seconds)
