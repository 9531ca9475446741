"""The decider runtime, on the twin, on one node and on three: what is decided is decided on what stands."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from msgspec import Struct
from msgspec.structs import replace
from typing_extensions import override

from shared import aggregates, events
from shared.aggregates import Folded
from shared.deciding import Deciding, Reading
from shared.errors import AgentSignedOut, LedgerConflict
from shared.ledger import Ledger, Recorded
from shared.timers import OFFER_EXPIRY
from tests.support.ledger import INSTANT, TENANT, Place, event, new_aggregate, write
from tests.support.memory_ledger import MemoryLedger
from tests.support.memory_timers import MemoryTimers
from tests.support.waiting import WITHIN_SECONDS

DECIDERS = 8


class Count(Struct, frozen=True):
    """How many events an aggregate has."""

    events: int = 0
    sequence: int = 0


COUNT = Folded(
    aggregates.AGENT, Count(), lambda count, sequence, _: Count(count.events + 1, sequence)
)


def deciding(ledger: Ledger, timers: MemoryTimers | None = None, *, retries: int = 20) -> Deciding:
    return Deciding(ledger, timers or MemoryTimers(), cached=4, retries=retries)


def name_of(aggregate: str) -> str:
    return aggregates.split(aggregate)[1]


class Lagging(MemoryLedger):
    """A replica that has nothing yet; the leader has all."""

    @override
    async def read(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        return []

    @override
    async def read_leader(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        return await super().read(tenant, aggregate, after=after)


async def test_deciders_at_once_each_decide_on_what_the_others_did(place: Place) -> None:
    """None of eight decides on a count that another has changed: each number is given once."""
    aggregate, given = new_aggregate(), []

    async def one(number: int) -> None:
        runtime, decided = deciding(await place.ledger(), retries=100), [0]

        async def load(reading: Reading) -> Count:
            return await reading.load(COUNT, name_of(aggregate))

        def decide(count: Count) -> list[events.AnyEvent]:
            decided[0] = count.events
            return [event(aggregate, f"e{number}")]

        await runtime.change(TENANT, load, decide)
        given.append(decided[0])

    await asyncio.wait_for(asyncio.gather(*(one(n) for n in range(DECIDERS))), WITHIN_SECONDS)
    assert sorted(given) == list(range(DECIDERS))


async def test_a_try_decides_on_one_state_of_each_aggregate(place: Place) -> None:
    """It changes between two looks of one try: the try conflicts, and is decided again on what stands then."""
    aggregate, ledger = new_aggregate(), await place.ledger()
    tries: list[tuple[int, int]] = []

    async def load(reading: Reading) -> Count:
        first = await reading.load(COUNT, name_of(aggregate))
        if not tries:
            await ledger.append(TENANT, [write(aggregate, 0, "other")])
        again = await reading.load(COUNT, name_of(aggregate))
        tries.append((first.events, again.events))
        return first

    def decide(count: Count) -> list[events.AnyEvent]:
        return [event(aggregate, f"on-{count.events}")]

    changed = await deciding(ledger).change(TENANT, load, decide)
    assert tries == [(0, 0), (1, 1)]
    assert [each.id for each in changed.events] == [event(aggregate, "on-1").id]


async def test_what_was_decided_is_folded_in_without_reading_it_again(place: Place) -> None:
    """The answer knows the state behind the append; so does the next decision, on any replica."""
    runtime, aggregate = deciding(await place.ledger()), new_aggregate()

    async def load(reading: Reading) -> Count:
        return await reading.load(COUNT, name_of(aggregate))

    first = await runtime.change(
        TENANT, load, lambda _: [event(aggregate, "a"), event(aggregate, "b")]
    )
    assert first.state(COUNT, name_of(aggregate)).events == 2
    second = await runtime.change(
        TENANT, load, lambda count: [event(aggregate, f"c{count.events}")]
    )
    assert second.state(COUNT, name_of(aggregate)).events == 3
    assert len(await runtime.ledger.read_leader(TENANT, aggregate)) == 3


async def test_a_decision_over_several_aggregates_stands_whole_or_not_at_all(place: Place) -> None:
    """One of two moved since it was read: both are read again, and the other has nothing twice."""
    ledger, one, other = await place.ledger(), new_aggregate(), new_aggregate()
    tries: list[tuple[int, int]] = []

    async def load(reading: Reading) -> tuple[Count, Count]:
        loaded = [await reading.load(COUNT, name_of(each)) for each in (one, other)]
        if not tries:
            await ledger.append(TENANT, [write(other, 0, "meanwhile")])
        return loaded[0], loaded[1]

    def decide(counts: tuple[Count, Count]) -> list[events.AnyEvent]:
        tries.append((counts[0].events, counts[1].events))
        return [event(one, "a"), event(other, "a")]

    await deciding(ledger).change(TENANT, load, decide)
    assert tries == [(0, 0), (0, 1)]
    assert [len(await ledger.read_leader(TENANT, each)) for each in (one, other)] == [1, 2]


async def test_a_refusal_and_nothing_are_believed_of_the_leader_alone() -> None:
    """A replica that lags may show what is no longer so; without `confirm` its word is enough."""
    ledger, aggregate = Lagging(), new_aggregate()
    await ledger.append(TENANT, [write(aggregate, 0, "a")])

    async def load(reading: Reading) -> Count:
        return await reading.load(COUNT, name_of(aggregate))

    def refuse(count: Count) -> list[events.AnyEvent]:
        if not count.events:
            raise AgentSignedOut
        return [event(aggregate, "b")]

    def only_if_known(count: Count) -> Sequence[events.AnyEvent]:
        return [event(aggregate, "c")] if count.events else []

    with pytest.raises(AgentSignedOut):
        await deciding(ledger).change(TENANT, load, refuse, confirm=False)
    assert not (await deciding(ledger).change(TENANT, load, only_if_known, confirm=False)).events
    assert (await deciding(ledger).change(TENANT, load, refuse)).events
    assert (await deciding(ledger).change(TENANT, load, only_if_known)).events


async def test_what_another_aggregate_names_is_asked_of_the_leader_when_a_replica_lacks_it() -> (
    None
):
    """Otherwise whoever is named would be taken for nobody."""
    ledger, aggregate = Lagging(), new_aggregate()
    await ledger.append(TENANT, [write(aggregate, 0, "a")])
    reading = Reading(deciding(ledger), TENANT, leader=False)
    assert (await reading.load(COUNT, name_of(aggregate))).events == 0
    assert (await reading.load_named(COUNT, name_of(aggregate))).events == 1
    assert reading.expected(aggregate) == 1


async def test_a_decision_that_always_conflicts_is_given_up() -> None:
    """After the last retry the caller is told, and nothing was stored."""
    ledger, aggregate = MemoryLedger(), new_aggregate()
    tries = []

    async def load(reading: Reading) -> Count:
        count = await reading.load(COUNT, name_of(aggregate))
        tries.append(count)
        await ledger.append(TENANT, [write(aggregate, count.sequence, f"other{len(tries)}")])
        return count

    with pytest.raises(LedgerConflict):
        await deciding(ledger, retries=3).change(TENANT, load, lambda _: [event(aggregate, "mine")])
    assert len(tries) == 4
    assert len(await ledger.read(TENANT, aggregate)) == 4


async def test_the_timer_of_an_event_is_armed_before_the_event_is_stored() -> None:
    """Whatever dies in between: an orphan asks about nothing, a missing timer would be silence."""
    ledger, timers, aggregate = MemoryLedger(), MemoryTimers(), aggregates.CONVERSATION.of("m1")
    at_arming: list[int] = []

    class Watched(MemoryTimers):
        @override
        async def arm(self, timer: object) -> None:
            at_arming.append(await ledger.position())
            await timers.arm(timer)  # type: ignore[arg-type]

    offered = events.make(
        events.ContactOffered,
        events.Origin(
            tenant=TENANT, service="test", actor="service:test", occurred=INSTANT, recorded=INSTANT
        ),
        "offered",
        aggregate,
        events.ContactOfferedOpen(
            offer_id=events.OfferId("o1"),
            contact_id=events.ContactId("c1"),
            queue="hotline",
            agent=events.AgentId("ewa"),
            packet_id=events.PacketId("p1"),
            expires=INSTANT,
            rule="r",
            policy_version="v",
            passed_over={},
        ),
    )

    async def load(_: Reading) -> None:
        """It looks at nothing."""

    await deciding(ledger, Watched()).change(TENANT, load, lambda _: [offered])
    (armed,) = timers.armed
    assert (armed.kind, armed.id, armed.due) == (OFFER_EXPIRY.name, "o1", INSTANT)
    assert (at_arming, await ledger.position()) == ([0], 1)


async def test_the_least_recently_used_aggregate_is_forgotten_first() -> None:
    """Beyond `cached` it is folded anew from the ledger, and nothing is lost."""
    ledger = MemoryLedger()
    runtime, names = deciding(ledger), [new_aggregate() for _ in range(8)]
    for each in names:
        await ledger.append(TENANT, [write(each, 0, "a")])
    counts = [await runtime.load(TENANT, COUNT, name_of(each)) for each in (*names, *names)]
    assert {count.events for count in counts} == {1}
    assert replace(counts[0]) == counts[8]


class Counted(MemoryLedger):
    """Counts the reads, and the events that were read."""

    reads = 0
    read_events = 0

    @override
    async def read(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        found = await super().read(tenant, aggregate, after=after)
        self.reads += 1
        self.read_events += len(found)
        return found


async def test_what_goes_on_is_kept_and_what_is_over_is_not() -> None:
    """An aggregate is read once while it goes on; once it is over it takes no memory and is read again."""
    ledger = Counted()
    until_two = replace_over(COUNT, lambda count: count.events >= 2)
    aggregate = new_aggregate()
    name, runtime = name_of(aggregate), deciding(ledger)
    await ledger.append(TENANT, [write(aggregate, 0, "e1")])
    assert [(await runtime.load(TENANT, until_two, name)).events for _ in range(3)] == [1, 1, 1]
    assert ledger.read_events == 1
    await ledger.append(TENANT, [write(aggregate, 1, "e2")])
    assert [(await runtime.load(TENANT, until_two, name)).events for _ in range(3)] == [2, 2, 2]
    assert ledger.read_events == 1 + 1 + 2 + 2


def replace_over(folded: Folded[Count], over: Callable[[Count], bool]) -> Folded[Count]:
    return Folded(folded.kind, folded.empty, folded.evolve, over)


async def test_what_is_remembered_is_taken_as_it_is_until_news_of_it_is_heard() -> None:
    """Nothing is read for it; once whoever follows the ledger has heard of more, its tail is."""
    ledger, aggregate = Counted(), new_aggregate()
    name, runtime = name_of(aggregate), deciding(ledger)
    await ledger.append(TENANT, [write(aggregate, 0, "e1")])

    async def remembered() -> int:
        reading = Reading(runtime, TENANT, leader=False, remembered=True)
        return (await reading.load(COUNT, name)).events

    assert (await remembered(), ledger.reads) == (1, 1)
    await ledger.append(TENANT, [write(aggregate, 1, "e2")])
    assert (await remembered(), ledger.reads) == (1, 1)
    for recorded in await ledger.read_leader(TENANT, aggregate):
        runtime.hear(recorded)
    reads = ledger.reads
    assert (await remembered(), await remembered(), ledger.reads) == (2, 2, reads + 1)


async def test_what_is_remembered_wrongly_is_refused_and_decided_again() -> None:
    """Another wrote meanwhile and nobody has heard of it: the append conflicts, and the next try asks the leader."""
    ledger, aggregate, counts = MemoryLedger(), new_aggregate(), list[int]()
    runtime = deciding(ledger)
    await ledger.append(TENANT, [write(aggregate, 0, "e1")])
    await runtime.load(TENANT, COUNT, name_of(aggregate))
    await ledger.append(TENANT, [write(aggregate, 1, "e2")])

    async def load(reading: Reading) -> Count:
        return await reading.load(COUNT, name_of(aggregate))

    def decide(count: Count) -> list[events.AnyEvent]:
        counts.append(count.events)
        return [event(aggregate, f"on-{count.events}")]

    first = Reading(runtime, TENANT, leader=False, remembered=True)
    await runtime.change(TENANT, load, decide, first=first)
    assert counts == [1, 2]


async def test_what_is_taken_for_new_and_is_not_conflicts() -> None:
    """No look is spent on it, and it is known once it is written; where it stood already, the append says so."""
    ledger, known, fresh = Counted(), new_aggregate(), new_aggregate()
    await ledger.append(TENANT, [write(known, 0, "e1")])
    tries = []

    async def load(reading: Reading) -> None:
        for each in (known, fresh):
            if reading.leader:
                await reading.load(COUNT, name_of(each))
            else:
                reading.new(COUNT, name_of(each))
        tries.append(reading.leader)

    runtime = deciding(ledger)
    await runtime.change(TENANT, load, lambda _: [event(known, "e2"), event(fresh, "e1")])
    assert tries == [False, True]
    tries.clear()
    another = new_aggregate()

    async def load_new(reading: Reading) -> None:
        reading.new(COUNT, name_of(another))

    reads = ledger.reads
    await runtime.change(TENANT, load_new, lambda _: [event(another, "e1")])
    reading = Reading(runtime, TENANT, leader=False, remembered=True)
    assert (await reading.load(COUNT, name_of(another))).events == 1
    assert ledger.reads == reads


async def test_several_are_loaded_side_by_side_and_each_once() -> None:
    """Whoever names an aggregate twice, or loads it twice at once, gets one state."""
    ledger, one, other = Counted(), new_aggregate(), new_aggregate()
    await ledger.append(TENANT, [write(one, 0, "e1")])
    reading = Reading(deciding(ledger), TENANT, leader=False)
    names = [name_of(each) for each in (one, other, one)]
    found = await reading.load_all(COUNT, names)
    assert [each.events for each in found] == [1, 0, 1]
    assert ledger.reads == 2
    again = Reading(deciding(ledger), TENANT, leader=False)
    one_state, same = await asyncio.gather(*(again.load(COUNT, name_of(one)) for _ in range(2)))
    assert one_state is same
