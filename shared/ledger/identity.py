"""Which ledger this is, and whether it is the one that what lies beside it remembers.

A ledger begins with `ledger.founded`, which the bootstrap job writes. Whoever keeps something that was made of the
ledger keeps a `Mark` with it: how far the ledger was, and a hash of what stood there. A ledger that is empty, shorter
or another one contradicts the mark; then nothing is acknowledged until an operator decides (docs/adr/0030).
"""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from shared import aggregates, ensuring, errors, files, streams, subjects
from shared.bus import Bus
from shared.codec import UNREADABLE, decode
from shared.events import EventId, LedgerAdopted, LedgerEvent

EMPTY, SHORTER, OTHER = "empty", "shorter", "other"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What stood at a position of a ledger.

    `sha256`: of the stored message; empty at position 0. `ledger`: the ledger's identity, where the witness keeps it.
    `server`: the id of the run of the NATS server that showed it; a copy takes a ledger's place between two runs only.
    """

    position: int
    sha256: str
    ledger: str | None = None
    server: str | None = None


async def check(bus: Bus, path: str) -> None:
    """Check the ledger as every service does at its start; `path`: of the mark beside the data, or empty.

    Raises: LedgerUnfounded, LedgerContradicted, MarkUnreadable; as `Bus.leader_get`.
    """
    identity = await founded(bus)
    if identity is None:
        raise errors.LedgerUnfounded
    reason = await contradiction(bus, identity, read_mark(path))
    if reason is not None:
        raise errors.LedgerContradicted(witness="mark", reason=reason)


async def founded(bus: Bus) -> EventId | None:
    """Return the ledger's identity, `None` when it has none yet."""
    async for event in named(bus):
        return event.id
    return None


async def adopted(bus: Bus) -> LedgerAdopted | None:
    """Return the event by which an operator adopted the ledger last; `None` when nobody did."""
    last = None
    async for event in named(bus):
        last = event if isinstance(event, LedgerAdopted) else last
    return last


async def named(bus: Bus) -> AsyncIterator[LedgerEvent]:
    """Yield the events of the ledger's identity; what anybody else wrote there is passed over.

    It is one for all tenants, and stands with the one who was there when it was founded.
    """
    subject = subjects.ledger_of_any(aggregates.LEDGER_IDENTITY)
    if await end(bus, streams.LEDGER) == 0:
        return
    following = 1
    while stored := await bus.leader_get(
        streams.LEDGER, sequence=following, next_by_subject=subject
    ):
        with contextlib.suppress(errors.NotAnEvent, errors.EventTypeUnknown):
            event = decode(stored.body)
            if isinstance(event, LedgerEvent):
                yield event
        following = stored.sequence + 1


async def contradiction(bus: Bus, identity: EventId | None, mark: Mark | None) -> str | None:
    """Return why the ledger cannot be the one of a mark: EMPTY, SHORTER or OTHER; `None` when it can."""
    if mark is None or mark.position == 0:
        return None
    if await end(bus, streams.LEDGER) == 0:
        return EMPTY
    stored = await bus.leader_get(streams.LEDGER, sequence=mark.position)
    if stored is None:
        return SHORTER
    same = mark.ledger in {None, identity} and _sha256(stored.body) == mark.sha256
    return None if same else OTHER


async def mark_of(bus: Bus, identity: EventId | None) -> Mark:
    """Return the mark of the ledger as it ends now. Raises: as `Bus.server_id`, `Bus.leader_get`."""
    server = await bus.server_id()
    position = await end(bus, streams.LEDGER)
    stored = await bus.leader_get(streams.LEDGER, sequence=position) if position else None
    if stored is None:
        return Mark(position=0, sha256="", ledger=identity, server=server)
    return Mark(position=position, sha256=_sha256(stored.body), ledger=identity, server=server)


async def end(bus: Bus, stream: str) -> int:
    """Return the last sequence of a stream, from its leader; 0 when there is no such stream."""
    try:
        return int((await bus.api(f"STREAM.INFO.{stream}"))["state"]["last_seq"])
    except errors.JetStreamRefused as error:
        if error.details["err_code"] == ensuring.STREAM_NOT_FOUND:
            return 0
        raise


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


# -- the mark beside the data ---------------------------------------------------------------------------


def read_mark(path: str) -> Mark | None:
    """Return the mark in a file; `None` without one. Raises: MarkUnreadable."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Mark) if path else None
    except FileNotFoundError:
        return None
    except (OSError, *UNREADABLE) as error:
        raise errors.MarkUnreadable(file=path) from error


def write_mark(path: str, mark: Mark) -> None:
    """Replace the mark in a file, whole; nothing is done without a path. Raises: MarkUnreadable."""
    if not path:
        return
    try:
        files.replace(Path(path), msgspec.json.encode(mark) + b"\n")
    except OSError as error:
        raise errors.MarkUnreadable(file=path) from error
