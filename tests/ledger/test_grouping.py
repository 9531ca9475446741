"""Appends that wait at the same time go as one batch, and each ends as if it had been sent alone."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.bus import Bus
from shared.bus.deliveries import PubAck
from shared.bus.storing import MESSAGE_TOO_LARGE
from shared.codec import PlainCodec
from shared.errors import JetStreamRefused, LedgerConflict, TimedOut
from shared.ledger import Appended, Guard, Ledger, Write
from shared.ledger.grouping import GROUP_MESSAGES_MAX, Groups
from shared.ledger.jetstream import NatsLedger
from shared.ledger.plan import Outgoing, Plan, plan
from shared.streams import LEDGER
from tests.support.ledger import (
    TENANT,
    DeafBus,
    ServerPlace,
    guard_on,
    last_of,
    new_aggregate,
    write,
)
from tests.support.waiting import WITHIN_SECONDS

TOGETHER = 24


def _decision() -> list[Write]:
    """Four events on three aggregates that nobody wrote before."""
    first, second, third = new_aggregate(), new_aggregate(), new_aggregate()
    return [write(first, 0, "a", "b"), write(second, 0, "a"), write(third, 0, "a")]


async def _together(
    ledger: Ledger, decisions: list[list[Write]], guards: dict[int, list[Guard]] | None = None
) -> list[Appended | BaseException]:
    appends = (
        ledger.append(TENANT, each, (guards or {}).get(number, []))
        for number, each in enumerate(decisions)
    )
    return await asyncio.wait_for(
        asyncio.gather(*appends, return_exceptions=True), 3 * WITHIN_SECONDS
    )


async def _holds(ledger: Ledger, decision: list[Write], found: Appended | BaseException) -> None:
    """What an append says of itself is what the ledger holds: its own events, without a gap."""
    assert isinstance(found, Appended), found
    sequences = list(found.sequences)
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    wanted = [each.id for one in decision for each in one.events]
    stored = [await ledger.get(sequence) for sequence in sequences]
    assert [each.event.id for each in stored if each] == wanted
    for one in decision:
        assert found.last[one.aggregate] == await last_of(ledger, one.aggregate)


async def _batches(bus: Bus, found: list[Appended | BaseException]) -> set[str]:
    """Return the batches that the server stored them in."""
    batches = set()
    for each in found:
        assert isinstance(each, Appended)
        stored = await bus.leader_get(LEDGER, sequence=each.position)
        assert stored
        batches.add(stored.headers["Nats-Batch-Id"])
    return batches


async def test_what_waits_together_is_one_batch(server_place: ServerPlace) -> None:
    """The first ones are under way alone at most; of all others none has a batch of its own."""
    bus = await server_place.bus()
    ledger = NatsLedger(bus, PlainCodec())
    decisions = [_decision() for _ in range(TOGETHER)]
    found = await _together(ledger, decisions)
    for decision, each in zip(decisions, found, strict=True):
        await _holds(ledger, decision, each)
    assert len(await _batches(bus, found)) < TOGETHER / 4


async def test_only_what_is_in_conflict_is_refused(server_place: ServerPlace) -> None:
    """One in a group expects what is not so, one guards what has moved: these two are refused, nobody else."""
    ledger = await server_place.ledger()
    moved = new_aggregate()
    await ledger.append(TENANT, [write(moved, 0, "a")])
    decisions = [_decision() for _ in range(TOGETHER)]
    decisions[5].append(write(moved, 0, "b"))
    found = await _together(ledger, decisions, {11: [Guard(moved, 0)]})
    for number, (decision, each) in enumerate(zip(decisions, found, strict=True)):
        if number in {5, 11}:
            assert isinstance(each, LedgerConflict)
            assert [await last_of(ledger, one.aggregate) for one in decision[:3]] == [0, 0, 0]
        else:
            await _holds(ledger, decision, each)
    assert isinstance(found[5], LedgerConflict)
    assert found[5].details["aggregate"] == moved


async def test_what_touches_the_same_goes_one_after_another(server_place: ServerPlace) -> None:
    """Two write one aggregate, a third guards it: the first is stored, and what it overtook is refused."""
    ledger = await server_place.ledger()
    shared = new_aggregate()
    await ledger.append(TENANT, [write(shared, 0, "a")])
    stands = await guard_on(ledger, shared)
    decisions = [_decision() for _ in range(4)]
    decisions[0].append(write(shared, stands.expected, "b"))
    decisions[1].append(write(shared, stands.expected, "c"))
    found = await _together(ledger, decisions, {2: [stands]})
    await _holds(ledger, decisions[0], found[0])
    assert isinstance(found[1], LedgerConflict)
    assert isinstance(found[2], LedgerConflict)
    await _holds(ledger, decisions[3], found[3])


async def test_a_repeated_append_in_a_group_is_found(server_place: ServerPlace) -> None:
    """The same append again, among new ones: it is told as a duplicate, and everything is stored once."""
    ledger = await server_place.ledger()
    again = _decision()
    first = await ledger.append(TENANT, again)
    decisions = [_decision(), again, _decision()]
    found = await _together(ledger, decisions)
    for decision, each in zip(decisions, found, strict=True):
        await _holds(ledger, decision, each)
    assert [each.duplicate for each in found if isinstance(each, Appended)] == [False, True, False]
    assert isinstance(found[1], Appended)
    assert list(found[1].sequences) == list(first.sequences)


@pytest.mark.parametrize(("answers", "publishes"), [(1, 0), (0, 1)])
async def test_a_group_without_an_answer_is_found_out(
    server_place: ServerPlace, answers: int, publishes: int
) -> None:
    """The group's answer, or its end on the way there, is lost: each append finds out what became of itself."""
    ledger = NatsLedger(
        DeafBus(await server_place.bus(), answers=answers, publishes=publishes), PlainCodec()
    )
    decisions = [_decision() for _ in range(6)]
    found = await _together(ledger, decisions)
    for decision, each in zip(decisions, found, strict=True):
        await _holds(ledger, decision, each)


