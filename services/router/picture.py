"""What the dispatcher knows: who waits for whom, who is there, who has gone, and what of it is news.

It is learned from the ledger, may be behind, and decides nothing: an offer is decided on what is read then.
Only what is open is kept, and only what dispatching looks at.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain, islice

from msgspec.structs import replace

from services.router.domain import agent as agents
from services.router.domain.agent import ABSENT, Agent
from services.router.domain.asking import (
    asked_for,
    candidates,
    held_for,
    last_agent,
    obstacle,
    rest_ends,
    waits,
)
from services.router.domain.pool import Pool, next_step, waits_since
from services.router.hours import Hours
from services.router.lines import Held, Key, Line, Lines, Place
from services.router.pools import Pools
from services.router.tolerant_codec import is_unreadable
from shared import aggregates, backoff, events
from shared import conversation as conversations
from shared.conversation import NEW_CONVERSATION, Conversation, Handling
from shared.conversation.matter import Matter
from shared.deciding import Beginning, Standing
from shared.ledger import Recorded
from shared.policies import Policies
from shared.policy import Policy

POSTPONED = backoff.Backoff(first_seconds=0.5, longest_seconds=5.0)
"""An offer that could not be made is tried again by itself, or as soon as there is news of its conversation."""

SHORTLIST_MAX = 16
"""Of so many it is looked at who is asked for a conversation, and told why the others are not."""


class Picture:
    """Open conversations and agents of all tenants.

    `open`: each conversation as far as it is looked at here; `left`: those with somebody who is gone, be it the owner,
    while they are not under way to somebody else, or whoever is asked to take them; `agents`: without their memory;
    `unreadable`: aggregates with an event of a newer version; `hours`: where in the ledger those began that are
    remembered.

    News is a line in which somebody may be asked now who could not be asked before: one who waits has come or
    changed, one who may be asked has changed, or a time has passed.
    """

    def __init__(self, policies: Policies) -> None:
        self.open: dict[Key, Conversation] = {}
        self.left: set[Key] = set()
        self._in_force = policies
        self._policies: dict[str, Policy] = {}
        self.agents: dict[tuple[str, events.AgentId], Agent] = {}
        self.unreadable: set[tuple[str, str]] = set()
        self.hours = Hours()
        self._pools: dict[str, Pools] = {}
        self._owned: dict[tuple[str, events.AgentId], set[events.ConversationId]] = {}
        self._lines, self._held = Lines(), Held()
        self._news: set[Line] = set()
        self._due: list[tuple[datetime, Key]] = []
        self._timed: set[tuple[datetime, Key]] = set()
        self._postponed: dict[Key, tuple[datetime, int]] = {}
        for tenant in policies.tenants():
            self._learn(tenant)

    # -- learning -------------------------------------------------------------------------------------

    def see(self, recorded: Recorded, now: datetime) -> None:
        """Take one event of the ledger in. An aggregate with an event of a newer version is left to it."""
        tenant, aggregate = recorded.event.tenant, recorded.aggregate
        if is_unreadable(recorded.event):
            self.lose(tenant, aggregate, now)
        else:
            self.hours.see(recorded)
        if (tenant, aggregate) in self.unreadable:
            return
        prefix, name = aggregates.split(aggregate)
        if prefix == aggregates.CONVERSATION.prefix:
            before = self.open.get((tenant, events.ConversationId(name)), NEW_CONVERSATION)
            if recorded.sequence > before.sequence:
                after = conversations.evolve_parts(before, recorded.sequence, recorded.event)
                self.know(tenant, name, after, now)
        elif prefix == aggregates.AGENT.prefix:
            known = self.agent(tenant, events.AgentId(name))
            if recorded.sequence > known.sequence:
                changed = agents.evolve_parts(known, recorded.sequence, recorded.event)
                self.know(tenant, name, changed, now)

    def know(self, tenant: str, name: str, state: object, now: datetime) -> None:
        """Take in how a conversation or an agent stands, if that is newer."""
        if isinstance(state, Conversation):
            key = tenant, events.ConversationId(name)
            if state.sequence > self.open.get(key, NEW_CONVERSATION).sequence:
                self._conversation(key, state, now)
        elif isinstance(state, Agent):
            agent_id = events.AgentId(name)
            if state.sequence > self.agent(tenant, agent_id).sequence:
                self._agent(tenant, agent_id, replace(state, seen={}), now)
                for conversation_id in self.owned_by(tenant, agent_id) | state.working_on:
                    self._look_for_holder((tenant, conversation_id))

    def take_up(self, tenants: Iterable[str], now: datetime) -> None:
        """Go on by the policies that these tenants have now; of one who has none nobody waits and nobody is asked."""
        for tenant in tenants:
            self._learn(tenant)
            for key in [each for each in self.open if each[0] == tenant]:
                self._look_for_holder(key)
                self._line_up(key, now)

    def _learn(self, tenant: str) -> None:
        """Note the policy of a tenant, by which it is who may be asked."""
        self._policies.pop(tenant, None)
        self._pools.pop(tenant, None)
        if tenant in self._in_force.tenants():
            self._policies[tenant] = policy = self._in_force.of(tenant)
            self._pools[tenant] = Pools(policy, lambda name: self.agent(tenant, name))

    def _agent(self, tenant: str, agent_id: events.AgentId, after: Agent, now: datetime) -> None:
        """Take in how an agent stands: whoever waits for her may be news, or waits for others from now on."""
        before, pools = self.agent(tenant, agent_id), self._pools.get(tenant)
        self.agents[tenant, agent_id] = after
        if pools is not None:
            pools.moved(agent_id, before, after)
        if before.on_duty != after.on_duty:
            for key in self._held.by(tenant, agent_id):
                self._line_up(key, now)
        self._news |= self._lines.before(tenant, agent_id, pools.of(agent_id) if pools else ())

    def take(self, tenant: str, standing: Mapping[str, Standing], now: datetime) -> None:
        """Take in what was looked at, and written, for a decision."""
        for aggregate, stands in standing.items():
            self.know(tenant, aggregates.split(aggregate)[1], stands.state, now)

    def _conversation(self, key: Key, after: Conversation, now: datetime) -> None:
        before = self.open.pop(key, NEW_CONVERSATION)
        self._postponed.pop(key, None)
        going_on = after.id is not None and not after.resolved  # no id: something after the end
        if going_on:
            self.open[key] = after = _looked_at(after)
        self._owner_changed(key, before, after if going_on else NEW_CONVERSATION)
        self._look_for_holder(key)
        self._line_up(key, now)

    def _owner_changed(self, key: Key, before: Conversation, after: Conversation) -> None:
        tenant, conversation_id = key
        had, has = before.ownership.owner, after.ownership.owner
        if had == has:
            return
        if had is not None:
            self._owned[tenant, had].discard(conversation_id)
        if has is not None:
            self._owned.setdefault((tenant, has), set()).add(conversation_id)

    def _look_for_holder(self, key: Key) -> None:
        """Note whether a conversation is with somebody who is gone."""
        self.left.discard(key)
        held = self.open.get(key, NEW_CONVERSATION)
        ownership, aside = held.ownership, held.handling.snooze is not None
        owner = None if aside or ownership.handing_on is not None else ownership.owner
        asked = ownership.offer.agent if ownership.offer else None
        if any(name is not None and self._gone(key[0], name) for name in (owner, asked)):
            self.left.add(key)

    def _gone(self, tenant: str, agent_id: events.AgentId) -> bool:
        """Tell whether an agent is not there any more, as far as she can be read."""
        policy = self._policies.get(tenant)
        if policy is None:
            return False
        there = agent_id in policy.agents and self.agent(tenant, agent_id).on_duty
        return self.readable(tenant, agent_id) and not there

    def _line_up(self, key: Key, now: datetime) -> None:
        """Put a conversation into the line of those whom it may be offered to, if it waits for somebody."""
        (tenant, _), policy = key, self._policies.get(key[0])
        waiting = self.open.get(key)
        self._held.put(key, None)
        if policy is None or waiting is None or not waits(waiting):
            self._lines.leave(key)
            return
        asked, owner = asked_for(policy, waiting, now), waiting.ownership.owner
        rings = owner is not None and asked.one == owner
        times = [rest_ends(policy, waiting), next_step(policy, waiting, asked.pool)]
        held = held_for(policy, waiting, asked, now)
        if held is not None:
            self._held.put(key, held[0])
            times.append(held[1])
            asked = asked._replace(one=held[0]) if self.agent(tenant, held[0]).on_duty else asked
        if asked.one is None:
            self._pools[tenant].learn(asked.pool)
        since = waits_since(waiting)
        assert since is not None
        ahead = timedelta(seconds=waiting.ownership.needs.priority_seconds)
        line = Line(tenant, asked, rings)
        self._lines.put(line, Place(since - ahead, key, since))
        self._news.add(line)
        for time in times:
            if time is not None and time > now:
                self._wake(time, key)

    def _wake(self, at: datetime, key: Key) -> None:
        """Look at a conversation again at a time."""
        if (at, key) not in self._timed:
            self._timed.add((at, key))
            heapq.heappush(self._due, (at, key))

    def lose(self, tenant: str, aggregate: str, now: datetime) -> None:
        """Forget what cannot be read; nobody else waits for it."""
        self.unreadable.add((tenant, aggregate))
        prefix, name = aggregates.split(aggregate)
        if prefix == aggregates.CONVERSATION.prefix:
            key = tenant, events.ConversationId(name)
            self._owner_changed(key, self.open.pop(key, NEW_CONVERSATION), NEW_CONVERSATION)
            self._look_for_holder(key)
            self._lines.leave(key)
            self._held.put(key, None)
        elif prefix == aggregates.AGENT.prefix:
            lost = self.agent(tenant, events.AgentId(name))
            self._agent(tenant, events.AgentId(name), ABSENT, now)
            del self.agents[tenant, events.AgentId(name)]
            for conversation_id in self.owned_by(tenant, events.AgentId(name)) | lost.working_on:
                self._look_for_holder((tenant, conversation_id))

    def regain(self, tenant: str, aggregate: str) -> None:
        """What kept an aggregate from being read is passed over from now on."""
        self.unreadable.discard((tenant, aggregate))

    # -- asking ---------------------------------------------------------------------------------------

    def agent(self, tenant: str, agent_id: events.AgentId) -> Agent:
        """Return an agent; nobody's memory of commands is kept here."""
        return self.agents.get((tenant, agent_id), ABSENT)

    def beginning(self, tenant: str, aggregate: str, now: datetime) -> Beginning | None:
        """Return how an agent stands but for her memory of commands, and behind what this is read: a day, not years."""
        prefix, name = aggregates.split(aggregate)
        known = prefix == aggregates.AGENT.prefix and self.agents.get(
            (tenant, events.AgentId(name))
        )
        return Beginning(known, self.hours.after(now)) if known else None

    def readable(self, tenant: str, agent_id: events.AgentId) -> bool:
        """Tell whether an agent can be loaded, as far as is known."""
        return (tenant, aggregates.AGENT.of(agent_id)) not in self.unreadable

    def owned_by(self, tenant: str, agent_id: events.AgentId) -> frozenset[events.ConversationId]:
        """Return the open conversations of an owner."""
        return frozenset(self._owned.get((tenant, agent_id), ()))

    def next(self, now: datetime, most: int) -> list[Key]:
        """Return whose turn it is, longest waiting first: each alone can be offered now, not always all of them.

        They are of one tenant. Whoever is returned is returned again until an offer is seen or known, or is postponed.
        """
        while self._due and self._due[0][0] <= now:
            due = heapq.heappop(self._due)
            self._timed.discard(due)
            self._line_up(due[1], now)
        ahead = [list(islice(self._takeable(line, now), most)) for line in self._news]
        self._news = {line for line, places in zip(self._news, ahead, strict=True) if places}
        keys = [place.key for place in islice(heapq.merge(*ahead), most)]
        return [key for key in keys if key[0] == keys[0][0]]

    def waiting(self) -> dict[tuple[str, str], tuple[int, datetime]]:
        """Return, by tenant and whom they wait for, how many wait, and since when the first of them does."""
        found: dict[tuple[str, str], tuple[int, datetime]] = {}
        for line, number, since in self._lines.lengths():
            key = line.tenant, "-".join(line.asked.pool.groups[0])
            before, first = found.get(key, (0, since))
            found[key] = before + number, min(first, since)
        return found

    def due(self) -> datetime | None:
        """Return when somebody may be asked without any news; `None` when nobody."""
        return self._due[0][0] if self._due else None

    def postpone(self, key: Key, now: datetime) -> None:
        """Leave a conversation alone for a while, longer each time, unless there is news of it."""
        tries = self._postponed.get(key, (now, 0))[1] + 1
        until = now + timedelta(seconds=POSTPONED.delay_seconds(tries))
        self._postponed[key] = until, tries
        self._wake(until, key)

    def _takeable(self, line: Line, now: datetime) -> Iterator[Place]:
        """Yield those whom somebody of a line can take now, longest waiting first."""
        policy = self._policies.get(line.tenant)
        if policy is None:  # the tenant has left since there was news of it
            return
        ready = self._ready(line)
        if next(iter(ready()), None) is None:
            return
        for place in self._lines.places(line):
            if self._postponed.get(place.key, (now, 0))[0] > now:
                continue
            waiting = self.open[place.key]
            if any(
                obstacle(policy, waiting, line.asked.pool, name, self.agent(line.tenant, name), now)
                is None
                for name in ready()
            ):
                yield place

    def _ready(self, line: Line) -> Callable[[], Iterable[events.AgentId]]:
        """Return what gives those of a line who have room, in turn; whoever is rung needs no slot."""
        tenant, asked = line.tenant, line.asked
        if asked.one is None:
            return lambda: (n for n in self.free(tenant, asked.pool) if n not in asked.without)
        one = events.AgentId(asked.one)
        known, stands = self._policies[tenant].agents.get(one), self.agent(tenant, one)
        rung = line.rings and stands.status == "available"
        ready = known is not None and (rung or stands.can_take(known, asked.pool.medium))
        return lambda: [one] if ready else []

    def free(self, tenant: str, pool: Pool) -> Iterator[events.AgentId]:
        """Yield the agents of a pool who have room, in turn."""
        return self._pools[tenant].free(pool)

    def shortlist(self, tenant: str, waiting: Conversation, now: datetime) -> list[events.AgentId]:
        """Return whom to choose from for a conversation as it stands: all candidates, or of many who is asked first.

        That is who had her last, then who refused least and whose turn it is; where they are few, of the others some.
        """
        policy, pools = self._policies[tenant], self._pools[tenant]
        asked = asked_for(policy, waiting, now)
        if asked.one is not None:
            return candidates(policy, waiting, now)
        everybody = pools.everybody(asked.pool.groups)
        if len(everybody) <= SHORTLIST_MAX:
            return [name for name in everybody if name not in asked.without]
        last = last_agent(policy, waiting, asked)
        refused = waiting.ownership.passed_over
        fresh = (name for name in pools.free(asked.pool) if name not in refused)
        again = pools.in_turn(asked.pool, refused)
        again.sort(key=refused.__getitem__)
        found: dict[events.AgentId, None] = {}
        for name in chain([last] if last else [], fresh, again, everybody):
            if len(found) == SHORTLIST_MAX:
                break
            if name not in asked.without:
                found[name] = None
        return list(found)


def _looked_at(conversation: Conversation) -> Conversation:
    """Return the parts of a conversation by which it waits: no words, no handles, no facts, no memory of commands."""
    ownership, transfer = conversation.ownership, conversation.ownership.transfer
    aside = conversation.handling.snooze
    by_id = {
        name: replace(contact, name=None, handles=(), heard=None, reference=None, reacted=None)
        for name, contact in conversation.contacts.by_id.items()
    }
    return Conversation(
        id=conversation.id,
        opened=conversation.opened,
        contacts=replace(conversation.contacts, by_id=by_id),
        ownership=replace(
            ownership,
            hops=(),
            transfer=None if transfer is None else replace(transfer, brief=""),
        ),
        matter=Matter(callbacks=conversation.matter.callbacks),
        handling=NEW_CONVERSATION.handling if aside is None else Handling(snooze=aside),
        sequence=conversation.sequence,
    )
