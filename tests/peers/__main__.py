"""`python -m tests.peers [--events N] [--rounds N]`: the same events through message-db, UmaDB, eventsourcing and us.

It measures and prints; it asserts no goal. Every server syncs before it acknowledges. It needs what `make bench-peers`
installs.
"""

import argparse
import asyncio
import gc
import logging
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

import structlog

from tests.bench.place import postgres_told, told
from tests.peers import message_db
from tests.peers.comparison import Comparison, Decide, Work
from tests.peers.events import Events, many
from tests.peers.figures import HEAD, Side, Workload, asked
from tests.peers.library import Eventsourcing
from tests.peers.message_db import MessageDb
from tests.peers.ours import History, Ours
from tests.peers.store import Store
from tests.peers.timeline import ByHand
from tests.peers.uma import UmaDb
from tests.support.servers import EmbeddedPostgres

EVENTS = 100_000
ROUNDS = 3
RUNNER_SHARE = 25
"""One event of so many goes through the runner of eventsourcing, which takes a transaction for each."""
DECISIONS_ASKED = 1.5
REBUILD_ASKED = 1.3


async def run(events: Events, rounds: int, folder: Path, held: AsyncExitStack) -> None:
    """Start every server, do everything, print it part by part."""
    projected = await held.enter_async_context(EmbeddedPostgres(folder / "projected"))
    ours = await Ours.open(held, folder / "nats")
    library = await Eventsourcing.open(held, await _postgres(held, folder / "eventsourcing"))
    uma = await UmaDb.open(held, folder / "uma")
    stores: list[Store] = [ours, uma, library]
    messages = None
    if message_db.available():
        messages = await MessageDb.open(held, await _postgres(held, folder / "message-db"))
        stores.insert(1, messages)
    print(f"{ours.told}, {await postgres_told(projected.dsn)}\n\n{HEAD}", flush=True)
    comparison = Comparison(events, rounds, stores)
    await comparison.lay()
    show(await comparison.append())
    await comparison.check()
    show(await comparison.read_all())
    show(await comparison.read_one())
    history = History(ours, projected.dsn)
    os.environ.update(history.environment)
    await history.build()
    assert projected.pid is not None
    pids = [projected.pid]
    runs = max(1, len(events) // RUNNER_SHARE)
    further = [
        Side("eventsourcing, its runner", library.pids, _same(lambda: library.run_projection(runs)))
    ]
    ways: list[tuple[str, Store, Decide]] = []
    if messages:
        name = "message-db, all tables by our projector"
        work = partial(history.project, messages)
        further.insert(0, Side(name, [*messages.pids, *pids], _same(work)))
        ways.append(("message-db, in one statement", messages, messages.decide_in_one_statement))
    rebuild = Side("Tellonce, its rebuild", [*ours.pids, *pids], _same(history.rebuild))
    by_hand, projections = await comparison.project(ByHand(projected.dsn), pids, rebuild, *further)
    show(by_hand)
    show(projections)
    decisions = await comparison.decide(ways)
    show(decisions)
    print("\n".join(("", *(f"{store.name}: {store.promises}." for store in stores))))
    if messages:
        print(goals(decisions, projections))
    else:
        print("message-db: its package could not be fetched by npm; no rows.")


def _same(work: Work) -> Callable[[int], Work]:
    """Do the same in every round."""
    return lambda _: work


def goals(decisions: Workload, projections: Workload) -> str:
    """Return what was asked against message-db, and what is there."""
    return "\n".join(
        (
            asked("a decision / message-db", DECISIONS_ASKED, *decisions.figures[:2]),
            asked(
                "our rebuild / a timeline by hand from message-db",
                REBUILD_ASKED,
                projections.figures[0],
                projections.of("message-db"),
            ),
        )
    )


async def _postgres(held: AsyncExitStack, folder: Path) -> EmbeddedPostgres:
    return await held.enter_async_context(EmbeddedPostgres(folder))


def show(workload: Workload) -> None:
    """Print a part of the table as soon as it is known."""
    print("\n".join(workload.lines()), flush=True)
    gc.collect()


async def _measure(events: Events, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="tellonce-peers-") as folder:
        async with AsyncExitStack() as held:
            await run(events, rounds, Path(folder), held)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="how many go through each")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="that are counted")
    chosen = parser.parse_args()
    began = time.monotonic()
    events = many(chosen.events)
    gc.freeze()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(told(1))
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("umadb", "eventsourcing", "psycopg")
    )
    if message_db.available():
        packages = f"message-db {MessageDb.version()}, {packages}"
    print(f"{packages}\n{len(events)} events, mean {events.mean_bytes:.0f} bytes")
    asyncio.run(_measure(events, chosen.rounds))
    print(f"measured in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
