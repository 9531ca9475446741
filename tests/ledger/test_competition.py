"""Writers that compete, servers that are killed: what was promised holds."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from shared import subjects
from shared.bus import Bus
from shared.codec import PlainCodec, encode
from shared.ledger import Guard, Ledger, Recorded, Write
from shared.streams import LEDGER
from tests.support.ledger import (
    TENANT,
    Place,
    ServerPlace,
    event,
    last_of,
    new_aggregate,
)
from tests.support.ledger_history import Attempt, History, check
from tests.support.ledger_writers import attempt, everything, write_once
from tests.support.memory_ledger import MemoryLedger
from tests.support.servers import EmbeddedNats, EmbeddedNatsCluster
from tests.support.waiting import WITHIN_SECONDS, eventually

WRITERS = 32
CHAOS_WRITERS = 8
CHAOS_APPENDS = 14
"""Per writer and acknowledged."""
CHAOS_CLIENTS = 2
"""So that what waits at the same time goes together."""
AGGREGATES = 9


async def test_writers_on_one_aggregate_take_turns(place: Place) -> None:
    """Of 32 writers exactly one wins each position, and with reloading all get their event in."""
    aggregate = new_aggregate()
    ledgers = [await place.ledger() for _ in range(4)]
    history = History(seed=0)

    async def one(number: int) -> None:
        ledger = ledgers[number % len(ledgers)]
        while True:
            expected = await last_of(ledger, aggregate)
            if await attempt(history, ledger, [Write(aggregate, expected, [event(aggregate)])]):
                return

    await asyncio.wait_for(asyncio.gather(*(one(n) for n in range(WRITERS))), WITHIN_SECONDS)
    stored = await ledgers[0].read_leader(TENANT, aggregate)
    assert len(stored) == WRITERS == history.count("acknowledged")
    assert [v for v in check(history, stored) if "is followed by" not in v] == []


async def _write_at_random(
    history: History, ledger: Ledger, aggregates: list[str], dice: random.Random
) -> None:
    """Append until enough are acknowledged."""
    done = 0
    while done < CHAOS_APPENDS:
        done += await write_once(history, ledger, aggregates, dice)


async def _chaos(
    place: ServerPlace, kill_and_restart: Callable[[], Awaitable[None]], kills: int
) -> None:
    """Run competing writers, kill a server in between, and let the checker judge what is stored."""
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    history = History(seed)
    aggregates = [new_aggregate() for _ in range(AGGREGATES)]
    reader = await place.ledger()
    before = await reader.position()
    ledgers = [await place.ledger() for _ in range(CHAOS_CLIENTS)]
    writers = [
        asyncio.create_task(
            _write_at_random(
                history,
                ledgers[number % CHAOS_CLIENTS],
                aggregates,
                random.Random(seed + number),
            )
        )
        for number in range(CHAOS_WRITERS)
    ]
    for kill in range(1, kills + 1):
        await _acknowledged(history, CHAOS_WRITERS * CHAOS_APPENDS * kill // (kills + 2))
        await kill_and_restart()
    await asyncio.wait_for(asyncio.gather(*writers), 3 * WITHIN_SECONDS)
    stored = await everything(reader, before)
    assert check(history, stored) == [], f"seed {seed}"
    assert history.count("acknowledged") == CHAOS_WRITERS * CHAOS_APPENDS
    assert history.count("refused") > 0, "the writers did not compete"


async def _acknowledged(history: History, count: int) -> None:
    async def enough() -> bool:
        return history.count("acknowledged") >= count

    await eventually(enough)


async def test_a_killed_server_loses_and_splits_nothing(
    one_place: ServerPlace, one_node: EmbeddedNats
) -> None:
    """One node, signal 9 in the middle of competing batches, three times."""

    async def kill() -> None:
        await one_node.kill()
        await one_node.start()

    try:
        await _chaos(one_place, kill, kills=3)
    finally:
        await one_place.close()


@pytest.mark.cluster
async def test_a_killed_leader_loses_and_splits_nothing(
    three_place: ServerPlace, three_nodes: EmbeddedNatsCluster
) -> None:
    """Three nodes, signal 9 on the stream's leader in the middle of competing batches."""

    async def kill() -> None:
        leader = await three_nodes.leader_of(LEDGER)
        await three_nodes.kill(leader)
        await three_nodes.restart(leader)

    try:
        await _chaos(three_place, kill, kills=1)
    finally:
        await three_place.close()


# -- the control: an unsafe writer is caught ------------------------------------------------------------


class UnsafeWriter:
    """Reads where the aggregate stands, then publishes without telling the server what it expects."""

    def __init__(self, bus: Bus, ledger: Ledger) -> None:
        self._bus = bus
        self._ledger = ledger

    async def append(self, history: History, aggregate: str) -> None:
        expected = await last_of(self._ledger, aggregate)
        wanted = event(aggregate)
        ack = await self._bus.submit(subjects.ledger(TENANT, aggregate), encode(wanted), {})
        history.attempts.append(
            Attempt([Write(aggregate, expected, [wanted])], [], "acknowledged", [ack.seq])
        )


async def test_control_an_unsafe_writer_is_caught(one_place: ServerPlace) -> None:
    """The same competition without expectations makes the checker report accepted wrong ones."""
    history = History(seed=0)
    aggregate = new_aggregate()
    ledger = await one_place.ledger()
    before = await ledger.position()
    bus = await one_place.bus()
    writers = [UnsafeWriter(bus, await one_place.ledger()) for _ in range(WRITERS)]
    await asyncio.gather(*(writer.append(history, aggregate) for writer in writers))
    stored = await everything(ledger, before)
    await one_place.close()
    print(f"seed {history.seed}")
    assert any(f"although {aggregate} stood at" in line for line in check(history, stored))


async def test_the_checker_sees_each_violation() -> None:
    """Every kind of broken promise, put into a history by hand, is reported."""
    ledger = MemoryLedger(PlainCodec())
    one, two = new_aggregate(), new_aggregate()
    history = History(seed=0)
    await attempt(history, ledger, [Write(one, 0, [event(one), event(one)])])
    await attempt(history, ledger, [Write(two, 0, [event(two)])], [])
    stored = [*await ledger.read(TENANT, one), *await ledger.read(TENANT, two)]
    assert check(history, stored) == []
    assert "acknowledged at [3] and not there" in check(history, stored[:2])
    assert "a part of a batch is stored at 2" in check(history, stored[1:])
    assert "sequence 1 is followed by 3" in check(history, [stored[0], stored[2]])
    assert "an event is stored twice" in check(history, [*stored, stored[2]])
    batch = history.attempts[0]
    lied = [Attempt(batch.writes, [], "refused"), Attempt(batch.writes, [Guard(two, 9)], "unknown")]
    found = check(History(0, lied), stored)
    assert "refused and stored at 1" in found
    assert f"stored at 1 although {two} stood at 0, not 9" in found
    swapped = [stored[0], stored[2], stored[1]]
    moved = [Recorded(n, r.stored, r.aggregate, r.event, r.body) for n, r in enumerate(swapped, 1)]
    assert "a batch is interrupted at 1" in check(history, moved)
