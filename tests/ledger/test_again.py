"""The same append again: it changes nothing, whatever became of the first one."""

import asyncio

import pytest

from shared import subjects
from shared.bus.deliveries import PubAck
from shared.codec import PlainCodec, encode
from shared.errors import LedgerConflict, LedgerUnavailable
from shared.ledger import Appended, Ledger, Write
from shared.ledger.jetstream import Limits, NatsLedger
from tests.support.ledger import (
    TENANT,
    DeafBus,
    Place,
    ServerPlace,
    event,
    last_of,
    new_aggregate,
    write,
)

SHAPES: dict[str, list[tuple[str, ...]]] = {
    "single": [("a",)],
    "one aggregate": [("a", "b", "c")],
    "two aggregates": [("a", "b"), ("c",)],
}


@pytest.fixture(params=SHAPES)
def writes(request: pytest.FixtureRequest) -> list[Write]:
    """A plain publish, a batch to one aggregate, a batch over two."""
    return _writes(request.param)


def _writes(shape: str) -> list[Write]:
    return [write(new_aggregate(), 0, *names) for names in SHAPES[shape]]


async def _count(ledger: Ledger, writes: list[Write]) -> int:
    return sum([len(await ledger.read_leader(TENANT, w.aggregate)) for w in writes])


async def _same_again(ledger: Ledger, writes: list[Write], first: Appended) -> None:
    again = await ledger.append(TENANT, writes)
    assert again.duplicate
    assert list(again.sequences) == list(first.sequences)
    assert again.last == first.last
    assert await _count(ledger, writes) == sum(len(w.events) for w in writes)


async def test_at_once(ledger: Ledger, writes: list[Write]) -> None:
    """The repeated append answers with the first one's sequences and stores nothing."""
    first = await ledger.append(TENANT, writes)
    assert not first.duplicate
    await _same_again(ledger, writes, first)


async def test_from_another_process(place: Place, ledger: Ledger, writes: list[Write]) -> None:
    """The client remembers nothing: another one answers the same."""
    first = await ledger.append(TENANT, writes)
    await _same_again(await place.ledger(), writes, first)


async def test_after_a_restart(place: Place, ledger: Ledger, writes: list[Write]) -> None:
    """A restart of the server, or of the leader, between the two changes nothing."""
    first = await ledger.append(TENANT, writes)
    await place.restart()
    await _same_again(ledger, writes, first)


async def test_after_the_duplicate_window(place: Place, ledger: Ledger) -> None:
    """When the stream has forgotten the ids, the expected sequence still finds the first append, of every shape."""
    every = [_writes(shape) for shape in SHAPES]
    firsts = [await ledger.append(TENANT, writes) for writes in every]
    await place.pass_window()
    for writes, first in zip(every, firsts, strict=True):
        await _same_again(ledger, writes, first)


async def test_after_others_wrote_on(ledger: Ledger, writes: list[Write]) -> None:
    """Later events of the aggregate do not hide that the append was stored."""
    first = await ledger.append(TENANT, writes)
    for number in range(3):
        for w in writes:
            at = await last_of(ledger, w.aggregate)
            await ledger.append(TENANT, [write(w.aggregate, at, f"later {number}")])
    again = await ledger.append(TENANT, writes)
    assert again.duplicate
    assert list(again.sequences) == list(first.sequences)
    assert again.last == first.last


async def test_many_times_at_once(place: Place, writes: list[Write]) -> None:
    """Sixteen clients send the same append together: one stores it, all get its sequences."""
    ledgers = [await place.ledger() for _ in range(4)]
    outcomes = await asyncio.gather(*(ledgers[n % 4].append(TENANT, writes) for n in range(16)))
    assert [o.duplicate for o in outcomes].count(False) <= 1
    assert len({tuple(o.sequences) for o in outcomes}) == 1
    assert await _count(ledgers[0], writes) == sum(len(w.events) for w in writes)


async def test_the_same_id_with_another_body_is_a_conflict(ledger: Ledger) -> None:
    """An id is believed only together with its body, at a stale expectation and at a right one."""
    aggregate = new_aggregate()
    first = await ledger.append(TENANT, [write(aggregate, 0, "a")])
    other = event(aggregate, "a", actor="service:other")
    for expected in (0, first.position):
        with pytest.raises(LedgerConflict):
            await ledger.append(TENANT, [Write(aggregate, expected, [other])])
    assert await last_of(ledger, aggregate) == first.position


async def test_the_same_event_at_a_later_position_is_not_stored_again(ledger: Ledger) -> None:
    """Within the window an event that is already behind the expected sequence answers as a duplicate."""
    aggregate = new_aggregate()
    first = await ledger.append(TENANT, [write(aggregate, 0, "a")])
    again = await ledger.append(TENANT, [write(aggregate, first.position, "a")])
    assert (list(again.sequences), again.duplicate) == (list(first.sequences), True)


