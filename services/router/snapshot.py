"""Keeps the dispatcher's picture in the stream SNAPSHOTS, so that a router which starts reads the ledger's end only.

It may be lost, and is taken up only where it fits: same version, and its last event stands in the ledger.
It holds no words and no handles of a customer. See docs/adr/0035.
"""

import contextlib
from hashlib import sha256
from typing import Protocol

import msgspec
import structlog

from services.router.domain.agent import Agent
from services.router.hours import Mark
from services.router.picture import Picture
from shared import backoff, errors, events, ids, streams, subjects
from shared.bus import Bus
from shared.bus.storing import submit_batch
from shared.conversation import Conversation
from shared.ledger import BATCH_EVENTS_MAX, Recorded

PICTURE_VERSION = 10
"""Raised when a picture of the same events looks otherwise; then the ledger is read once from its beginning."""
SERVICE, NAME, HEAD = "router", "picture", "head"
PART_BYTES = 200 * 1024
STORE_SECONDS = 10.0
LOOKS = 20
RETRY = backoff.Backoff(first_seconds=0.05, longest_seconds=0.5)
"""A stream that elects its leader, for 4 to 9 s, is waited for: to read the whole ledger takes longer."""

log = structlog.get_logger("router.snapshot")


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A picture after the event at `position` of the ledger.

    `sha256`: of its body; `hours`: where those began that are remembered.
    """

    version: int
    position: int
    sha256: str
    conversations: list[tuple[str, Conversation]]
    agents: list[tuple[str, events.AgentId, Agent]]
    unreadable: list[tuple[str, str]]
    hours: list[Mark] = []


def take(picture: Picture, at: Recorded) -> Snapshot:
    """Return what a picture shows; `at`: the last event that it was given."""
    return Snapshot(
        version=PICTURE_VERSION,
        position=at.sequence,
        sha256=sha256(at.body).hexdigest(),
        conversations=[(tenant, it) for (tenant, _), it in picture.open.items()],
        agents=[(*key, agent) for key, agent in picture.agents.items()],
        unreadable=sorted(picture.unreadable),
        hours=picture.hours.kept(),
    )


def fits(snapshot: Snapshot, at: Recorded | None) -> bool:
    """Tell whether a picture may begin with it; `at`: what the ledger holds at its position."""
    stands = at is not None and sha256(at.body).hexdigest() == snapshot.sha256
    return stands and snapshot.version == PICTURE_VERSION


class Snapshots(Protocol):
    """Keeps the newest snapshot. Every router has the same; the last one that is kept stays."""

    async def keep(self, snapshot: Snapshot) -> None:
        """Keep it in the place of the one before, whole or not at all.

        Raises: BusUnavailable, JetStreamRefused, LedgerBatchTooLarge.
        """
        ...

    async def newest(self) -> Snapshot | None:
        """Return the newest; `None` when there is none that this version can read, or nobody answers."""
        ...


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    parts: int
    sha256: str


class NatsSnapshots:
    """The snapshot in parts of PART_BYTES, and a head that names them, stored as one atomic batch."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def keep(self, snapshot: Snapshot) -> None:
        """See `Snapshots.keep`."""
        body = msgspec.json.encode(snapshot)
        parts = [body[at : at + PART_BYTES] for at in range(0, len(body), PART_BYTES)]
        if len(parts) >= BATCH_EVENTS_MAX:
            raise errors.LedgerBatchTooLarge(events=len(parts), total_bytes=len(body))
        head = _Head(parts=len(parts), sha256=sha256(body).hexdigest())
        named = [(_subject(str(n)), part) for n, part in enumerate(parts)]
        named.append((_subject(HEAD), msgspec.json.encode(head)))
        batch_id = ids.scoped_id("snapshot", self._bus.new_inbox())
        messages = [(subject, part, dict[str, str]()) for subject, part in named]
        ack = await submit_batch(self._bus, batch_id, messages, STORE_SECONDS)
        if ack.error is not None:
            raise errors.JetStreamRefused(ack.error.description, err_code=ack.error.err_code)

    async def newest(self) -> Snapshot | None:
        """See `Snapshots.newest`."""
        for look in range(1, LOOKS + 1):
            with contextlib.suppress(errors.BusUnavailable):
                body = await self._body()
                if body is not None:
                    return _read(body)
            await RETRY.pause(look)
        log.warning("snapshot_not_read")
        return None

    async def _body(self) -> bytes | None:
        """Return it whole; `b""` for none, `None` when another one was kept meanwhile. Raises: BusUnavailable."""
        found = await self._part(HEAD)
        if not found:
            return b""
        head = msgspec.json.decode(found, type=_Head)
        body = b"".join([await self._part(str(n)) for n in range(head.parts)])
        return body if sha256(body).hexdigest() == head.sha256 else None

    async def _part(self, part: str) -> bytes:
        found = await self._bus.leader_get(streams.SNAPSHOTS, last_by_subject=_subject(part))
        return b"" if found is None else found.body


def _subject(part: str) -> str:
    return subjects.snapshot(SERVICE, NAME, part)


def _read(body: bytes) -> Snapshot | None:
    try:
        return msgspec.json.decode(body, type=Snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
