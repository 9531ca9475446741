"""Load, decide, confirm, arm, append, and again after a conflict: how every service that writes the ledger does it.

`decide` is a plain function from what was loaded to events; what it was loaded from is remembered here, so that each
event is appended at the sequence it was decided on.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from shared import aggregates, arming, backoff, errors, events, metrics, tasks
from shared.ledger import Guard, Ledger, Recorded, Write
from shared.timers import asked_by

CONFLICT = backoff.Backoff(first_seconds=0.005, longest_seconds=0.2)

L = TypeVar("L")
Key = tuple[str, str]
"""A tenant and one of its aggregates."""

log = structlog.get_logger("deciding")


@dataclass(frozen=True, slots=True)
class Standing:
    """A folded state and how it is folded on."""

    folded: aggregates.Folded[Any]
    state: Any

    def after(self, sequence: int, event: events.AnyEvent) -> "Standing":
        return Standing(self.folded, self.folded.evolve(self.state, sequence, event))


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where an aggregate need not be read from its first event.

    `state`: how it stood at its sequence; `after`: the sequence behind which stands all that the state lacks.
    """

    state: Any
    after: int


Beginnings = Callable[[str, str], Beginning | None]
"""Gives the beginning of an aggregate of a tenant, if one is known."""


class Reading:
    """What one try looks at: the aggregates of a tenant, and where each stood.

    `leader`: everything is read from the stream's leader, which has all that was acknowledged; `remembered`: what is
    folded in memory is taken as it is, unless news of it was heard. Only for what the append proves, or may be late.

    A try decides on one state of each aggregate: what is loaded twice is not read twice, for what is written is
    expected to stand on the state that was decided on.
    """

    def __init__(
        self, deciding: "Deciding", tenant: str, *, leader: bool, remembered: bool = False
    ) -> None:
        self._deciding = deciding
        self.tenant = tenant
        self.leader = leader
        self._remembered = remembered
        self.standing: dict[str, Standing] = {}
        self._of_leader: set[str] = set()

    async def load(
        self, folded: aggregates.Folded[aggregates.S], name: str, *, leader: bool = False
    ) -> aggregates.S:
        """Return an aggregate as it stands; the empty state when there is none.

        `leader`: what was read from a replica is read again, and the caller takes this instead.
        Raises: EventTypeUnknown, NotAnEvent, LedgerUnavailable.
        """
        aggregate, leader = folded.kind.of(name), leader or self.leader
        if self._lacks(aggregate, leader=leader):
            state = await self._deciding.load(
                self.tenant, folded, name, leader=leader, remembered=self._remembered
            )
            self._stand(folded, name, state, leader=leader)
        found: aggregates.S = self.standing[aggregate].state
        return found

    def _stand(
        self,
        folded: aggregates.Folded[aggregates.S],
        name: str,
        state: aggregates.S,
        *,
        leader: bool,
    ) -> None:
        """Take in what was loaded, unless another load was faster."""
        aggregate = folded.kind.of(name)
        if self._lacks(aggregate, leader=leader):
            self.standing[aggregate] = Standing(folded, state)
            if leader:
                self._of_leader.add(aggregate)

    def _lacks(self, aggregate: str, *, leader: bool) -> bool:
        return aggregate not in self.standing or (leader and aggregate not in self._of_leader)

    async def load_all(
        self,
        folded: aggregates.Folded[aggregates.S],
        names: Iterable[str],
        *,
        leader: bool = False,
    ) -> list[aggregates.S]:
        """Return several aggregates of a kind, each loaded once, side by side. Raises: as `load`."""
        wanted, of_leader = list(names), leader or self.leader
        lacking = [
            name
            for name in dict.fromkeys(wanted)
            if self._lacks(folded.kind.of(name), leader=of_leader)
        ]
        states = await self._deciding.load_all(
            self.tenant, folded, lacking, leader=of_leader, remembered=self._remembered
        )
        for name, state in zip(lacking, states, strict=True):
            self._stand(folded, name, state, leader=of_leader)
        return [self.standing[folded.kind.of(name)].state for name in wanted]

    async def load_named(self, folded: aggregates.Folded[aggregates.S], name: str) -> aggregates.S:
        """Return an aggregate that another aggregate names; ask the leader when a replica lacks the aggregate."""
        found = await self.load(folded, name)
        if found.sequence or self.leader:
            return found
        return await self.load(folded, name, leader=True)

    async def load_all_named(
        self, folded: aggregates.Folded[aggregates.S], names: Iterable[str]
    ) -> list[aggregates.S]:
        """As `load_named`, several side by side."""
        wanted = list(names)
        found = await self.load_all(folded, wanted)
        absent = [name for name, state in zip(wanted, found, strict=True) if not state.sequence]
        if not absent or self.leader:
            return found
        await self.load_all(folded, absent, leader=True)
        return await self.load_all(folded, wanted)

    def new(self, folded: aggregates.Folded[aggregates.S], name: str) -> None:
        """Take an aggregate for absent without a look: the append proves it, and its state is known from then on."""
        self.standing.setdefault(folded.kind.of(name), Standing(folded, folded.empty))

    def expected(self, aggregate: str) -> int:
        """Return the last sequence of a loaded aggregate; 0 for an aggregate that was not loaded."""
        known = self.standing.get(aggregate)
        return known.state.sequence if known else 0


