"""What grows with the ledger: the same measures on a small and on a large one, in turns, in one run."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench.figures import HEAD, Ratios, timed
from tests.bench.filling import Copy, Template, agent, fill
from tests.bench.growing import SESSIONS, Growing
from tests.bench.place import policy_of

AGENTS, SLOTS = 20, 100
DAYS = 90
"""What is filled in happened in so many days, up to two days before today."""
KNOWN = 60
"""So many persons wrote before the ledger grew, and write again."""
ROUNDS = 4
CONTACTS = 12
ASKED = 40
CPU_OF = ("router", "history", "nats", "postgres", SESSIONS)
QUERIES = ("conversation", "context", "timeline", "known")

Costs = Mapping[str, float]
"""Seconds of one operation, by what is measured."""
Measure = Callable[["Grown", int], Awaitable[Costs]]


class Grown:
    """A place with a ledger that has grown; `events`: how many it holds, `count` conversations of them filled in."""

    def __init__(self, place: Growing) -> None:
        self.place = place
        self.persons = KNOWN
        self.template: Template
        self.opening: Template
        self.count = self.events = 0

    async def grow(self, wanted: int) -> str:
        """Let known persons write, and the ledger grow to so many events; return how fast that was."""
        place = self.place
        await self._play_one()
        await play(place, range(1, KNOWN + 1))
        await place.until_projected()
        await place.kill("router", "history")
        self.count = max(1, (wanted - await place.ledger.position()) // self.template.size)
        await place.look_away()
        began = time.perf_counter()
        days = (2 + DAYS * (self.count - n) // self.count for n in range(self.count))
        copies = (Copy(n, n % AGENTS, ago) for n, ago in enumerate(days))
        stored = await fill(place.bus, self.template, copies)
        taken = time.perf_counter() - began
        await place.watch()
        self.events = await place.ledger.position()
        return f"    filled: {self.events} events, {self.count} conversations; {stored / taken:.0f} events a second"

    async def _play_one(self) -> None:
        """Play one conversation to its end, with notices; it is what is copied."""
        place = self.place
        await place.start("ingest", "history", "router", "notify")
        await place.does(agent(0), "sign_in")
        after = await place.ledger.position()
        await play(place, [0])
        await place.until_seen("notification.sent", 1)
        await place.kill("notify")
        recorded = await place.recorded(after)
        self.template = Template(recorded)
        end = next(n for n, each in enumerate(recorded) if each.event.type == "context.packaged")
        self.opening = Template(recorded[:end])
        for number in range(1, AGENTS):
            await place.does(agent(number), "sign_in")

    async def learn(self) -> Costs:
        """Let history project, and the router read, the whole ledger; return what an event took of history."""
        place = self.place
        await place.start("history", "router")
        await place.until_projected()
        spent = place.cpu_seconds()
        await place.until_kept()
        return {"projected event: history's CPU": spent["history"] / self.events}


async def play(place: Growing, persons: Sequence[int]) -> None:
    """Persons write; their conversations are taken, noted, wrapped up and resolved."""
    known = set(place.offers)
    for person in persons:
        await place.write_in(person, f"My parcel has not come, number {person}")
    await place.until(lambda: len(place.offers) >= len(known) + len(persons))
    for conversation in place.offers.keys() - known:
        asked, offer = place.offers[conversation]
        await place.does(asked, "accept_offer", conversation=conversation, offer_id=offer)
        for verb, fields in (
            ("record_fact", {"fact": "locker", "value": "KRA01M"}),
            ("wrap_up", {"disposition": "solved", "summary": "It has come"}),
            ("resolve", {}),
        ):
            await place.does(asked, verb, conversation=conversation, **fields)


async def compare(folder: Path, small: int, large: int) -> AsyncIterator[str]:
    """Measure beside ledgers of so many events, in turns; yield the lines."""
    yield HEAD.replace("ours", "large").replace("bare", "small")
    async with AsyncExitStack() as held:
        policy = policy_of(folder / "policy.yaml", map(agent, range(AGENTS)), SLOTS)
        both = []
        for name, wanted in (("small", small), ("large", large)):
            place = await held.enter_async_context(Growing(folder / name, policy))
            both.append(Grown(place))
            yield await both[-1].grow(wanted)
        for each in _lines([[await grown.learn()] for grown in both]):
            yield each
        for measure in (started, newcomers, known_again, asked, appended):
            for each in _lines(await _in_turns(both, measure)):
                yield each
        for each in _lines([[await rebuilt(grown)] for grown in both]):
            yield each
        for each in _sizes(both):
            yield each


async def _in_turns(both: Sequence[Grown], measure: Measure) -> list[list[Costs]]:
    """Measure both in each round, the one that begins changing; round 0 is not counted."""
    found: list[list[Costs]] = [[], []]
    for number in range(ROUNDS + 1):
        order = (0, 1) if number % 2 else (1, 0)
        for side in order:
            costs = await measure(both[side], number)
            if number:
                found[side].append(costs)
    return found


def _lines(found: Sequence[Sequence[Costs]]) -> list[str]:
    small, large = found
    return [
        Ratios(name, 1, [each[name] for each in large], [each[name] for each in small]).line()
        for name in small[0]
    ]


# -- measures --------------------------------------------------------------------------------------------


async def started(grown: Grown, number: int) -> Costs:
    """Kill the router while somebody waits; from its start until it is ready, and until it has offered her."""
    place = grown.place
    await place.kill("router")
    await fill(place.bus, grown.opening, iter([Copy(grown.count + number, 0, 0)]))
    before, began = place.seen["contact.offered"], time.perf_counter()
    await place.launch("router")
    await place.until_ready("router")
    ready = time.perf_counter() - began
    await place.until_seen("contact.offered", before + 1)
    return {
        "router's start: until ready": ready,
        "router's start: until its first offer": time.perf_counter() - began,
        "router's start: its CPU": place.cpu_seconds()["router"],
    }


async def newcomers(grown: Grown, number: int) -> Costs:
    """New persons write, until each is offered and projected: CPU of a contact."""
    first = KNOWN + 1 + number * CONTACTS
    return await _contacts(grown.place, range(first, first + CONTACTS), "new person")


async def known_again(grown: Grown, number: int) -> Costs:
    """Persons write again of whom the ledger has not heard for long."""
    first = 1 + number * CONTACTS
    return await _contacts(grown.place, range(first, first + CONTACTS), "known person")


async def _contacts(place: Growing, persons: Sequence[int], who: str) -> Costs:
    before, spent = len(place.offers), place.cpu_seconds()
    for person in persons:
        await place.write_in(person, "Once more: where is my parcel?")
    await place.until(lambda: len(place.offers) >= before + len(persons))
    await place.until_projected()
    now = place.cpu_seconds()
    return {
        f"{who}'s contact: CPU of {name}": (now[name] - spent[name]) / len(persons)
        for name in CPU_OF
    }


async def asked(grown: Grown, number: int) -> Costs:
    """Ask history of conversations all over the past."""
    found: dict[str, list[float]] = {name: [] for name in QUERIES}
    for turn in range(ASKED):
        copy = Copy((turn * 7_919 + number * 104_729) % grown.count, 0, 0)
        conversation, event = grown.template.named(copy, "conv"), grown.template.first_id(copy)
        for name in QUERIES:
            question = {"ids": [event]} if name == "known" else {"conversation": conversation}
            found[name].append(await timed(grown.place.asked(name, question)))
    return {f"query {name}": statistics.median(taken) for name, taken in found.items()}


async def appended(grown: Grown, number: int) -> Costs:
    """Store an opening of six events as one batch, one after another."""
    first = grown.count + 1_000 * (number + 1)
    copies = [iter([Copy(first + turn, 0, 0)]) for turn in range(ASKED)]
    place = grown.place
    taken = [await timed(fill(place.bus, grown.opening, copy)) for copy in copies]
    await place.until_projected()
    return {"a batch of an opening": statistics.median(taken)}


async def rebuilt(grown: Grown) -> Costs:
    """Rebuild the projection beside the live one: time and CPU of an event, the process's start included."""
    place = grown.place
    end = await place.ledger.position()
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.history",
        "rebuild",
        env={**os.environ, **place.environment("history")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    began = time.perf_counter()
    said, _ = await program.communicate()
    if program.returncode:
        raise RuntimeError(said.decode())
    return {"rebuilt event": (time.perf_counter() - began) / end}


def _sizes(both: Sequence[Grown]) -> list[str]:
    """Return what lies in memory and on disk: of both, and as ratios."""
    lines = []
    for name in ("router", "history", "nats", "postgres"):
        small, large = (grown.place.memory_mb()[name] for grown in both)
        lines.append(
            f"    memory of {name:<34} {large / small:7.2f}   {large:8.0f} MB {small:8.0f} MB"
        )
    for server in ("nats", "postgres"):
        small, large = (grown.place.disk_mb(server) / grown.events * 1e6 for grown in both)
        lines.append(
            f"    disk of an event, {server:<26} {large / small:7.2f}   {large:8.0f} B  {small:8.0f} B"
        )
    return lines
