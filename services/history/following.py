"""Reads the ledger ahead of whoever writes it down, and keeps the writer's session alive while the ledger is silent."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from services.history.store import Session
from shared import errors, tasks
from shared.ledger import LedgerReader, Recorded

HEARTBEAT_SECONDS = 1.5
"""Well below `store.FROZEN_OWNER_SECONDS`: an owner that says nothing for that long loses its session."""
BATCHES_AHEAD_MAX = 8


async def followed(
    ledger: LedgerReader, after: int, batch_max: int
) -> AsyncGenerator[Sequence[Recorded], None]:
    """Yield what follows, at most `batch_max` at a time, reading ahead while a batch is written.

    All events before the first that cannot be read are yielded before the error is raised.
    """
    queue: asyncio.Queue[Sequence[Recorded]] = asyncio.Queue(BATCHES_AHEAD_MAX)
    reading = asyncio.create_task(_read_ahead(ledger, after, queue))
    try:
        while True:
            batch = await _next(queue, reading, batch_max)
            for first in range(0, len(batch), batch_max):
                yield batch[first : first + batch_max]
                after = batch[first : first + batch_max][-1].sequence
    except (errors.EventTypeUnknown, errors.NotAnEvent):
        while (recorded := await ledger.get(after + 1)) is not None:
            after += 1
            yield [recorded]
        raise
    finally:
        await tasks.end([reading])


async def _read_ahead(
    ledger: LedgerReader, after: int, queue: asyncio.Queue[Sequence[Recorded]]
) -> None:
    async for batch in ledger.follow(after):
        await queue.put(batch)


async def _next(
    queue: asyncio.Queue[Sequence[Recorded]], reading: asyncio.Task[None], batch_max: int
) -> list[Recorded]:
    """Return all that is here, or wait for more. Raises: what ended the reading, once the queue is empty."""
    if queue.empty():
        arriving = asyncio.create_task(queue.get())
        try:
            await asyncio.wait({arriving, reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not arriving.done():
                arriving.cancel()
        if not arriving.done() or arriving.cancelled():
            reading.result()
            raise AssertionError("following a ledger never ends by itself")
        batch = list(arriving.result())
    else:
        batch = list(queue.get_nowait())
    while len(batch) < batch_max and not queue.empty():
        batch.extend(queue.get_nowait())
    return batch


async def with_heartbeats(
    source: AsyncGenerator[Sequence[Recorded], None], session: Session
) -> AsyncGenerator[Sequence[Recorded], None]:
    """Yield from `source`; while it is silent, show Postgres that the owner of the session lives."""
    pending: asyncio.Task[Sequence[Recorded]] | None = None
    try:
        while True:
            pending = asyncio.ensure_future(anext(source))
            while not (await asyncio.wait({pending}, timeout=HEARTBEAT_SECONDS))[0]:
                await session.fetch_one("position")
            yield pending.result()
    finally:
        if pending is not None and not pending.done():
            pending.cancel()
            with contextlib.suppress(asyncio.CancelledError, errors.TellonceError):
                await pending
        await source.aclose()
