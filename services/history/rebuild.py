"""Rebuilds the projection from the ledger into an empty generation and compares it with the live one.

Run as `python -m services.history rebuild [--switch]`: always in a process of its own, so that nothing a long-lived
process remembers can make the two agree.
"""

import contextlib
from collections.abc import AsyncIterator

import msgspec
import structlog

from services.history import digest, following, generations, store
from services.history.filling import Filler
from services.history.generations import Generation
from services.history.pool import Pool
from services.history.projection import Projection
from services.history.tables import VERSION
from shared.errors import PositionNotReached
from shared.ledger import LedgerReader

SWITCH_TRIES = 10
FILLED_FROM_EVENTS = 20_000
"""A shorter ledger is projected before the processes that would fill a generation have started."""

log = structlog.get_logger("history")


class RebuildResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome: both digests at one position.

    `differing`: the tables whose rows differ; `generation`: the number of the rebuilt one; `kept`: it still stands
    (because it differs and somebody will want to look, or because it is live now); `switched`: it answers from now on.
    """

    position: int
    live: str
    rebuilt: str
    generation: int
    differing: list[str]
    kept: bool
    switched: bool


async def rebuild(
    dsn: str,
    pool: Pool,
    ledger: LedgerReader,
    *,
    batch_max: int,
    switch: bool = False,
    filler: Filler | None = None,
) -> RebuildResult:
    """Build an empty generation up to the live position and compare. `filler`: fills it, as long as nothing stops it.

    Raises: ViewUnavailable (also when another rebuild is running), PositionNotReached when the ledger ends before
    the live position, EventTypeUnknown, NotAnEvent, StreamDrift, LedgerUnavailable.
    """
    async with _sole_builder(dsn) as session:
        live: digest.Digest = await pool.read(
            digest.digest_of, timeout_seconds=digest.TIMEOUT_SECONDS
        )
        await _check_reachable(ledger, live.position)
        log.info("rebuild_started", position=live.position)
        generation = await _built(session, filler, live.position)
        projection = await Projection.take_over(session, ledger)
        await _project_until(ledger, projection, live.position, batch_max)
        built = await _digest(session)
        same = built.whole == live.whole
        switched = same and switch
        if switched:
            await _switch(session, ledger, projection, generation, batch_max)
        elif same:
            await generations.drop(session, generation)
        return RebuildResult(
            position=live.position,
            live=live.whole,
            rebuilt=built.whole,
            generation=generation.number,
            differing=live.differing(built),
            kept=switched or not same,
            switched=switched,
        )


async def upgrade(
    dsn: str, ledger: LedgerReader, *, batch_max: int, filler: Filler | None = None
) -> None:
    """Build the tables anew as this version makes them and let them answer; there is nothing to compare with.

    Raises: as `rebuild`.
    """
    async with _sole_builder(dsn) as session:
        log.info("upgrade_started", version=VERSION)
        generation = await _built(session, filler, await ledger.position())
        projection = await Projection.take_over(session, ledger)
        await _switch(session, ledger, projection, generation, batch_max)


async def adopt(
    dsn: str, ledger: LedgerReader, *, batch_max: int, filler: Filler | None = None
) -> None:
    """Build the tables anew from a ledger that was adopted and let them answer, wherever the old ones stood.

    Raises: as `rebuild`.
    """
    async with _sole_builder(dsn) as session:
        log.info("adoption_started")
        end = await ledger.position()
        generation = await _built(session, filler, end)
        projection = await Projection.take_over(session)
        await _project_until(ledger, projection, end, batch_max)
        async with session.transaction():
            await generations.promote(session, generation)


@contextlib.asynccontextmanager
async def _sole_builder(dsn: str) -> AsyncIterator[store.Session]:
    """Open a session that may change tables, while nobody else builds any. Raises: ViewUnavailable."""
    async with (
        store.owner_session(dsn, watched=False) as session,
        generations.rebuild_lock(session),
    ):
        yield session


async def _built(session: store.Session, filler: Filler | None, until: int) -> Generation:
    """Return a new generation, filled up to `until`, or an empty one: a projection meets again what stopped it."""
    if filler is not None and until >= FILLED_FROM_EVENTS:
        generation = await generations.make_building(session, indexed=False)
        try:
            await filler.fill(session, until)
        except Exception:
            log.warning("fill_failed", generation=generation.number, exc_info=True)
        else:
            return generation
    return await generations.make_building(session)


async def _check_reachable(ledger: LedgerReader, position: int) -> None:
    end = await ledger.position()
    if end < position:
        raise PositionNotReached(position=end, wanted=position)


async def _project_until(
    ledger: LedgerReader, projection: Projection, position: int, batch_max: int
) -> None:
    """Write all events up to `position` and none after."""
    if projection.position >= position:
        return
    async with contextlib.aclosing(
        following.followed(ledger, projection.position, batch_max)
    ) as batches:
        async for batch in batches:
            await projection.apply(
                [recorded for recorded in batch if recorded.sequence <= position]
            )
            if projection.position >= position:
                return


async def _digest(session: store.Session) -> digest.Digest:
    async with session.transaction("repeatable_read", readonly=True):
        return await digest.digest_of(session)


async def _switch(
    session: store.Session,
    ledger: LedgerReader,
    projection: Projection,
    generation: Generation,
    batch_max: int,
) -> None:
    """Catch up with the live generation and take its place while it is held still."""
    for _ in range(SWITCH_TRIES):
        async with session.transaction():
            held = await _hold_live(session)
            if held <= projection.position:
                await generations.promote(session, generation)
                log.info("generation_switched", generation=generation.number, position=held)
                return
        await _project_until(ledger, projection, held, batch_max)
    raise PositionNotReached(position=projection.position)


async def _hold_live(session: store.Session) -> int:
    """Stop the live projector until the end of the transaction and return where it stands."""
    await session.fetch_one("enter_live")
    row = await session.fetch_one("hold_live")
    assert row is not None
    return int(row["position"])
