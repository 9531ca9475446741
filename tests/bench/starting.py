"""A router's start beside a long ledger, against its start beside an empty one: from the process to ready."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.embedded.process import Child
from services.router.snapshot import NatsSnapshots
from shared import subjects
from shared.bus.storing import submit_batch
from shared.ledger import BATCH_EVENTS_MAX, Recorded
from tests.bench.figures import Ratios
from tests.bench.place import copied
from tests.router.running_router import RunningRouter

STARTS = 3
READY_POLL_SECONDS = 0.02
STORE_SECONDS = 30.0
LEARNED_WITHIN_SECONDS = 900.0
NO_HEADERS: dict[str, str] = {}


async def compare(folder: Path, recorded: Sequence[Recorded], wanted_events: int) -> list[str]:
    """Return the ratio, and how long the whole ledger was read the first time.

    `recorded`: real events, repeated with other ids until the ledger holds `wanted_events`.
    """
    running = RunningRouter(folder)
    await running.open(book=False)
    try:
        bare = [await _started(running) for _ in range(STARTS)]
        held = await _fill(running, recorded, wanted_events)
        whole = await _started(running, keeps=True)
        ours = [await _started(running) for _ in range(STARTS)]
    finally:
        await running.close()
    ratios = Ratios(f"router's start, {held} events / none", 1, ours, bare)
    return [ratios.line(), f"    {'without a snapshot':<65} {whole * 1_000:8.3f} ms"]


async def _started(running: RunningRouter, *, keeps: bool = False) -> float:
    """Start a router and kill it; return the seconds until it was ready. `keeps`: a snapshot is waited for."""
    began = time.perf_counter()
    router = await running.launch_router()
    await _until_ready(router)
    taken = time.perf_counter() - began
    if keeps:
        await _until_kept(NatsSnapshots(running.bus))
    await router.kill()
    return taken


async def _until_kept(snapshots: NatsSnapshots) -> None:
    """Wait for the router's first snapshot. Raises: TimeoutError."""
    async with asyncio.timeout(LEARNED_WITHIN_SECONDS):
        while await snapshots.newest() is None:  # noqa: ASYNC110  the condition is a server's
            await asyncio.sleep(READY_POLL_SECONDS)


async def _until_ready(router: Child) -> None:
    """Wait for as long as a ledger of a million events may take. Raises: TimeoutError, RuntimeError when it ended."""
    async with asyncio.timeout(LEARNED_WITHIN_SECONDS):
        while not await router.program.ready():
            if router.exit_code is not None:
                raise RuntimeError(router.program.log_path.read_text("utf-8"))
            await asyncio.sleep(READY_POLL_SECONDS)


async def _fill(running: RunningRouter, recorded: Sequence[Recorded], wanted_events: int) -> int:
    """Write real events with other ids into the ledger, a copy a batch; return how many it holds then."""
    number = 0
    while (held := await running.ledger.position()) < wanted_events:
        number += 1
        copy = [
            (
                subjects.ledger(each.event.tenant, _renamed(each, number)),
                copied(each.body, number),
                NO_HEADERS,
            )
            for each in recorded[:BATCH_EVENTS_MAX]
        ]
        ack = await submit_batch(running.bus, f"fill-{number}", copy, STORE_SECONDS)
        if ack.error is not None:
            raise RuntimeError(ack.error.description)
    return held


def _renamed(recorded: Recorded, number: int) -> str:
    return copied(recorded.aggregate.encode(), number).decode()
