"""What the dispatcher knows: who waits for whom, who is there, who has gone, and what of it is news.

It is learned from the ledger, may be behind, and decides nothing: an offer is decided on what is read then.
Only what is open is kept, and only what dispatching looks at.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from msgspec.structs import replace

from services.router.domain import agent as agents
from services.router.domain.agent import ABSENT, Agent
from services.router.domain.asking import (
    Group,
    asked_for,
    candidates,
    groups_of,
    may_be_asked,
    obstacle,
    rest_ends,
    waits,
)
from services.router.hours import Hours
from services.router.lines import Key, Line, Lines, Place
from services.router.tolerant_codec import is_unreadable
from shared import aggregates, backoff, events
from shared import conversation as conversations
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.conversation.matter import Matter
from shared.deciding import Beginning, Standing
from shared.ledger import Recorded
from shared.policies import Policies
from shared.policy import Policy

POSTPONED = backoff.Backoff(first_seconds=0.5, longest_seconds=5.0)
"""An offer that could not be made is tried again by itself, or as soon as there is news of its conversation."""

SHORTLIST_MAX = 16
"""Of so many it is looked at who is asked for a conversation, and told why the others are not."""
NEVER = datetime.min.replace(tzinfo=UTC)


def _idle(agent_id: events.AgentId, agent: Agent) -> tuple[datetime, events.AgentId]:
    return agent.idle_since or NEVER, agent_id


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
        self._groups: dict[tuple[str, events.AgentId], Sequence[Group]] = {}
        self._members: dict[tuple[str, Group], list[events.AgentId]] = {}
        self._free: dict[tuple[str, Group], list[tuple[datetime, events.AgentId]]] = {}
        self._owned: dict[tuple[str, events.AgentId], set[events.ConversationId]] = {}
        self._lines = Lines()
        self._news: set[Line] = set()
        self._due: list[tuple[datetime, Key]] = []
        self._postponed: dict[Key, tuple[datetime, int]] = {}
        for tenant in policies.tenants():
            self._learn(tenant)

    # -- learning -------------------------------------------------------------------------------------

    def see(self, recorded: Recorded, now: datetime) -> None:
        """Take one event of the ledger in. An aggregate with an event of a newer version is left to it."""
        tenant, aggregate = recorded.event.tenant, recorded.aggregate
        if is_unreadable(recorded.event):
            self.lose(tenant, aggregate)
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
                self._agent(tenant, agent_id, replace(state, seen={}))
                groups = self._groups.get((tenant, agent_id), ())
                self._news |= self._lines.before(tenant, agent_id, groups)
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
        """Note who is in which groups of a tenant, and who of them has room."""
        self._policies.pop(tenant, None)
        self._groups = {key: it for key, it in self._groups.items() if key[0] != tenant}
        self._members = {key: it for key, it in self._members.items() if key[0] != tenant}
        self._free = {key: it for key, it in self._free.items() if key[0] != tenant}
        if tenant not in self._in_force.tenants():
            return
        self._policies[tenant] = policy = self._in_force.of(tenant)
        for name, agent in sorted(policy.agents.items()):
            agent_id, state = events.AgentId(name), self.agent(tenant, events.AgentId(name))
            self._groups[tenant, agent_id] = groups = groups_of(agent)
            for group in groups:
                self._members.setdefault((tenant, group), []).append(agent_id)
                if state.can_take(agent.slots):
                    insort(self._free.setdefault((tenant, group), []), _idle(agent_id, state))

    def _agent(self, tenant: str, agent_id: events.AgentId, after: Agent) -> None:
        """Take in how an agent stands, and where among those of her groups who have room."""
        policy, before = self._policies.get(tenant), self.agent(tenant, agent_id)
        known = policy.agents.get(agent_id) if policy else None
        self.agents[tenant, agent_id] = after
        if known is None:
            return
        for group in self._groups[tenant, agent_id]:
            free = self._free.setdefault((tenant, group), [])
            if before.can_take(known.slots):
                del free[bisect_left(free, _idle(agent_id, before))]
            if after.can_take(known.slots):
                insort(free, _idle(agent_id, after))

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
        ownership = self.open.get(key, NEW_CONVERSATION).ownership
        owner = ownership.owner if ownership.transfer is None else None
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
        if policy is None or waiting is None or not waits(waiting):
            self._lines.leave(key)
            return
        asked, owner = asked_for(policy, waiting), waiting.ownership.owner
        line = Line(tenant, asked, rings=owner is not None and asked.one == owner)
        since = waiting.ownership.waiting_since or waiting.opened
        assert since is not None
        self._lines.put(line, Place(since, key))
        self._news.add(line)
        rested = rest_ends(policy, waiting)
        if rested is not None and rested > now:
            heapq.heappush(self._due, (rested, key))

    def lose(self, tenant: str, aggregate: str) -> None:
        """Forget what cannot be read; nobody else waits for it."""
        self.unreadable.add((tenant, aggregate))
        prefix, name = aggregates.split(aggregate)
        if prefix == aggregates.CONVERSATION.prefix:
            key = tenant, events.ConversationId(name)
            self._owner_changed(key, self.open.pop(key, NEW_CONVERSATION), NEW_CONVERSATION)
            self._look_for_holder(key)
            self._lines.leave(key)
        elif prefix == aggregates.AGENT.prefix:
            lost = self.agent(tenant, events.AgentId(name))
            self._agent(tenant, events.AgentId(name), ABSENT)
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
            line = self._lines.of(heapq.heappop(self._due)[1])
            if line is not None:
                self._news.add(line)
        ahead = [list(islice(self._takeable(line, now), most)) for line in self._news]
        self._news = {line for line, places in zip(self._news, ahead, strict=True) if places}
        keys = [place.key for place in islice(heapq.merge(*ahead), most)]
        return [key for key in keys if key[0] == keys[0][0]]

    def waiting(self) -> dict[tuple[str, str], tuple[int, datetime]]:
        """Return, by tenant and whom they wait for, how many wait, and since when the first of them does."""
        found: dict[tuple[str, str], tuple[int, datetime]] = {}
        for line, number, since in self._lines.lengths():
            key = line.tenant, "-".join(line.asked.group)
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
        heapq.heappush(self._due, (until, key))

    def _takeable(self, line: Line, now: datetime) -> Iterator[Place]:
        """Yield those whom somebody of a line can take now, longest waiting first."""
        policy, ready = self._policies[line.tenant], self._ready(line)
        if next(iter(ready()), None) is None:
            return
        for place in self._lines.places(line):
            if self._postponed.get(place.key, (now, 0))[0] > now:
                continue
            waiting = self.open[place.key]
            if any(
                obstacle(policy, waiting, name, self.agent(line.tenant, name), now) is None
                for name in ready()
            ):
                yield place

    def _ready(self, line: Line) -> Callable[[], Iterable[events.AgentId]]:
        """Return what gives those of a line who have room, longest idle first; whoever is rung needs none."""
        tenant, asked = line.tenant, line.asked
        if asked.one is None:
            return lambda: (n for n in self.free(tenant, asked.group) if n not in asked.without)
        one = events.AgentId(asked.one)
        known, stands = self._policies[tenant].agents.get(one), self.agent(tenant, one)
        rung = line.rings and stands.status == "available"
        ready = known is not None and (rung or stands.can_take(known.slots))
        return lambda: [one] if ready else []

    def free(self, tenant: str, group: Group) -> Iterator[events.AgentId]:
        """Yield the agents of a group who have room, longest idle first."""
        return (name for _, name in self._free.get((tenant, group), ()))

    def shortlist(self, key: Key, waiting: Conversation) -> list[events.AgentId]:
        """Return whom to choose from for a conversation as it stands: all candidates, or of many who refused least."""
        line, policy = self._lines.of(key), self._policies[key[0]]
        if line is None or line.asked.one is not None:
            return candidates(policy, waiting)
        members = self._members.get((key[0], line.asked.group), [])
        if len(members) <= SHORTLIST_MAX:
            return [name for name in members if may_be_asked(policy, waiting, name)]
        refused, ready = waiting.ownership.passed_over, self._ready(line)
        fresh = (name for name in ready() if name not in refused)
        allowed = (name for name in fresh if may_be_asked(policy, waiting, name))
        first = list(islice(allowed, SHORTLIST_MAX))
        if len(first) == SHORTLIST_MAX:
            return first
        again = sorted((name for name in ready() if name in refused), key=refused.__getitem__)
        allowed = (name for name in again if may_be_asked(policy, waiting, name))
        return [*first, *islice(allowed, SHORTLIST_MAX - len(first))]


def _looked_at(conversation: Conversation) -> Conversation:
    """Return the parts of a conversation by which it waits: no words, no handles, no facts, no memory of commands."""
    ownership, transfer = conversation.ownership, conversation.ownership.transfer
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
        sequence=conversation.sequence,
    )
