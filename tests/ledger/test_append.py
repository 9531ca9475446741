"""What an append stores, and when it stores nothing."""

import asyncio

import pytest

from shared.errors import LedgerBatchTooLarge, LedgerConflict, LedgerGuardsTooMany
from shared.ledger import BATCH_EVENTS_MAX, Guard, Ledger, Write
from tests.support.ledger import TENANT, event, guard_on, last_of, new_aggregate, write


async def test_a_first_event_is_expected_at_zero(ledger: Ledger) -> None:
    """A new aggregate is written with expected sequence 0 and read back as it was sent."""
    aggregate = new_aggregate()
    wanted = event(aggregate)
    appended = await ledger.append(TENANT, [Write(aggregate, 0, [wanted])])
    (recorded,) = await ledger.read_leader(TENANT, aggregate)
    assert (recorded.event, recorded.aggregate) == (wanted, aggregate)
    assert [recorded.sequence] == list(appended.sequences)
    assert appended.last == {aggregate: appended.position}
    assert not appended.duplicate


async def test_each_append_follows_the_sequence_it_expects(ledger: Ledger) -> None:
    """An append at the last sequence is taken; sequences grow."""
    aggregate = new_aggregate()
    first = await ledger.append(TENANT, [write(aggregate, 0, "a")])
    second = await ledger.append(TENANT, [write(aggregate, first.position, "b", "c")])
    assert [r.sequence for r in await ledger.read_leader(TENANT, aggregate)] == [
        *first.sequences,
        *second.sequences,
    ]


@pytest.mark.parametrize("events", [("x",), ("x", "y")])
async def test_a_stale_expectation_is_refused(ledger: Ledger, events: tuple[str, ...]) -> None:
    """An expectation behind the last sequence is a conflict that names what stands, and stores nothing."""
    aggregate = new_aggregate()
    stands = (await ledger.append(TENANT, [write(aggregate, 0, "a")])).position
    with pytest.raises(LedgerConflict) as refusal:
        await ledger.append(TENANT, [write(aggregate, 0, *events)])
    assert refusal.value.details == {"aggregate": aggregate, "expected": 0, "actual": stands}
    assert await last_of(ledger, aggregate) == stands


@pytest.mark.parametrize("events", [("x",), ("x", "y")])
async def test_an_expectation_of_the_future_is_refused(
    ledger: Ledger, events: tuple[str, ...]
) -> None:
    """An expectation that no event of the aggregate has is a conflict too."""
    aggregate = new_aggregate()
    stands = (await ledger.append(TENANT, [write(aggregate, 0, "a")])).position
    with pytest.raises(LedgerConflict):
        await ledger.append(TENANT, [write(aggregate, stands + 1000, *events)])
    with pytest.raises(LedgerConflict):
        await ledger.append(TENANT, [write(new_aggregate(), 7, *events)])
    assert await last_of(ledger, aggregate) == stands


async def test_several_aggregates_change_together(ledger: Ledger) -> None:
    """A batch stores all events of all writes, without a gap and in the order of the writes."""
    one, two = new_aggregate(), new_aggregate()
    appended = await ledger.append(TENANT, [write(one, 0, "a", "b"), write(two, 0, "c")])
    first = appended.sequences[0]
    assert list(appended.sequences) == [first, first + 1, first + 2]
    assert appended.last == {one: first + 1, two: first + 2}
    assert await last_of(ledger, two) == first + 2


@pytest.mark.parametrize("stale", [0, 1, 2])
async def test_one_stale_aggregate_refuses_the_whole_batch(ledger: Ledger, stale: int) -> None:
    """Whichever write is stale, none of the batch is stored."""
    aggregates = [new_aggregate() for _ in range(3)]
    await ledger.append(TENANT, [write(aggregates[stale], 0, "before")])
    with pytest.raises(LedgerConflict) as refusal:
        await ledger.append(TENANT, [write(a, 0, "x", "y") for a in aggregates])
    assert refusal.value.details["aggregate"] == aggregates[stale]
    counts = [len(await ledger.read_leader(TENANT, a)) for a in aggregates]
    assert sum(counts) == 1


async def test_a_guard_that_holds_lets_the_batch_pass(ledger: Ledger) -> None:
    """Guards on written and on never written aggregates hold where they stand."""
    written, never, target = new_aggregate(), new_aggregate(), new_aggregate()
    await ledger.append(TENANT, [write(written, 0, "a")])
    guards = [await guard_on(ledger, written), Guard(never, 0)]
    appended = await ledger.append(TENANT, [write(target, 0, "x", "y", "z")], guards)
    assert len(appended.sequences) == 3


