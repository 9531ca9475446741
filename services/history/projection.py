"""Writes batches of the ledger into one generation: rows, checkpoint and rolling digest move together or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from services.history.domain.project import chain, project, wanted
from services.history.domain.rows import (
    APPENDED,
    COLUMNS,
    REPLACED,
    Changes,
    Key,
    Notification,
    Views,
)
from services.history.domain.views import conversation_of, customer_of
from services.history.store import RowRepeated, Session
from shared.errors import StreamDrift
from shared.ledger import LedgerReader, Recorded

log = structlog.get_logger("history")


class FenceLost(Exception):
    """Another projector took over, or the generation answers no more: this one must not write again."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a generation is, who may move it on, and what of the past the next batch needs."""

    position: int
    fence: int
    rolling: bytes
    settled: datetime


class Projection:
    """The one writer of a generation, on a connection that has entered its schema."""

    def __init__(self, session: Session, checkpoint: Checkpoint) -> None:
        self._session = session
        self._checkpoint = checkpoint

    @classmethod
    async def take_over(cls, session: Session) -> Projection:
        """Return the projection with a new fence: every older one is refused from now on.

        Raises: ViewUnavailable.
        """
        row = await session.fetch_one("take_over")
        assert row is not None
        return cls(
            session, Checkpoint(row["position"], row["fence"], row["rolling"], row["settled"])
        )

    @property
    def position(self) -> int:
        """The last ledger sequence that the rows hold."""
        return self._checkpoint.position

    async def check_same(self, ledger: LedgerReader) -> None:
        """Check that the ledger holds the event that the newest row was made of.

        An older backup that has grown since is as long and holds others. Raises: StreamDrift, LedgerUnavailable.
        """
        row = await self._session.fetch_one("last_event")
        stored = None if row is None else await ledger.get(row["sequence"])
        if row is not None and stored is not None and stored.event.id != row["id"]:
            raise StreamDrift(field="sequence", replaced=stored.sequence)

    async def apply(self, batch: Sequence[Recorded]) -> None:
        """Write the rows of the next events and move the checkpoint, in one transaction.

        Raises: StreamDrift for a gap, FenceLost, ViewUnavailable (the outcome is unknown: take over again).
        """
        if not batch:
            return
        self._check_contiguous(batch)
        try:
            after = await self._write(batch, batch)
        except RowRepeated:
            after = await self._write(batch, await self._first_of_each_id(batch))
        self._checkpoint = after

    def _check_contiguous(self, batch: Sequence[Recorded]) -> None:
        for expected, recorded in enumerate(batch, self.position + 1):
            if recorded.sequence != expected:
                raise StreamDrift(field="sequence", missing=expected, found=recorded.sequence)

    async def _write(self, batch: Sequence[Recorded], counted: Sequence[Recorded]) -> Checkpoint:
        before = self._checkpoint
        async with self._session.transaction():
            changes = project(counted, await self._views(counted), before.settled)
            await self._write_rows(changes)
            after = Checkpoint(
                position=batch[-1].sequence,
                fence=before.fence,
                rolling=chain(before.rolling, batch),
                settled=max(before.settled, *(each.stored for each in batch)),
            )
            moved = await self._session.fetch_one(
                "move_checkpoint",
                after.position,
                after.rolling,
                after.settled,
                before.position,
                before.fence,
            )
            if moved is None:
                raise FenceLost
        return after

    async def _write_rows(self, changes: Changes) -> None:
        for table in APPENDED:
            if rows := changes.appended[table]:
                await self._session.copy_in(table, COLUMNS[table], rows)
        for table in REPLACED:
            if replaced := changes.replaced[table]:
                columns = zip(*replaced.values(), strict=True)
                await self._session.execute(f"upsert_{table}", *map(list, columns))

    async def _views(self, batch: Sequence[Recorded]) -> Views:
        views = wanted(batch)
        for row in await self._stored("conversations_before", views.conversations):
            views.conversations[row["tenant"], row["id"]] = conversation_of(row["state"])
        for row in await self._stored("customers_before", views.customers):
            views.customers[row["tenant"], row["id"]] = customer_of(row["state"])
        for row in await self._stored("notifications_before", views.notifications):
            views.notifications[row["tenant"], row["id"]] = Notification(**dict(row))
        return views

    async def _stored(self, name: str, keys: Collection[Key]) -> list[Mapping[str, Any]]:
        if not keys:
            return []
        tenants, ids = (list(column) for column in zip(*keys, strict=True))
        return await self._session.fetch(name, tenants, ids)

    async def _first_of_each_id(self, batch: Sequence[Recorded]) -> list[Recorded]:
        """Return the events whose id did not count before: an id that the ledger holds twice is one fact."""
        rows = await self._session.fetch("ids_known", [each.event.id for each in batch])
        known = {row["id"] for row in rows}
        first = []
        for recorded in batch:
            if recorded.event.id in known:
                log.error("event_repeated", sequence=recorded.sequence, id=recorded.event.id)
                continue
            known.add(recorded.event.id)
            first.append(recorded)
        return first
