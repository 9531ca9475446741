"""The projector: one per generation follows the ledger; the others stand by. It mends itself after every fault.

It stops at an event type that this version does not know and at a gap: it says so, again and again, and withdraws
the service's readiness until a version that knows the type, or a mended ledger, takes it on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

import structlog

from services.history import generations
from services.history.generations import Generation
from services.history.positions import Positions
from services.history.projection import FenceLost, Projection
from services.history.store import Session, owner_session
from shared.errors import EventTypeUnknown, NotAnEvent, StreamDrift, TellonceError
from shared.ledger import LedgerReader, Recorded

STANDBY_DELAY_SECONDS = 0.2
RETRY_DELAY_SECONDS = 0.2
HALTED_DELAY_SECONDS = 2.0
HEARTBEAT_SECONDS = 1.5
"""Well below `store.FROZEN_OWNER_SECONDS`: an owner that says nothing for that long loses its session."""
BATCHES_AHEAD_MAX = 8

log = structlog.get_logger("history")


class Readiness(Protocol):
    """Tells the rest of the house whether this service does its work."""

    async def ready(self) -> None: ...

    async def not_ready(self) -> None: ...


class Projector:
    """Keeps the live generation up with the ledger, for ever."""

    def __init__(
        self,
        dsn: str,
        ledger: LedgerReader,
        positions: Positions,
        readiness: Readiness,
        *,
        batch_max: int,
    ) -> None:
        self._dsn = dsn
        self._ledger = ledger
        self._positions = positions
        self._readiness = readiness
        self._batch_max = batch_max
        self._halted = False

    async def run(self) -> None:
        """Project until cancelled."""
        while True:
            delay_seconds = RETRY_DELAY_SECONDS
            try:
                await self._own_and_project()
            except FenceLost:
                log.warning("projector_replaced")
            except (EventTypeUnknown, NotAnEvent, StreamDrift) as error:
                await self._halt(error.code, error.details)
                delay_seconds = HALTED_DELAY_SECONDS
            except TellonceError as error:
                log.warning("projector_interrupted", code=error.code, **error.details)
            except Exception:
                log.exception("projector_failed")
                await self._halt("history.failed", {})
                delay_seconds = HALTED_DELAY_SECONDS
            await asyncio.sleep(delay_seconds)

    async def _halt(self, code: str, details: Mapping[str, object]) -> None:
        """Say that the projection stands still and why; it is ready again only once it has moved on."""
        log.error("projector_halted", code=code, **details)
        self._halted = True
        with contextlib.suppress(TellonceError):
            await self._readiness.not_ready()

    async def _own_and_project(self) -> None:
        async with owner_session(self._dsn, watched=True) as session:
            generation = await self._own(session)
            projection = await Projection.take_over(session)
            log.info(
                "projector_started", generation=generation.number, position=projection.position
            )
            self._positions.reached(projection.position)
            await self._follow(session, projection)

    async def _own(self, session: Session) -> Generation:
        """Wait until nobody else projects the live generation, and return it."""
        while True:
            live = await generations.migrate(session)
            if await generations.take_lock(session, live):
                if await generations.find_live(session) == live:
                    return live
                raise FenceLost
            if not self._halted:
                await self._readiness.ready()
            await asyncio.sleep(STANDBY_DELAY_SECONDS)

    async def _follow(self, session: Session, projection: Projection) -> None:
        source = followed(self._ledger, projection.position, self._batch_max)
        async with contextlib.aclosing(_with_heartbeats(source, session)) as batches:
            end = await self._ledger.position()
            caught_up = await self._caught_up(projection, end)
            async for batch in batches:
                await projection.apply(batch)
                self._positions.reached(projection.position)
                caught_up = caught_up or await self._caught_up(projection, end)

    async def _caught_up(self, projection: Projection, end: int) -> bool:
        """Become ready once the rows hold what the ledger held when this process took over."""
        if projection.position < end:
            return False
        self._halted = False
        await self._readiness.ready()
        return True


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
    except (EventTypeUnknown, NotAnEvent):
        while (recorded := await ledger.get(after + 1)) is not None:
            after += 1
            yield [recorded]
        raise
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, TellonceError):
            await reading


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


async def _with_heartbeats(
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
            with contextlib.suppress(asyncio.CancelledError, TellonceError):
                await pending
        await source.aclose()
