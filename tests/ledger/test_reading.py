"""What is read back, and what cannot be read."""

import asyncio

import pytest

from shared import subjects
from shared.bus.deliveries import Message, StoredMessage
from shared.codec import PlainCodec, encode
from shared.errors import EventTypeUnknown, NotAnEvent, StreamDrift
from shared.ledger import Ledger, Recorded, Write
from shared.ledger.follow import follow
from shared.ledger.jetstream import READ_BATCH_EVENTS, NatsLedger
from tests.support.ledger import (
    TENANT,
    LaggingBus,
    Place,
    ScriptedCodec,
    ServerPlace,
    event,
    new_aggregate,
    write,
)
from tests.support.waiting import WITHIN_SECONDS, eventually


async def test_only_what_comes_after_is_read(ledger: Ledger) -> None:
    """`after` cuts off what the reader knows; another aggregate's events never show."""
    aggregate = new_aggregate()
    first = await ledger.append(TENANT, [write(aggregate, 0, "a")])
    await ledger.append(TENANT, [write(new_aggregate(), 0, "other")])
    second = await ledger.append(TENANT, [write(aggregate, first.position, "b", "c")])
    for read in (ledger.read, ledger.read_leader):

        async def tail() -> bool:
            found = await read(TENANT, aggregate, after=first.position)  # noqa: B023
            return [r.sequence for r in found] == list(second.sequences)

        await eventually(tail)
        assert await read(TENANT, aggregate, after=second.position) == []
        assert await read(TENANT, new_aggregate()) == []


async def test_several_aggregates_are_read_at_once(ledger: Ledger) -> None:
    """Each after its own sequence, in the order asked for, also what is long or not there."""
    short, absent, long = new_aggregate(), new_aggregate(), new_aggregate()
    first = await ledger.append(TENANT, [write(short, 0, "a")])
    second = await ledger.append(TENANT, [write(short, first.position, "b", "c")])
    many = [event(long) for _ in range(2 * READ_BATCH_EVENTS + 10)]
    third = await ledger.append(TENANT, [Write(long, 0, many)])

    async def all_of_it() -> bool:
        found = await ledger.read_all(TENANT, {short: first.position, absent: 0, long: 0})
        wanted = [second.sequences, [], third.sequences]
        return [[r.sequence for r in each] for each in found] == list(map(list, wanted))

    await eventually(all_of_it)


async def test_tenants_do_not_see_each_other(ledger: Ledger) -> None:
    """The same aggregate name of another tenant is another aggregate."""
    aggregate = new_aggregate()
    await ledger.append(TENANT, [write(aggregate, 0, "a")])
    assert await ledger.read_leader("other", aggregate) == []


async def test_a_long_aggregate_is_read_whole(ledger: Ledger) -> None:
    """More events than one batched read carries come back complete and in order."""
    aggregate = new_aggregate()
    events = [event(aggregate) for _ in range(2 * READ_BATCH_EVENTS + 10)]
    await ledger.append(TENANT, [Write(aggregate, 0, events)])

    async def complete() -> bool:
        return [r.event for r in await ledger.read(TENANT, aggregate)] == events

    await eventually(complete)


async def test_the_leader_knows_every_acknowledged_event(place: Place) -> None:
    """A read from the leader right after each acknowledgement, by another client, always holds it."""
    aggregate = new_aggregate()
    writer, reader = await place.ledger(), await place.ledger()
    last = 0
    for number in range(60):
        last = (await writer.append(TENANT, [write(aggregate, last, str(number))])).position
        assert (await reader.read_leader(TENANT, aggregate))[-1].sequence == last


@pytest.mark.parametrize("lacking", [1, 3, 5])
async def test_a_replica_that_lags_does_not_shorten_a_leader_read(
    server_place: ServerPlace, lacking: int
) -> None:
    """What the replica does not have yet comes from the leader, in order."""
    aggregate = new_aggregate()
    appended = await (await server_place.ledger()).append(
        TENANT, [write(aggregate, 0, "a", "b", "c", "d", "e")]
    )
    lagging = NatsLedger(LaggingBus(await server_place.bus(), lacking), PlainCodec())
    recorded = await lagging.read_leader(TENANT, aggregate)
    assert [r.sequence for r in recorded] == list(appended.sequences)


async def test_one_position_is_read(ledger: Ledger) -> None:
    """`get` gives the stored bytes at a position, `None` beyond the end and before the beginning."""
    aggregate = new_aggregate()
    wanted = event(aggregate)
    appended = await ledger.append(TENANT, [Write(aggregate, 0, [wanted])])
    recorded = await ledger.get(appended.position)
    assert recorded is not None
    assert (recorded.body, recorded.aggregate) == (encode(wanted), aggregate)
    assert recorded.stored.tzinfo is not None
    assert await ledger.get(await ledger.position() + 1) is None
    assert await ledger.get(0) is None


async def test_the_position_is_the_last_sequence(ledger: Ledger) -> None:
    """After an append the ledger's position is that append's, when nobody else writes."""
    appended = await ledger.append(TENANT, [write(new_aggregate(), 0, "a", "b")])
    assert await ledger.position() == appended.position