@dataclass(frozen=True, slots=True)
class Changed:
    """The result of a decision. `events`: appended now; `standing`: the loaded state with these events folded in."""

    events: Sequence[events.AnyEvent]
    standing: Mapping[str, Standing]

    def state(self, folded: aggregates.Folded[aggregates.S], name: str) -> aggregates.S:
        """Return an aggregate as it stands now. Only what was loaded is known."""
        state: aggregates.S = self.standing[folded.kind.of(name)].state
        return state


Learns = Callable[[str, Changed], None]
"""Is told of a tenant's decision."""


class Deciding:
    """Decides on the ledger. Of each kind at most `cached` aggregates stay folded, the least recently used goes first:
    the handles of a crowd who calls do not drive out the conversations in which it waits.

    What is over is not kept, nor what is not there, but journals, of which there are few: memory is for what goes on.

    A fold that is behind does no harm: an append on it conflicts, and whatever appends nothing is confirmed.
    `begins`, `learns`: set by whoever follows the ledger, who knows of aggregates that go on for years, and hears what
    was decided here before the ledger gives it.
    """

    def __init__(self, ledger: Ledger, timers: arming.Timers, *, cached: int, retries: int) -> None:
        self.ledger = ledger
        self.begins: Beginnings = lambda _tenant, _aggregate: None
        self.learns: Learns = lambda _tenant, _changed: None
        self._timers = timers
        self._cached = cached
        self._retries = retries
        self._states: dict[str, OrderedDict[Key, Any]] = defaultdict(OrderedDict)
        self._heard: dict[Key, int] = {}

    async def load(
        self,
        tenant: str,
        folded: aggregates.Folded[aggregates.S],
        name: str,
        *,
        leader: bool = False,
        remembered: bool = False,
    ) -> aggregates.S:
        """Return an aggregate as it stands: what is folded already, and the tail of the ledger.

        `remembered`: without the tail, where no news was heard of what is folded already.
        Raises: EventTypeUnknown, NotAnEvent, LedgerUnavailable.
        """
        (state,) = await self.load_all(tenant, folded, [name], leader=leader, remembered=remembered)
        return state

    async def load_all(
        self,
        tenant: str,
        folded: aggregates.Folded[aggregates.S],
        names: Iterable[str],
        *,
        leader: bool = False,
        remembered: bool = False,
    ) -> list[aggregates.S]:
        """As `load`, several of a kind, all asked for at once; no name comes twice."""
        known = {
            each: self._from_memory(tenant, folded, each) for each in map(folded.kind.of, names)
        }
        from_memory = remembered and not leader
        after = {
            aggregate: sequence
            for aggregate, (_, sequence) in known.items()
            if not (from_memory and self._is_current(tenant, aggregate))
        }
        states = {aggregate: state for aggregate, (state, _) in known.items()}
        tails = await self._read(tenant, after, leader=leader)
        for aggregate, found in zip(after, tails, strict=True):
            state, tail = states[aggregate], found
            if after[aggregate] < state.sequence and not _reaches(found, state.sequence):
                tail = await self.ledger.read_leader(tenant, aggregate, after=after[aggregate])
            for recorded in tail:
                state = folded.evolve(state, recorded.sequence, recorded.event)
            self._keep(tenant, folded, aggregate, state)
            states[aggregate] = state
        return list(states.values())

    def _from_memory(
        self, tenant: str, folded: aggregates.Folded[aggregates.S], aggregate: str
    ) -> tuple[aggregates.S, int]:
        """Return how an aggregate stands as far as is known here, and after which event it is read on."""
        state: aggregates.S | None = self._states[folded.kind.prefix].get((tenant, aggregate))
        if state is not None:
            return state, state.sequence
        begun = self.begins(tenant, aggregate)
        return (folded.empty, 0) if begun is None else (begun.state, begun.after)

    def _is_current(self, tenant: str, aggregate: str) -> bool:
        """Tell whether an aggregate is folded in memory and no news of it was heard."""
        key = tenant, aggregate
        state = self._states[_prefix(aggregate)].get(key)
        return state is not None and state.sequence >= self._heard.get(key, 0)

    async def _read(
        self, tenant: str, after: Mapping[str, int], *, leader: bool
    ) -> Sequence[Sequence[Recorded]]:
        if leader:
            read = self.ledger.read_leader
            return await tasks.together(read(tenant, each, after=at) for each, at in after.items())
        if len(after) == 1:
            ((aggregate, sequence),) = after.items()
            return [await self.ledger.read(tenant, aggregate, after=sequence)]
        return await self.ledger.read_all(tenant, after) if after else []

    def hear(self, recorded: Recorded) -> None:
        """Take note, by whoever follows the ledger, of what may be newer than what is folded in memory."""
        key = recorded.event.tenant, recorded.aggregate
        known = self._states[_prefix(recorded.aggregate)].get(key)
        behind = known is not None and known.sequence < recorded.sequence
        if behind or aggregates.is_journal(recorded.aggregate):
            self._heard[key] = recorded.sequence

    async def change(
        self,
        tenant: str,
        load: Callable[[Reading], Awaitable[L]],
        decide: Callable[[L], Sequence[events.AnyEvent]],
        *,
        confirm: bool = True,
        first: Reading | None = None,
        retries: int | None = None,
    ) -> Changed:
        """Load, decide, arm the timers of what was decided, append; on a conflict reload and decide again.

        A refusal and an empty decision append nothing, so nothing proves that they were not based on a stale state:
        with `confirm` both are decided once more on a read from the leader before they are believed.
        A timer is armed before the event that needs it: an orphan asks about what is not there and is answered no.
        `retries`: after conflicts, else as many as are set up;
        `first`: what the first try reads with, by whoever has looked already; no aggregate is read twice for it.

        Raises: the refusal; LedgerConflict after the last retry; what loading, arming and appending raise.
        """
        with metrics.decision(tenant) as outcome:
            changed = await self._change(tenant, load, decide, confirm, first, retries)
            outcome.append("appended" if changed.events else "nothing")
        self.learns(tenant, changed)
        return changed

    async def _change(
        self,
        tenant: str,
        load: Callable[[Reading], Awaitable[L]],
        decide: Callable[[L], Sequence[events.AnyEvent]],
        confirm: bool,
        first: Reading | None,
        retries: int | None,
    ) -> Changed:
        leader, retries = False, self._retries if retries is None else retries
        for attempt in range(1, retries + 2):
            reading = first or Reading(self, tenant, leader=leader)
            believed = reading.leader or not confirm
            first, leader = None, True
            loaded = await load(reading)
            try:
                decided = decide(loaded)
            except errors.TellonceError:
                if believed:
                    raise
                continue
            if decided:
                try:
                    return await self._append(reading, decided)
                except errors.LedgerConflict as conflict:
                    metrics.CONFLICTS.add()
                    log.info("append_conflicted", attempt=attempt, **conflict.details)
                await CONFLICT.pause(attempt)
            elif believed:
                return Changed((), reading.standing)
        raise errors.LedgerConflict(retries=retries)

    async def _append(self, reading: Reading, decided: Sequence[events.AnyEvent]) -> Changed:
        wanted = [timer for event in decided for timer in asked_by(event)]
        await tasks.together(self._timers.arm(timer) for timer in wanted)
        by_aggregate: dict[str, list[events.AnyEvent]] = {}
        for event in decided:
            by_aggregate.setdefault(event.aggregate, []).append(event)
        writes = [
            Write(aggregate, reading.expected(aggregate), each)
            for aggregate, each in by_aggregate.items()
        ]
        guards = list(_guards(reading, decided, by_aggregate))
        appended = await self.ledger.append(reading.tenant, writes, guards)
        written = (event for each in by_aggregate.values() for event in each)
        standing = dict(reading.standing)
        for sequence, event in zip(appended.sequences, written, strict=True):
            if event.aggregate in standing:
                standing[event.aggregate] = standing[event.aggregate].after(sequence, event)
        for aggregate in by_aggregate.keys() & standing.keys():
            stands = standing[aggregate]
            self._keep(reading.tenant, stands.folded, aggregate, stands.state)
        return Changed(decided, standing)

    def _keep(
        self, tenant: str, folded: aggregates.Folded[Any], aggregate: str, state: Any
    ) -> None:
        """Remember the newer of two folds."""
        key, states = (tenant, aggregate), self._states[folded.kind.prefix]
        if folded.over(state) or not (state.sequence or folded.kind.journal):
            self._forget(states, key)
            return
        known = states.get(key)
        if known is None or known.sequence <= state.sequence:
            states[key] = state
        states.move_to_end(key)
        if len(states) > self._cached:
            self._forget(states, next(iter(states)))

    def _forget(self, states: OrderedDict[Key, Any], key: Key) -> None:
        states.pop(key, None)
        self._heard.pop(key, None)


def _reaches(tail: Sequence[Recorded], sequence: int) -> bool:
    """Tell whether a tail holds all that a beginning lacks: a replica may be behind whoever follows the ledger."""
    return bool(tail) and tail[-1].sequence >= sequence


def _prefix(aggregate: str) -> str:
    return aggregates.split(aggregate)[0]


def _guards(
    reading: Reading, decided: Sequence[events.AnyEvent], written: Mapping[str, object]
) -> Iterable[Guard]:
    """Yield what must not have changed in between: a packet shows the customer too."""
    shown = {
        event.personal.packet.built_from.customer.aggregate
        for event in decided
        if isinstance(event, events.ContextPackaged) and event.personal
    }
    for aggregate in shown - written.keys():
        if aggregate in reading.standing:
            yield Guard(aggregate, reading.expected(aggregate))
