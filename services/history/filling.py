"""Fills an empty generation fast: processes that each read the whole ledger and write the rows of their aggregates.

No row depends on two aggregates, so who writes which is a matter of their names. Nobody reads a generation that is
being filled: its indexes are made at the end, and only its end is committed for good.

A fill is for a sound ledger. What it trips over, an event id that comes twice or an event that cannot be applied, is
left to `Projection`, which goes through from the beginning.

Run as `python -m services.history.filling SHARE` by a process that fills; it ends with that one.
"""

import asyncio
import contextlib
import os
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.history import generations, store
from services.history.project import chain, project_settled
from services.history.projection import FenceLost, states_before
from shared import codec, logs, settings
from shared.bus import connect
from shared.bus.bulk import Raw
from shared.bus.deliveries import instant
from shared.ledger.bulk import BulkReader

NAME = "history"
PARTITION_AT = len("ledger.")
BATCH_EVENTS = 5_000
"""Of one transaction of a share. An aggregate's row is read and written once in each."""


class FillFailed(Exception):
    """A share was not written to its end."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the processes writes: the rows of share `number` `of` so many, up to the sequence `until`.

    `checkpoint`: the id of the generation's table of that name; `fence`: what must stand in it.
    """

    schema: str
    checkpoint: int
    fence: int
    until: int
    number: int
    of: int
    batch_max: int

    def holds(self, subject: bytes) -> bool:
        """Tell whether the aggregate with this subject is of this share, whatever partition the subject names."""
        return zlib.crc32(subject[subject.index(b".", PARTITION_AT) :]) % self.of == self.number


class RollingDigest:
    """Over all bodies that were read, with their latest store time."""

    def __init__(self, rolling: bytes) -> None:
        self.rolling = rolling
        self._nanoseconds = 0

    def take(self, messages: Sequence[Raw]) -> None:
        """Go on by the next messages."""
        self.rolling = chain(self.rolling, ((sequence, body) for sequence, _, _, body in messages))
        self._nanoseconds = max(self._nanoseconds, *(each[1] for each in messages))

    @property
    def settled(self) -> datetime:
        return instant(self._nanoseconds)


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills generations with what the ledger holds, in so many processes, this one among them."""

    dsn: str
    ledger: BulkReader
    processes: int
    batch_max: int = BATCH_EVENTS

    async def fill(self, session: store.Session, until: int) -> None:
        """Fill the empty generation that the session has entered, made without indexes, up to the sequence `until`.

        Raises: whatever stops it. The generation is of no use then.
        """
        start = await session.fetch_one("take_over")
        held = await session.fetch_one("checkpoint_held")
        assert start is not None
        assert held is not None
        shares = [
            Share(
                **held,
                until=until,
                number=number,
                of=self.processes,
                batch_max=self.batch_max,
            )
            for number in range(self.processes)
        ]
        whole = RollingDigest(start["rolling"])
        async with asyncio.TaskGroup() as group:
            for share in shares[1:]:
                group.create_task(_in_a_process(share))
            group.create_task(fill_share(self.dsn, self.ledger, shares[0], whole.take))
        await generations.index(session)
        moving = until, whole.rolling, whole.settled, start["position"], start["fence"]
        if await session.fetch_one("move_checkpoint", *moving) is None:
            raise FenceLost


async def fill_share(
    dsn: str,
    ledger: BulkReader,
    share: Share,
    take: Callable[[Sequence[Raw]], None] | None = None,
) -> None:
    """Write the rows of a share. `take`: is shown every message of the ledger. Raises: whatever stops it."""
    own: list[Raw] = []
    settled: list[int] = []
    latest = 0
    async with store.owner_session(dsn, watched=False) as session:
        await session.execute("enter_for_good", share.schema)
        await session.execute("commit_lazily")
        async with contextlib.aclosing(ledger.messages(share.until)) as batches:
            async for messages in batches:
                if take is not None:
                    take(messages)
                for message in messages:
                    latest = max(latest, message[1])
                    if share.holds(message[2]):
                        own.append(message)
                        settled.append(latest)
                if len(own) >= share.batch_max:
                    await _write(session, ledger, share, own, settled)
                    own, settled = [], []
        if own:
            await _write(session, ledger, share, own, settled)


async def _write(
    session: store.Session,
    ledger: BulkReader,
    share: Share,
    own: Sequence[Raw],
    settled: Sequence[int],
) -> None:
    """Write the rows of some events. `settled`: the latest store time up to each, which is nearly always its own."""
    batch = await ledger.events(own)
    instants = [
        recorded.stored if latest == message[1] else instant(latest)
        for recorded, message, latest in zip(batch, own, settled, strict=True)
    ]
    async with session.transaction():
        if await session.fetch_one("hold_checkpoint", share.checkpoint, share.fence) is None:
            raise FenceLost
        changes = project_settled(batch, await states_before(session, batch), instants)
        for row, rows in changes.items():
            if rows:
                await session.write(row, rows.values())


# -- the other processes ------------------------------------------------------------------------------


async def _in_a_process(share: Share) -> None:
    """Have a share written by a process of its own. Raises: FillFailed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.history.filling",
        msgspec.json.encode(share).decode(),
        stdin=asyncio.subprocess.PIPE,
    )
    try:
        if await process.wait() != 0:
            raise FillFailed(process.returncode)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _fill_share(share: Share) -> None:
    loaded = settings.load()
    logs.configure(NAME, loaded)
    asyncio.get_running_loop().add_reader(
        sys.stdin.fileno(), os._exit, 1
    )  # closed: our parent is gone
    bus = await connect(loaded.bus_address(), f"{NAME}-filling")
    try:
        ledger = BulkReader(bus, codec.PlainCodec())
        await fill_share(loaded.postgres_dsn, ledger, share)
    finally:
        await bus.close()


if __name__ == "__main__":
    asyncio.run(_fill_share(msgspec.json.decode(sys.argv[1], type=Share)))
