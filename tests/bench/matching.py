"""What a matched offer costs while ten, a thousand and ten thousand wait, and how many are made in a second.

The crowd is filled in from a call that was played once; the router's own parts match it, on a server.
"""

import statistics
import time
from itertools import count
from pathlib import Path

from tests.bench.crowds import Desk
from tests.bench.filling import Copy, Template, agent, fill
from tests.bench.growing import Growing
from tests.bench.place import policy_of

CROWDS = (10, 1_000, 10_000)
AGENTS, SLOTS = 1_000, 1
GROUP = 10
"""So many agents come at once, and each is offered somebody."""
GROUPS = 12


class Crowd:
    """People who wait, and agents who come one group after another until AGENTS are at work."""

    def __init__(self, place: Growing, desk: Desk) -> None:
        self._place, self._desk = place, desk
        self._waiting, self._copies, self._agents = 0, count(1), 0
        self._template: Template | None = None

    async def grows_to(self, wanted: int) -> None:
        """So many wait now."""
        if self._template is None:
            before = await self._place.ledger.position()
            await self._desk.call(1)
            self._template = Template(await self._place.recorded(before))
            self._waiting += 1
        copies = (Copy(next(self._copies), 0, 0) for _ in range(wanted - self._waiting))
        await fill(self._place.bus, self._template, copies)
        self._waiting = max(self._waiting, wanted)
        await self._desk.follow()

    async def takes(self, agents: int) -> tuple[float, float]:
        """So many agents come, and are offered somebody each; return the CPU and the seconds of an offer."""
        await self._desk.sign_in(range(self._agents, self._agents + agents))
        self._agents += agents
        await self._desk.follow()
        began = time.perf_counter()
        made, spent = await self._desk.offer()
        took = time.perf_counter() - began
        assert made == agents, (made, agents)
        self._waiting -= made
        return spent / made, took / made

    async def all_at_once(self) -> tuple[float, float]:
        """All agents come who are not there yet."""
        return await self.takes(AGENTS - self._agents)


async def compare(folder: Path) -> list[str]:
    """Return the CPU of an offer beside each crowd as ratios, and how many were made in a second."""
    folder.mkdir(parents=True)
    policy = policy_of(folder / "policy.yaml", map(agent, range(AGENTS)), SLOTS)
    spent, took = dict[int, float](), dict[int, float]()
    async with Growing(folder / "stack", policy) as place:
        await place.look_away()
        crowd = Crowd(place, Desk(place))
        for waiting in CROWDS:
            groups = []
            for _ in range(GROUPS):
                await crowd.grows_to(waiting)
                groups.append(await crowd.takes(GROUP))
            spent[waiting], took[waiting] = map(statistics.median, zip(*groups, strict=True))
        at_once = await crowd.all_at_once()
    few = CROWDS[0]
    lines = [
        f"{f'CPU of an offer, {waiting:,} wait / {few} wait':<44} {'':6} "
        f"{spent[waiting] / spent[few]:7.2f} {'':7}   {spent[waiting] * 1e3:8.3f} ms {spent[few] * 1e3:8.3f} ms"
        for waiting in CROWDS[1:]
    ]
    rates = ", ".join(f"{waiting:,} wait: {1 / seconds:.0f}" for waiting, seconds in took.items())
    left = AGENTS - GROUP * GROUPS * len(CROWDS)
    told = (
        f"    matched offers a second, {GROUP} agents at a time, {rates}; {left} agents at once, until "
        f"{AGENTS:,} are at work, {CROWDS[-1]:,} wait: {1 / at_once[1]:.0f}"
    )
    return [*lines, told]
