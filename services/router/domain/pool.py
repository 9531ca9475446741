"""Whom a contact asks for: of which queues, able to do what, with room on which medium. The longer it waits, the less.

Steps as data, as Amazon Connect's routing criteria and Genesys Cloud's bullseye rings have them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from shared import events
from shared.conversation import Conversation
from shared.policy import Agent, Policy, Relaxation


class Group(NamedTuple):
    """A team, or those who take from a queue."""

    kind: Literal["team", "queue"]
    name: str


class Pool(NamedTuple):
    """Agents of these groups, the first of which it is about, with these skills at least and this language.

    `medium`: on which they must have room, where it is counted apart.
    """

    groups: tuple[Group, ...]
    skills: tuple[tuple[str, int], ...] = ()
    language: str | None = None
    medium: events.Medium | None = None


def groups_of(agent: Agent) -> list[Group]:
    """Return in which groups an agent is."""
    queues, teams = dict.fromkeys(agent.queues), dict.fromkeys(agent.teams)
    return [*(Group("queue", each) for each in queues), *(Group("team", each) for each in teams)]


def unfit(agent: Agent, pool: Pool) -> str | None:
    """Return why an agent of the groups is not asked, however free she is; `None` when she may be."""
    if any(agent.skills.get(skill, 0) < level for skill, level in pool.skills):
        return "skill_missing"
    if pool.language is not None and agent.languages and pool.language not in agent.languages:
        return "language_missing"
    return None


def known_queue(policy: Policy, queue: str | None) -> str:
    """Return the queue, or the policy's first queue if the policy has dropped the queue: every wait ends."""
    return queue if queue is not None and queue in policy.queues else next(iter(policy.queues))


def group_of_target(to: events.Target) -> Group:
    """Return the team or queue of a transfer."""
    return Group("team", to.team) if to.team else Group("queue", to.queue or "")


def pool_for(policy: Policy, conversation: Conversation, now: datetime) -> Pool:
    """Return whom a conversation asks for now, unless it is for one agent alone."""
    return pool_after(policy, conversation, steps_passed(policy, conversation, now))


def group_for(policy: Policy, conversation: Conversation) -> Group:
    """Return the queue or team whose agents are asked first."""
    transfer = conversation.ownership.handing_on
    if transfer is None:
        return Group("queue", known_queue(policy, conversation.ownership.queue))
    return group_of_target(transfer.to)


def pool_after(policy: Policy, conversation: Conversation, steps: Sequence[Relaxation]) -> Pool:
    """Return whom it asks for when its wait has come to these steps."""
    group, medium = group_for(policy, conversation), medium_of(conversation)
    if group.kind == "team" or group.name not in policy.queues:
        return Pool((group,), medium=medium)
    skills, language = _asked_of(policy, conversation, group.name)
    groups = [group]
    for step in steps:
        skills = {skill: min(level, step.level) for skill, level in skills.items() if step.level}
        language = None if step.any_language else language
        groups += [Group("queue", step.overflow)] if step.overflow else []
    return Pool(tuple(dict.fromkeys(groups)), tuple(sorted(skills.items())), language, medium)


def _asked_of(
    policy: Policy, conversation: Conversation, queue: str
) -> tuple[dict[str, int], str | None]:
    """Return skills and language: as recorded where it began to wait; of another queue, what that one asks."""
    needs = conversation.ownership.needs
    began = conversation.ownership.handing_on is None and needs.queue == queue
    return needs.skills if began else policy.queues[queue].skills, needs.language


def steps_passed(policy: Policy, conversation: Conversation, now: datetime) -> Sequence[Relaxation]:
    """Return the steps of the queue that a wait has come to, in their order; of a team there are none."""
    since = waits_since(conversation)
    waited = (now - since).total_seconds() if since else 0.0
    return [step for step in _steps(policy, conversation) if step.after_seconds <= waited]


def _steps(policy: Policy, conversation: Conversation) -> Sequence[Relaxation]:
    group = group_for(policy, conversation)
    queue = policy.queues.get(group.name) if group.kind == "queue" else None
    return () if queue is None else queue.relaxes


def next_step(policy: Policy, conversation: Conversation, pool: Pool) -> datetime | None:
    """Return when more may be asked than those of this pool of it; `None` when never."""
    since = waits_since(conversation)
    for step in _steps(policy, conversation) if since is not None else ():
        lower = any(level > step.level for _, level in pool.skills)
        wider = step.overflow is not None and Group("queue", step.overflow) not in pool.groups
        if since and (lower or wider or (step.any_language and pool.language is not None)):
            return since + timedelta(seconds=step.after_seconds)
    return None


def waits_since(conversation: Conversation) -> datetime | None:
    """Return when somebody was first sought for what is sought for now."""
    transfer = conversation.ownership.handing_on
    if transfer is not None:
        return transfer.requested
    return conversation.ownership.waiting_since or conversation.opened


def medium_of(conversation: Conversation) -> events.Medium | None:
    """Return on which medium an agent will work here; of a call only while it lasts."""
    contacts = conversation.contacts
    if any(each.medium == "call" and each.live for each in contacts.by_id.values()):
        return "call"
    last = contacts.last
    return None if last is None or last.medium == "call" else last.medium