async def test_who_gives_up_takes_nobody_along(server_place: ServerPlace) -> None:
    """One is cancelled before its group is sent, one while it is under way: the others are stored."""
    ledger = await server_place.ledger()
    decisions = [_decision() for _ in range(6)]
    appends = [asyncio.ensure_future(ledger.append(TENANT, each)) for each in decisions]
    await asyncio.sleep(0)
    appends[1].cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    appends[4].cancel()
    found = await asyncio.wait_for(
        asyncio.gather(*appends, return_exceptions=True), 3 * WITHIN_SECONDS
    )
    assert isinstance(found[1], asyncio.CancelledError)
    assert isinstance(found[4], asyncio.CancelledError)
    for number in (0, 2, 3, 5):
        await _holds(ledger, decisions[number], found[number])


async def test_a_large_append_goes_with_nobody(server_place: ServerPlace) -> None:
    """A group has a bound, an append its own: what is larger than a group is sent, alone."""
    ledger = await server_place.ledger()
    large = [write(new_aggregate(), 0, *(f"e{n}" for n in range(GROUP_MESSAGES_MAX + 10)))]
    decisions = [_decision(), large, _decision()]
    found = await _together(ledger, decisions)
    for decision, each in zip(decisions, found, strict=True):
        await _holds(ledger, decision, each)


# -- groups without a server --------------------------------------------------------------------------


def _planned(aggregate: str, number: int = 0) -> Plan:
    """A planned append of four events on one aggregate."""
    writes = [write(aggregate, number, "a", "b", "c", "d")]
    return plan(TENANT, writes, [], [f"{aggregate}{number}".encode()] * 4)


class _Sent:
    """Notes what was sent, and answers as a stream does once it is let."""

    def __init__(self) -> None:
        self.began, self.goes_on = asyncio.Event(), asyncio.Event()
        self.batches: list[list[str]] = []

    async def __call__(self, messages: Sequence[Outgoing]) -> PubAck:
        self.batches.append([each.aggregate for each in messages])
        self.began.set()
        await self.goes_on.wait()
        return PubAck(seq=1_000 + len(messages), count=len(messages))


async def test_a_crowd_on_one_aggregate_keeps_nobody_else_back() -> None:
    """Those who wait for each other take no room in a group that they are not in."""
    sent = _Sent()
    groups = Groups(sent, open_batches=1)
    hot, others = new_aggregate(), [new_aggregate() for _ in range(4)]
    crowd = [_planned(hot, 2_000 * number) for number in range(GROUP_MESSAGES_MAX)]
    appends = [
        asyncio.ensure_future(groups.send(each)) for each in (*crowd, *map(_planned, others))
    ]
    await asyncio.sleep(0)
    sent.goes_on.set()
    await asyncio.gather(*appends)
    assert set(others) <= set(sent.batches[0])


async def test_who_was_overtaken_while_waiting_is_refused_at_once() -> None:
    """An aggregate stands elsewhere when its first one is stored: the others need no turn to learn it."""
    sent = _Sent()
    groups = Groups(sent, open_batches=1)
    hot = new_aggregate()
    crowd = [groups.send(_planned(hot)) for _ in range(8)]
    later = groups.send(_planned(hot, 2_000))
    appends = [asyncio.ensure_future(each) for each in (*crowd, later)]
    await sent.began.wait()
    sent.goes_on.set()
    found = await asyncio.gather(*appends)
    assert [each.error is None for each in found] == [True, *[False] * 7, True]
    assert len(sent.batches) == 2


async def test_what_cannot_be_sent_fails_alone() -> None:
    """Something unforeseen about one append, a message too large for the connection: the others are stored."""
    sent = _Sent()
    sent.goes_on.set()
    wrong = new_aggregate()

    async def send(messages: Sequence[Outgoing]) -> PubAck:
        if wrong in {each.aggregate for each in messages}:
            raise JetStreamRefused(err_code=MESSAGE_TOO_LARGE)
        return await sent(messages)

    groups = Groups(send, open_batches=2)
    wanted = [*(new_aggregate() for _ in range(5)), wrong, new_aggregate()]
    found = await asyncio.gather(
        *(groups.send(_planned(each)) for each in wanted), return_exceptions=True
    )
    for aggregate, each in zip(wanted, found, strict=True):
        kind = JetStreamRefused if aggregate == wrong else PubAck
        assert isinstance(each, kind)


async def test_a_group_that_is_cancelled_leaves_nobody_waiting() -> None:
    """Whoever ends everything that runs, as a loop does at its end: those who wait are told that there is no answer."""
    sent = _Sent()
    groups = Groups(sent, open_batches=1)
    before = asyncio.all_tasks()
    appends = [asyncio.ensure_future(groups.send(_planned(new_aggregate()))) for _ in range(3)]
    await sent.began.wait()
    (under_way,) = asyncio.all_tasks() - before - set(appends)
    under_way.cancel()
    found = await asyncio.wait_for(asyncio.gather(*appends, return_exceptions=True), WITHIN_SECONDS)
    assert [type(each) for each in found] == [TimedOut] * 3
    sent.goes_on.set()
    assert (await groups.send(_planned(new_aggregate()))).count == 4
