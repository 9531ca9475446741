"""`python -m tests.bench [--seed N] [--ledger-events N]`: measures and prints.

`--growth [--events N] [--against N]`: instead, what grows with the ledger (a million events: half an hour, idle).
`--crowds [--waiting N] [--agents N]`: instead, what grows with those who wait, and with agents.

It asserts no goal and exits 0 when it could measure.
"""

import argparse
import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import structlog

from services.router.dispatcher import KEPT_EVENTS
from shared.codec import decode
from shared.ledger import Recorded
from tests.bench import (
    appends,
    arriving,
    crowds,
    decisions,
    end_to_end,
    growth,
    matching,
    projecting,
    stages,
    starting,
)
from tests.bench.figures import HEAD
from tests.bench.place import copied, told

PROJECTED_EVENTS = 4_000
FILLED_EVENTS = 30_000
LEDGER_EVENTS = 12_000
GROWN_EVENTS, SMALL_EVENTS = 100_000, 10_000
LEAST_EVENTS = KEPT_EVENTS + 1_000
"""A ledger is filled by whole conversations, up to the last that fits."""
WAITING, AGENTS = 10_000, 1_000


def multiplied(events: Sequence[Recorded], wanted: int) -> list[Recorded]:
    """Return real events, repeated with other ids until there are `wanted`, as the ledger would hold them."""
    found: list[Recorded] = []
    number = 0
    while len(found) < wanted:
        number += 1
        for recorded in events[: wanted - len(found)]:
            body = copied(recorded.body, number)
            event = decode(body)
            aggregate = event.aggregate
            found.append(Recorded(len(found) + 1, recorded.stored, aggregate, event, body))
    return found


async def run(seed: int, ledger_events: int, folder: Path) -> None:
    """Measure everything, one after another."""
    print(told(seed))
    print(f"\n{HEAD}", flush=True)
    figures, ran_on = await appends.compare(folder, seed)
    show(*(figure.line() for figure in figures), f"    on {ran_on}")
    figures, ran_on = await decisions.compare(folder / "decisions", seed)
    show(*(figure.line() for figure in figures), f"    on {ran_on}")
    delays, queries, events = await end_to_end.measure(folder, seed)
    figure, ran_on = await projecting.compare(folder, multiplied(events, PROJECTED_EVENTS))
    show(figure.line(), f"    on {ran_on}")
    figures, ran_on = await projecting.compare_filled(folder, multiplied(events, FILLED_EVENTS))
    show(*(figure.line() for figure in figures), f"    on {ran_on}")
    show(*delays.lines(), *(figure.line() for figure in queries), f"    on {delays.ran_on}")
    show(*await stages.compare(folder / "stages"))
    show(*await matching.compare(folder / "matching"))
    show(*await arriving.compare(folder / "arriving"))
    show(*await starting.compare(folder / "starting", events, ledger_events))


def show(*lines: str) -> None:
    """Print what is known so far."""
    print("\n".join(lines), flush=True)


async def show_as_known(lines: AsyncIterator[str]) -> None:
    """Print each line when it is known."""
    async for line in lines:
        show(line)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="for ids and telephone numbers")
    parser.add_argument(
        "--ledger-events", type=int, default=LEDGER_EVENTS, help="beside which a router starts"
    )
    parser.add_argument("--growth", action="store_true", help="measure what grows with the ledger")
    parser.add_argument("--events", type=int, default=GROWN_EVENTS, help="in the large ledger")
    parser.add_argument("--against", type=int, default=SMALL_EVENTS, help="in the small ledger")
    parser.add_argument("--crowds", action="store_true", help="measure what grows with a crowd")
    parser.add_argument("--waiting", type=int, default=WAITING, help="who wait in the crowd")
    parser.add_argument("--agents", type=int, default=AGENTS, help="beside whom they wait")
    asked = parser.parse_args()
    if asked.growth and min(asked.events, asked.against) < LEAST_EVENTS:
        parser.error(
            f"a ledger begins at {LEAST_EVENTS} events: a router must have kept a snapshot"
        )
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tellonce-bench-") as folder:
        if asked.growth:
            lines = growth.compare(Path(folder), asked.against, asked.events)
            asyncio.run(show_as_known(lines))
        elif asked.crowds:
            lines = crowds.compare(Path(folder), asked.waiting, asked.agents)
            asyncio.run(show_as_known(lines))
        else:
            asyncio.run(run(asked.seed, asked.ledger_events, Path(folder)))
    print(f"measured in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
