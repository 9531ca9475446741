"""Who is in which pool of a tenant, and who of them has room, in the order in which they are asked: see `Agent.turn`.

A pool is learned when somebody first waits for it. What changes for an agent is entered in her pools only: their
number is the policy's, whatever number of agents there is or of those who wait.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from services.router.domain.agent import Agent
from services.router.domain.pool import Group, Pool, groups_of, unfit
from shared import events
from shared.policy import Policy

Turn = tuple[int, datetime, events.AgentId]


def _turn(agent_id: events.AgentId, agent: Agent) -> Turn:
    return *agent.turn, agent_id


class Pools:
    """The pools of one tenant under one policy. `stands`: how an agent stands."""

    def __init__(self, policy: Policy, stands: Callable[[events.AgentId], Agent]) -> None:
        self._policy = policy
        self._stands = stands
        self._of_group: dict[Group, list[events.AgentId]] = {}
        self._everybody: dict[tuple[Group, ...], list[events.AgentId]] = {}
        self._free: dict[Pool, list[Turn]] = {}
        self._of: dict[events.AgentId, list[Pool]] = {}
        for name, agent in sorted(policy.agents.items()):
            for group in groups_of(agent):
                self._of_group.setdefault(group, []).append(events.AgentId(name))

    def of(self, agent_id: events.AgentId) -> Sequence[Pool]:
        """Return in which pools an agent is, of those that anybody has waited for."""
        return self._of.get(agent_id, ())

    def everybody(self, groups: tuple[Group, ...]) -> Sequence[events.AgentId]:
        """Return who is in any of these groups, able or not, in order of name."""
        if groups not in self._everybody:
            found = {name for group in groups for name in self._of_group.get(group, ())}
            self._everybody[groups] = sorted(found)
        return self._everybody[groups]

    def free(self, pool: Pool) -> Iterator[events.AgentId]:
        """Yield those of a pool who have room, in turn."""
        self.learn(pool)
        return (name for *_, name in self._free[pool])

    def in_turn(self, pool: Pool, some: Iterable[events.AgentId]) -> list[events.AgentId]:
        """Return which of some agents of a pool have room, in turn."""
        found = []
        for name in some:
            state = self._stands(name)
            if pool in self.of(name) and state.can_take(self._policy.agents[name], pool.medium):
                found.append(_turn(name, state))
        return [name for *_, name in sorted(found)]

    def learn(self, pool: Pool) -> None:
        """Keep a pool from now on."""
        if pool in self._free:
            return
        free: list[Turn] = []
        self._free[pool] = free
        for name in self.everybody(pool.groups):
            limits, state = self._policy.agents[name], self._stands(name)
            if unfit(limits, pool) is None:
                self._of.setdefault(name, []).append(pool)
                if state.can_take(limits, pool.medium):
                    insort(free, _turn(name, state))

    def moved(self, agent_id: events.AgentId, before: Agent, after: Agent) -> None:
        """Enter how an agent stands now in her pools."""
        for pool in self.of(agent_id):
            free, limits = self._free[pool], self._policy.agents[agent_id]
            if before.can_take(limits, pool.medium):
                del free[bisect_left(free, _turn(agent_id, before))]
            if after.can_take(limits, pool.medium):
                insort(free, _turn(agent_id, after))
