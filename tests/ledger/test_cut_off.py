"""A server that is cut off from the two others, or stands still: nothing is acknowledged without a quorum.

A server that is cut off answers its clients' pings all the same: they stay, and are cut off with it until it is healed.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio

from shared.bus import Bus, connect
from shared.codec import PlainCodec
from shared.errors import BusUnavailable, LedgerUnavailable
from shared.ledger.jetstream import NatsLedger
from shared.streams import LEDGER
from tests.support.cut_cluster import CutCluster
from tests.support.frozen import frozen
from tests.support.ledger import make_ledger_stream, new_aggregate
from tests.support.ledger_history import History, check
from tests.support.ledger_writers import everything, write_once
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]
"""One loop: the proxies run in it."""

WRITERS_EACH = 2
AGGREGATES = 9
MORE = 6
"""So many appends show that a side goes on."""
WITHIN_SECONDS = 60.0
NODES = range(3)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CutCluster]:
    """Three servers with proxies in their routes, and the streams on all of them."""
    async with CutCluster(tmp_path_factory.mktemp("cut")) as cluster:
        await make_ledger_stream(cluster.urls, 3)
        yield cluster


@dataclass
class Side:
    """Writers who are connected to one server alone."""

    history: History
    bus: Bus
    aggregates: list[str]
    failed: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def acknowledged(self) -> int:
        return self.history.count("acknowledged")

    async def write(self, seed: int) -> None:
        """Append again and again, until cancelled."""
        ledger, dice = NatsLedger(self.bus, PlainCodec()), random.Random(seed)
        while True:
            unknown = self.history.count("unknown")
            with contextlib.suppress(BusUnavailable, LedgerUnavailable):
                await write_once(self.history, ledger, self.aggregates, dice)
                self.failed += self.history.count("unknown") > unknown
                continue
            self.failed += 1

    async def goes_on(self) -> None:
        """Wait until MORE appends are acknowledged."""
        enough = self.acknowledged + MORE

        async def more() -> bool:
            for task in self.tasks:
                assert not task.done(), task
            return self.acknowledged >= enough

        await eventually(more, WITHIN_SECONDS)

    async def has_failed(self) -> None:
        """Wait until each writer has met a failure more."""
        enough = self.failed + WRITERS_EACH

        async def failed() -> bool:
            return self.failed >= enough

        await eventually(failed, WITHIN_SECONDS)


@contextlib.asynccontextmanager
async def writing(cluster: CutCluster) -> AsyncIterator[list[Side]]:
    """Let writers at every server compete for the same aggregates; afterwards judge what is stored, on every server."""
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    aggregates = [new_aggregate() for _ in range(AGGREGATES)]
    sides = [Side(History(seed), await connect([url], "test"), aggregates) for url in cluster.urls]
    reader = await connect(cluster.urls, "test")
    before = await NatsLedger(reader, PlainCodec()).position()
    for number, side in enumerate(sides):
        for writer in range(WRITERS_EACH):
            side.tasks.append(asyncio.create_task(side.write(seed + number * 100 + writer)))
    try:
        yield sides
        for side in sides:
            for task in side.tasks:
                task.cancel()
        await asyncio.gather(
            *(task for side in sides for task in side.tasks), return_exceptions=True
        )
        stored = await everything(NatsLedger(reader, PlainCodec()), before)
        together = History(seed, [each for side in sides for each in side.history.attempts])
        assert check(together, stored) == [], f"seed {seed}"
        assert together.count("refused") > 0, "the writers did not compete"
        await eventually(lambda: _all_hold_the_same(cluster), WITHIN_SECONDS)
    finally:
        for side in sides:
            for task in side.tasks:
                task.cancel()
            await side.bus.close()
        await reader.close()


async def _all_hold_the_same(cluster: CutCluster) -> bool:
    """Tell whether every server holds the ledger without a gap, up to the same end."""
    held = [await _state(url) for url in cluster.monitor_urls]
    whole = all(each["messages"] == each["last_seq"] - each["first_seq"] + 1 for each in held)
    return whole and len({each["last_seq"] for each in held}) == 1


async def _state(monitor: str) -> dict[str, Any]:
    """Return what a server says of its own copy of the ledger."""
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = (await http.get(f"{monitor}/jsz?streams=true")).json()
    details = answer["account_details"][0]["stream_detail"]
    (state,) = (each["state"] for each in details if each["name"] == LEDGER)
    return dict(state)


async def _without(sides: list[Side], victim: int) -> None:
    """The two others go on; who is connected to the victim is acknowledged nothing meanwhile, and told so."""
    others = [side for number, side in enumerate(sides) if number != victim]
    await asyncio.gather(*(side.goes_on() for side in others))
    await sides[victim].has_failed()
    before = sides[victim].acknowledged
    await asyncio.gather(*(side.goes_on() for side in others))
    await sides[victim].has_failed()
    assert sides[victim].acknowledged == before


async def _follower(cluster: CutCluster) -> int:
    leader = await cluster.leader_of(LEDGER)
    return next(number for number in NODES if number != leader)


@contextlib.contextmanager
def cut_off(cluster: CutCluster, victim: int) -> Iterator[None]:
    cluster.cut_off(victim)
    try:
        yield
    finally:
        cluster.heal()


async def test_a_minority_that_is_cut_off_acknowledges_nothing(nodes: CutCluster) -> None:
    """A follower without the others; healed, it has what it missed, and its clients go on."""
    victim = await _follower(nodes)
    async with writing(nodes) as sides:
        await asyncio.gather(*(side.goes_on() for side in sides))
        with cut_off(nodes, victim):
            await _without(sides, victim)
        await sides[victim].goes_on()


async def test_a_leader_that_is_cut_off_acknowledges_nothing(nodes: CutCluster) -> None:
    """The two others choose another; what the old one took and could not share is none of the ledger."""
    victim = await nodes.leader_of(LEDGER)
    async with writing(nodes) as sides:
        await asyncio.gather(*(side.goes_on() for side in sides))
        with cut_off(nodes, victim):
            await _without(sides, victim)
        await sides[victim].goes_on()


async def test_a_leader_that_stands_still_is_left(nodes: CutCluster) -> None:
    """Its clients notice its silence and go on at another server; it wakes as the leader that it was, and is none."""
    victim = await nodes.leader_of(LEDGER)
    async with writing(nodes) as sides:
        await asyncio.gather(*(side.goes_on() for side in sides))
        before = sides[victim].bus.generation
        with frozen(nodes.pid(victim)):
            await asyncio.gather(*(side.goes_on() for side in sides))
            assert sides[victim].bus.generation > before
        await asyncio.gather(*(side.goes_on() for side in sides))