@pytest.mark.parametrize("moved", [0, 1])
async def test_a_guard_that_moved_refuses_the_batch(ledger: Ledger, moved: int) -> None:
    """Any one guard that stands elsewhere refuses all, and the refusal names it."""
    guarded = [new_aggregate(), new_aggregate()]
    target = new_aggregate()
    await ledger.append(TENANT, [write(guarded[moved], 0, "a")])
    with pytest.raises(LedgerConflict) as refusal:
        await ledger.append(
            TENANT, [write(target, 0, "x", "y", "z")], [Guard(g, 0) for g in guarded]
        )
    assert refusal.value.details["aggregate"] == guarded[moved]
    assert await last_of(ledger, target) == 0


async def test_a_guard_needs_an_event_to_ride_on(ledger: Ledger) -> None:
    """One event cannot carry a guard beside its own expectation: refused, never left unchecked."""
    target, guarded = new_aggregate(), new_aggregate()
    with pytest.raises(LedgerGuardsTooMany):
        await ledger.append(TENANT, [write(target, 0, "x")], [Guard(guarded, 0)])
    with pytest.raises(LedgerGuardsTooMany):
        await ledger.append(
            TENANT, [write(target, 0, "x", "y")], [Guard(guarded, 0), Guard(new_aggregate(), 0)]
        )
    assert await last_of(ledger, target) == 0


async def test_a_guard_on_a_written_aggregate_is_the_writes_own_expectation(
    ledger: Ledger,
) -> None:
    """It costs no event when it agrees with the write, and is a conflict when it does not."""
    target = new_aggregate()
    await ledger.append(TENANT, [write(target, 0, "x")], [Guard(target, 0)])
    with pytest.raises(LedgerConflict):
        await ledger.append(TENANT, [write(target, 0, "x")], [Guard(target, 5)])


async def test_two_that_guard_each_other_do_not_both_pass(ledger: Ledger) -> None:
    """Each writes what the other guards, at the same time: at most one of a pair is stored."""
    pairs = [(new_aggregate(), new_aggregate()) for _ in range(12)]

    async def attempt(target: str, guarded: str) -> bool:
        try:
            await ledger.append(TENANT, [write(target, 0, "x", "y")], [Guard(guarded, 0)])
        except LedgerConflict:
            return False
        return True

    passed = await asyncio.gather(
        *(attempt(*pair) for one, two in pairs for pair in ((one, two), (two, one)))
    )
    for (one, two), first, second in zip(pairs, passed[::2], passed[1::2], strict=True):
        assert not (first and second)
        stored = [await last_of(ledger, one) > 0, await last_of(ledger, two) > 0]
        assert stored == [first, second]


async def test_a_full_batch_is_stored_whole(ledger: Ledger) -> None:
    """The server's limit on a batch is usable to the last event."""
    aggregate = new_aggregate()
    events = [event(aggregate) for _ in range(BATCH_EVENTS_MAX)]
    await ledger.append(TENANT, [Write(aggregate, 0, events)])
    recorded = await ledger.read_leader(TENANT, aggregate)
    assert [r.event for r in recorded] == events


async def test_a_batch_beyond_the_limit_is_refused(ledger: Ledger) -> None:
    """One event more than the server takes, or one too large, is refused before anything is sent."""
    aggregate = new_aggregate()
    with pytest.raises(LedgerBatchTooLarge):
        await ledger.append(
            TENANT, [Write(aggregate, 0, [event(aggregate)] * (BATCH_EVENTS_MAX + 1))]
        )
    with pytest.raises(LedgerBatchTooLarge):
        await ledger.append(TENANT, [Write(aggregate, 0, [event(aggregate, actor="x" * 262_000)])])
    assert await last_of(ledger, aggregate) == 0


async def test_the_largest_event_is_stored(ledger: Ledger) -> None:
    """An event right under the limit passes the server's own check, headers included."""
    aggregate = new_aggregate()
    await ledger.append(TENANT, [Write(aggregate, 0, [event(aggregate, actor="x" * 260_000)])])
    assert await last_of(ledger, aggregate) > 0


async def test_an_append_without_events_is_a_mistake(ledger: Ledger) -> None:
    """No writes, an empty write, or two writes to one aggregate are errors of the caller."""
    aggregate = new_aggregate()
    for writes in (
        [],
        [Write(aggregate, 0, [])],
        [write(aggregate, 0, "a"), write(aggregate, 0, "b")],
    ):
        with pytest.raises(ValueError, match="an append needs writes"):
            await ledger.append(TENANT, writes)
