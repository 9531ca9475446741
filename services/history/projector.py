"""The projector: one per generation follows the ledger; the others stand by. It mends itself after every fault.

It stops at an event type that this version does not know, at what is no event or cannot be applied, and at a gap: it
says so, again and again, and withdraws the service's readiness until a version that knows the type, a mended ledger, or
an operator who rejects the entry (`shared/ledger/rejected.py`) takes it on.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog

from services.history import following, generations, rebuild, store
from services.history.filling import Filler
from services.history.generations import Generation
from services.history.positions import Positions
from services.history.projection import FenceLost, Projection, check_same
from services.history.tables import VERSION
from shared import errors, events, metrics, tracing
from shared.ledger import LedgerReader, Recorded

STANDBY_DELAY_SECONDS = 0.2
RETRY_DELAY_SECONDS = 0.2
HALTED_DELAY_SECONDS = 2.0
TRACED_MAX = 64
"""Of a longer batch, of what was there before, no trace is recorded."""
HALTS = (
    errors.EventTypeUnknown,
    errors.NotAnEvent,
    errors.EventNotApplied,
    errors.StreamDrift,
)
"""What somebody has to mend: a newer version, a mended ledger, or an operator who rejects the entry."""

log = structlog.get_logger("history")


class GenerationNewer(Exception):
    """The live tables are those of a newer version: this one must not write them."""


class Readiness(Protocol):
    """Tells the rest of the house whether this service does its work."""

    async def ready(self) -> None: ...

    async def not_ready(self, reason: str) -> None: ...


Adopted = Callable[[], Awaitable[events.LedgerAdopted | None]]
"""Returns the event by which an operator adopted the ledger last; `None` when nobody did."""


class Projector:
    """Keeps the live generation up with the ledger, for ever."""

    def __init__(
        self,
        dsn: str,
        ledger: LedgerReader,
        positions: Positions,
        readiness: Readiness,
        *,
        adopted: Adopted,
        batch_max: int,
        filler: Filler | None = None,
    ) -> None:
        self._dsn = dsn
        self._ledger = ledger
        self._positions = positions
        self._readiness = readiness
        self._adopted_by = adopted
        self._batch_max = batch_max
        self._filler = filler
        self._halted = False

    async def run(self) -> None:
        """Project until cancelled."""
        while True:
            delay_seconds = RETRY_DELAY_SECONDS
            try:
                await self._own_and_project()
            except FenceLost:
                log.warning("projector_replaced")
            except HALTS as error:
                if isinstance(error, errors.StreamDrift):
                    self._positions.agreed = False
                await self._halt(error.code, {**error.details, **error.place})
                delay_seconds = HALTED_DELAY_SECONDS
            except GenerationNewer:
                await self._halt("history.generation_newer", {"version": VERSION})
                delay_seconds = HALTED_DELAY_SECONDS
            except errors.TellonceError as error:
                log.warning("projector_interrupted", code=error.code, **error.details)
            except Exception:
                log.exception("projector_failed")
                await self._halt("history.failed", {})
                delay_seconds = HALTED_DELAY_SECONDS
            await asyncio.sleep(delay_seconds)

    async def _halt(self, code: str, details: Mapping[str, object]) -> None:
        """Report that the projection has halted, with the code; history stays unready until the projection moves on."""
        log.error("projector_halted", code=code, **details)
        reason = " ".join([code, *(f"{name}={value}" for name, value in details.items())])
        self._halted = True
        await self._readiness.not_ready(reason)

    async def _own_and_project(self) -> None:
        async with store.owner_session(self._dsn, watched=True) as session:
            generation = await self._own(session)
            await self._compare_or_adopt(session)
            projection = await Projection.take_over(session, self._ledger)
            log.info(
                "projector_started", generation=generation.number, position=projection.position
            )
            self._positions.reached(projection.position)
            await self._follow(session, projection)

    async def _compare(self, session: store.Session) -> None:
        """Bear witness from now on, if the tables were made of this ledger. Raises: StreamDrift."""
        await check_same(session, self._ledger)
        self._positions.agreed = True

    async def _compare_or_adopt(self, session: store.Session) -> None:
        """As `_compare`; a ledger that an operator adopted since these rows were made has its tables built anew.

        Raises: FenceLost when it has, StreamDrift.
        """
        try:
            await self._compare(session)
        except errors.StreamDrift:
            if not await self._adopted(session):
                raise
            self._ledger.forget()
            await rebuild.adopt(
                self._dsn, self._ledger, batch_max=self._batch_max, filler=self._filler
            )
            raise FenceLost from None

    async def _adopted(self, session: store.Session) -> bool:
        """Tell whether the ledger was adopted by an event that the rows do not know."""
        last = await self._adopted_by()
        return last is not None and not await session.fetch("ids_known", [last.id])

    async def _own(self, session: store.Session) -> Generation:
        """Wait until nobody else projects the live generation, and return it."""
        while True:
            live = await generations.migrate(session)
            if await generations.take_lock(session, live):
                await self._check(live, await generations.find_live(session))
                return live
            if not self._positions.agreed:
                await self._compare(session)
            if not self._halted:
                await self._readiness.ready()
            await asyncio.sleep(STANDBY_DELAY_SECONDS)

    async def _check(self, owned: Generation, live: Generation | None) -> None:
        """Check that this version wrote the tables: rebuild older tables, leave newer ones alone.

        Raises: FenceLost when the live generation is another one now, GenerationNewer.
        """
        if owned != live:
            raise FenceLost
        if owned.version > VERSION:
            raise GenerationNewer
        if owned.version < VERSION:
            await rebuild.upgrade(
                self._dsn, self._ledger, batch_max=self._batch_max, filler=self._filler
            )
            raise FenceLost

    async def _follow(self, session: store.Session, projection: Projection) -> None:
        source = following.followed(self._ledger, projection.position, self._batch_max)
        async with contextlib.aclosing(following.with_heartbeats(source, session)) as batches:
            end = await self._ledger.position()
            caught_up = await self._caught_up(projection, end)
            async for batch in batches:
                await projection.apply(batch)
                self._positions.reached(projection.position)
                _measure(batch)
                caught_up = caught_up or await self._caught_up(projection, end)

    async def _caught_up(self, projection: Projection, end: int) -> bool:
        """Become ready once the rows hold what the ledger held when this process took over."""
        if projection.position < end:
            return False
        self._halted = False
        await self._readiness.ready()
        return True


def _measure(batch: Sequence[Recorded]) -> None:
    """Show how far the rows are behind the ledger, and each event in its trace."""
    metrics.PROJECTED.add(by=len(batch))
    age = datetime.now(UTC) - batch[-1].stored
    metrics.PROJECTED_SECONDS.observe(max(0.0, age.total_seconds()))
    for each in batch if len(batch) <= TRACED_MAX else ():
        event = each.event
        tracing.note(
            "project", event.traceparent, each.stored, tenant=event.tenant, type=event.type
        )