async def test_an_event_of_a_newer_version_stops_the_reader(place: Place) -> None:
    """An unknown type is said by name and is worth a retry with a newer version."""
    aggregate = new_aggregate()
    newer = encode(event(aggregate)).replace(b'"agent.status_set"', b'"agent.teleported"')
    planter = await place.ledger(ScriptedCodec(newer))
    await planter.append(TENANT, [write(aggregate, 0, "a")])
    ledger = await place.ledger()
    for read in (ledger.read_leader(TENANT, aggregate), ledger.get(await ledger.position())):
        with pytest.raises(EventTypeUnknown) as refusal:
            await read
        assert refusal.value.retryable
        assert refusal.value.details == {"type": "agent.teleported"}


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b'{"type":"agent.status_set"}', b"[1]"])
async def test_garbage_is_not_an_event(place: Place, body: bytes) -> None:
    """Whatever else lies there is reported, never skipped and never a crash."""
    aggregate = new_aggregate()
    planter = await place.ledger(ScriptedCodec(body))
    await planter.append(TENANT, [write(aggregate, 0, "a")])
    ledger = await place.ledger()
    with pytest.raises(NotAnEvent):
        await ledger.read_leader(TENANT, aggregate)


# -- following ----------------------------------------------------------------------------------------


class Follower:
    """Collects what `follow` yields, in the background."""

    def __init__(self, ledger: Ledger, after: int) -> None:
        self.found: list[Recorded] = []
        self._task = asyncio.create_task(self._run(ledger, after))

    async def _run(self, ledger: Ledger, after: int) -> None:
        async for batch in ledger.follow(after):
            self.found.extend(batch)

    async def reaches(self, sequence: int) -> None:
        """Wait until everything up to `sequence` is here; fails at once if following ended."""

        async def reached() -> bool:
            if self._task.done():
                self._task.result()
            return bool(self.found) and self.found[-1].sequence >= sequence

        await eventually(reached)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task], timeout=WITHIN_SECONDS)


async def test_following_yields_old_and_new_without_a_gap(place: Place, ledger: Ledger) -> None:
    """A follower gets what was there and what comes, in order, each once."""
    after = await ledger.position()
    await ledger.append(TENANT, [write(new_aggregate(), 0, "a", "b", "c")])
    follower = Follower(await place.ledger(), after)
    await follower.reaches(after + 3)
    for _ in range(20):
        await ledger.append(TENANT, [write(new_aggregate(), 0, "a", "b")])
    position = await ledger.position()
    await follower.reaches(position)
    await follower.stop()
    assert [r.sequence for r in follower.found] == list(range(after + 1, position + 1))


async def test_a_follower_never_gets_a_part_of_a_batch(place: Place, ledger: Ledger) -> None:
    """However many batches come and however large, each is yielded whole."""
    after = await ledger.position()
    follower = aiter((await place.ledger()).follow(after))
    ends = {
        (await ledger.append(TENANT, [Write(a, 0, [event(a) for _ in range(size)])])).position
        for size in (1, 7, 1000, 700, 1, 3)
        for a in [new_aggregate()]
    }
    reached = after
    async with asyncio.timeout(WITHIN_SECONDS):
        while reached < max(ends):
            reached = (await anext(follower))[-1].sequence
            assert reached in ends


async def test_following_survives_a_restart_without_a_gap(place: Place, ledger: Ledger) -> None:
    """The server restarts while events come: the follower goes on where it stood."""
    after = await ledger.position()
    follower = Follower(await place.ledger(), after)
    await ledger.append(TENANT, [write(new_aggregate(), 0, "a")])
    await follower.reaches(after + 1)
    restart = asyncio.create_task(place.restart())
    for _ in range(20):
        await ledger.append(TENANT, [write(new_aggregate(), 0, "a")])
    await restart
    last = await ledger.append(TENANT, [write(new_aggregate(), 0, "a")])
    await follower.reaches(last.position)
    await follower.stop()
    assert [r.sequence for r in follower.found] == list(range(after + 1, last.position + 1))


async def test_following_from_beyond_the_end_is_drift(ledger: Ledger) -> None:
    """A follower that knows more than the ledger holds must not go on: the ledger went back."""
    with pytest.raises(StreamDrift):
        await anext(aiter(ledger.follow(await ledger.position() + 1)))


async def test_a_missing_sequence_is_drift(server_place: ServerPlace) -> None:
    """A follower stops when the leader does not hold the next event (here: a stream that lost one)."""
    bus = await server_place.bus()
    name = f"HOLED-{new_aggregate()}"
    await bus.api(f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"{name}.>"]})
    for _ in range(3):
        await bus.store(f"{name}.x", b"{}")
    await bus.api(f"STREAM.MSG.DELETE.{name}", {"seq": 2})
    found: list[StoredMessage] = []

    async def run() -> None:
        async for batch in follow(bus, name, 0):
            found.extend(batch)

    with pytest.raises(StreamDrift) as drift:
        await asyncio.wait_for(run(), WITHIN_SECONDS)
    assert drift.value.details["missing"] == 2
    assert [message.sequence for message in found] == [1]
    await bus.api(f"STREAM.DELETE.{name}")


async def test_the_live_copy_of_an_event_has_the_stored_bytes(server_place: ServerPlace) -> None:
    """The server repeats each stored event on `live.…` for lossy listeners."""
    aggregate = new_aggregate()
    bus = await server_place.bus()
    bodies: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(message: Message) -> None:
        bodies.put_nowait(message.body)

    await bus.subscribe(subjects.live(TENANT, aggregate), take)
    await bus.flush()
    wanted = event(aggregate)
    await (await server_place.ledger()).append(TENANT, [Write(aggregate, 0, [wanted])])
    assert await asyncio.wait_for(bodies.get(), WITHIN_SECONDS) == encode(wanted)