async def test_a_batch_with_one_id_already_stored_is_refused_whole(ledger: Ledger) -> None:
    """Neither at the old nor at the new expectation does a half-known batch store its other half."""
    known, new = new_aggregate(), new_aggregate()
    first = await ledger.append(TENANT, [write(known, 0, "a")])
    for expected in (0, first.position):
        with pytest.raises(LedgerConflict):
            await ledger.append(TENANT, [write(known, expected, "a"), write(new, 0, "b")])
        with pytest.raises(LedgerConflict):
            await ledger.append(TENANT, [write(new, 0, "b"), write(known, expected, "a")])
    with pytest.raises(LedgerConflict):
        await ledger.append(TENANT, [write(known, first.position, "b", "a")])
    assert await last_of(ledger, new) == 0
    assert await last_of(ledger, known) == first.position


async def test_a_beginning_that_is_stored_does_not_answer_for_the_whole(ledger: Ledger) -> None:
    """If only the first events of an append follow the expected sequence, it is a conflict."""
    aggregate = new_aggregate()
    await ledger.append(TENANT, [write(aggregate, 0, "a", "b")])
    with pytest.raises(LedgerConflict):
        await ledger.append(TENANT, [write(aggregate, 0, "a", "b", "c")])
    with pytest.raises(LedgerConflict):
        await ledger.append(TENANT, [write(aggregate, 0, "a", "c")])


# -- lost on the way (real servers only) --------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 3])
async def test_a_lost_answer_is_found_out(
    server_place: ServerPlace, writes: list[Write], lost: int
) -> None:
    """The server stored it and the answer was lost: the append says so, and it is stored once."""
    bus = DeafBus(await server_place.bus(), answers=lost)
    ledger = NatsLedger(bus, PlainCodec())
    appended = await ledger.append(TENANT, writes)
    assert appended.duplicate
    assert bus.submitted == 1
    assert await _count(ledger, writes) == len(appended.sequences)


@pytest.mark.parametrize(
    "strange",
    [
        PubAck(),
        PubAck(stream="OTHER", seq=1, count=3),
        PubAck(stream="LEDGER", seq=0, count=1),
        PubAck(stream="LEDGER", seq=1, count=2, duplicate=True),
    ],
)
async def test_a_strange_answer_is_looked_into(
    server_place: ServerPlace, writes: list[Write], strange: PubAck
) -> None:
    """An answer that does not acknowledge exactly this append is not believed: the leader is asked."""
    if strange.duplicate and sum(len(w.events) for w in writes) == 1:
        strange = PubAck()
    ledger = NatsLedger(DeafBus(await server_place.bus(), answers=1, instead=strange), PlainCodec())
    appended = await ledger.append(TENANT, writes)
    first = writes[0].aggregate
    assert appended.last[first] == await last_of(ledger, first)
    assert await _count(ledger, writes) == len(appended.sequences)


async def test_a_lost_request_is_sent_again(server_place: ServerPlace, writes: list[Write]) -> None:
    """Nothing reached the stream: the append is sent again and is no duplicate."""
    bus = DeafBus(await server_place.bus(), publishes=2)
    ledger = NatsLedger(bus, PlainCodec())
    appended = await ledger.append(TENANT, writes)
    assert not appended.duplicate
    assert bus.submitted == 3
    assert await _count(ledger, writes) == len(appended.sequences)


async def test_a_lost_answer_and_a_competitor(server_place: ServerPlace) -> None:
    """If another writer was first and our answer was lost, it is a conflict, not a success."""
    aggregate = new_aggregate()
    await (await server_place.ledger()).append(TENANT, [write(aggregate, 0, "theirs")])
    ledger = NatsLedger(DeafBus(await server_place.bus(), answers=1), PlainCodec())
    with pytest.raises(LedgerConflict):
        await ledger.append(TENANT, [write(aggregate, 0, "ours")])


async def test_no_answer_at_all_is_unavailable(server_place: ServerPlace) -> None:
    """Tries are bounded: then the ledger is unavailable and nothing is stored."""
    aggregate = new_aggregate()
    bus = DeafBus(await server_place.bus(), publishes=1_000)
    ledger = NatsLedger(bus, PlainCodec(), Limits(append_attempts=5))
    with pytest.raises(LedgerUnavailable):
        await ledger.append(TENANT, [write(aggregate, 0, "a")])
    assert bus.submitted == 5
    assert await last_of(ledger, aggregate) == 0


async def test_a_duplicate_answer_for_another_message_is_not_believed(
    server_place: ServerPlace,
) -> None:
    """The stream knows the id from a foreign message: its `duplicate: true` is a conflict for us."""
    aggregate, foreign = new_aggregate(), new_aggregate()
    ours = event(aggregate, "a")
    bus = await server_place.bus()
    ack = await bus.submit(
        subjects.ledger(TENANT, foreign), encode(event(foreign)), {"Nats-Msg-Id": str(ours.id)}
    )
    assert ack.seq > 0
    with pytest.raises(LedgerConflict):
        await NatsLedger(bus, PlainCodec()).append(TENANT, [Write(aggregate, 0, [ours])])
    assert await last_of(await server_place.ledger(), aggregate) == 0
