"""Writes batches of the ledger into one generation: rows, checkpoint and rolling digest move together or not at all."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from services.history.project import States, chain, project, wanted
from services.history.store import RowRepeated, Session
from services.history.tables.row import Row
from shared.errors import EventNotApplied, StreamDrift, TellonceError
from shared.ledger import LedgerReader, Recorded

TOGETHER_MAX_EVENTS = 64
"""So many events are written by one statement; for more, COPY is worth its round trips."""

log = structlog.get_logger("history")


async def check_same(session: Session, ledger: LedgerReader) -> None:
    """Check that the ledger is as long as the rows, and holds the event that the newest row was made of.

    An older backup is shorter; one that has grown since is as long and holds others.
    Raises: StreamDrift, LedgerUnavailable, ViewUnavailable.
    """
    here = await session.fetch_one("position")
    row = await session.fetch_one("last_event")
    end = await ledger.position()
    if here is not None and here["position"] > end:
        raise StreamDrift(field="last_seq", wanted=here["position"], found=end)
    stored = None if row is None else await ledger.get(row["sequence"])
    if row is None or (stored is not None and stored.event.id == row["id"]):
        return
    instead = None if stored is None else await ledger.stand_in(stored)
    if instead is None or instead.event.id != row["id"]:
        raise StreamDrift(field="sequence", replaced=row["sequence"])


class FenceLost(Exception):
    """Another projector took over, or the generation answers no more: this one must not write again."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The position of a generation, the fence of its writer, and the part of the past that the next batch needs."""

    position: int
    fence: int
    rolling: bytes
    settled: datetime


class Projection:
    """The one writer of a generation, on a connection that has entered its schema."""

    def __init__(
        self, session: Session, checkpoint: Checkpoint, ledger: LedgerReader | None
    ) -> None:
        self._session = session
        self._checkpoint = checkpoint
        self._ledger = ledger

    @classmethod
    async def take_over(cls, session: Session, ledger: LedgerReader | None = None) -> "Projection":
        """Return the projection with a new fence: every older one is refused from now on.

        `ledger`: asked whether an operator rejected an event that cannot be applied.

        Raises: ViewUnavailable.
        """
        row = await session.fetch_one("take_over")
        assert row is not None
        return cls(
            session,
            Checkpoint(row["position"], row["fence"], row["rolling"], row["settled"]),
            ledger,
        )

    @property
    def position(self) -> int:
        """The last ledger sequence that the rows hold."""
        return self._checkpoint.position

    async def apply(self, batch: Sequence[Recorded]) -> None:
        """Write the rows of the next events and move the checkpoint, in one transaction.

        Raises: StreamDrift for a gap, FenceLost, ViewUnavailable (the outcome is unknown: take over again),
        EventNotApplied for one that fails for no known reason; those before it are written.
        """
        if not batch:
            return
        self._check_contiguous(batch)
        try:
            self._checkpoint = await self._applied(batch)
        except (TellonceError, FenceLost):
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, one event of the batch is at fault
            if len(batch) > 1:
                for each in batch:
                    await self.apply([each])
            else:
                await self._pass_over(batch[0], error)

    async def _applied(self, batch: Sequence[Recorded]) -> Checkpoint:
        try:
            return await self._write(batch, batch)
        except RowRepeated:
            return await self._write(batch, await self._first_of_each_id(batch))

    async def _pass_over(self, recorded: Recorded, error: Exception) -> None:
        """Write what an operator recorded in the place of an event. Raises: EventNotApplied when nobody did."""
        instead = None if self._ledger is None else await self._ledger.stand_in(recorded)
        if instead is None:
            raise EventNotApplied(
                sequence=recorded.sequence,
                sha256=hashlib.sha256(recorded.body).hexdigest(),
                error=type(error).__name__,
            ) from error
        self._checkpoint = await self._applied([instead])

    def _check_contiguous(self, batch: Sequence[Recorded]) -> None:
        for expected, recorded in enumerate(batch, self.position + 1):
            if recorded.sequence != expected:
                raise StreamDrift(field="sequence", missing=expected, found=recorded.sequence)

    async def _write(self, batch: Sequence[Recorded], counted: Sequence[Recorded]) -> Checkpoint:
        before = self._checkpoint
        changes = project(counted, await states_before(self._session, counted), before.settled)
        written = {row: rows.values() for row, rows in changes.items() if rows}
        after = Checkpoint(
            position=batch[-1].sequence,
            fence=before.fence,
            rolling=chain(before.rolling, ((each.sequence, each.body) for each in batch)),
            settled=max(before.settled, *(recorded.stored for recorded in batch)),
        )
        moving = after.position, after.rolling, after.settled, before.position, before.fence
        if len(counted) <= TOGETHER_MAX_EVENTS and written:
            moved = await self._session.move(written, *moving)
        else:
            moved = await self._write_apart(written, *moving)
        if not moved:
            raise FenceLost
        return after

    async def _write_apart(
        self, written: Mapping[type[Row], Collection[Row]], *moving: object
    ) -> bool:
        """Write many rows and move the checkpoint. Raises: FenceLost when it was not where it had to be."""
        async with self._session.transaction():
            for row, rows in written.items():
                await self._session.write(row, rows)
            if await self._session.fetch_one("move_checkpoint", *moving) is None:
                raise FenceLost
        return True

    async def _first_of_each_id(self, batch: Sequence[Recorded]) -> list[Recorded]:
        """Return the events with a new id. The ledger may hold an id twice; the first event counts."""
        rows = await self._session.fetch("ids_known", [recorded.event.id for recorded in batch])
        known = {row["id"] for row in rows}
        first = []
        for recorded in batch:
            if recorded.event.id in known:
                log.error("event_repeated", sequence=recorded.sequence, id=recorded.event.id)
                continue
            known.add(recorded.event.id)
            first.append(recorded)
        return first


async def states_before(session: Session, batch: Sequence[Recorded]) -> States:
    """Return the stored rows of the aggregates in a batch, as they stand before the batch."""
    states = wanted(batch)
    keys = {fold.row: touched.keys() for fold, touched in states.items() if touched}
    folds = {fold.row.table: fold for fold in states}
    for row in await session.before(keys) if keys else ():
        fold = folds[row["fold"]]
        states[fold][row["tenant"], row["id"]] = fold.read(row["state"])
    return states
