"""The player's own reading of LEDGER, by direct gets.

It uses no fold of the house, because the house is checked by it.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from deploy.story.errors import StepFailed
from shared import errors, streams, subjects
from shared.bus import Bus, gets

READ_BATCH = 256
READ_SECONDS = 20.0
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as LEDGER holds it: its open part, and the personal part where the player reads it."""

    sequence: int
    id: str
    type: str
    aggregate: str
    conversation: str | None
    open: dict[str, Any]
    personal: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredPacket:
    """A packet read back from LEDGER. `content`: its bytes as stored; `sha256`: of those bytes."""

    packet_id: str
    sequence: int
    conversation: str
    content: bytes
    claimed_sha256: str
    packet: dict[str, Any]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class _Personal(msgspec.Struct):
    packet: msgspec.Raw


class _Data(msgspec.Struct):
    personal: _Personal | None


class _Packaged(msgspec.Struct):
    data: _Data


@dataclass
class LedgerCopy:
    """All events of the tenant after the position at which the story began, in ledger order."""

    tenant: str
    begin: int = 0
    position: int = 0
    entries: list[Entry] = field(default_factory=list)
    packets: dict[str, StoredPacket] = field(default_factory=dict)

    async def begin_here(self, bus: Bus) -> None:
        """Leave out what is in the ledger already."""
        self.begin = self.position = await _last_sequence(bus)

    async def catch_up(self, bus: Bus) -> None:
        """Read everything that is in the ledger now. Raises: StepFailed (`step.ledger_unreadable`)."""
        deadline = time.monotonic() + READ_SECONDS
        while True:
            try:
                last = await _last_sequence(bus)
                await self._read_up_to(bus, last)
            except errors.TellonceError as error:
                if time.monotonic() > deadline:
                    raise StepFailed(
                        "step.ledger_unreadable", "LEDGER does not answer", got=error.code
                    ) from error
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    def of_matter(self, conversation: str, until: int) -> list[Entry]:
        """Return the events of a conversation up to a position, and those of others that went on in it."""
        mine = [
            entry
            for entry in self.entries
            if entry.conversation == conversation and entry.sequence <= until
        ]
        for entry in [each for each in mine if each.type == "conversation.merged"]:
            mine += self.of_matter(entry.open["merged"], entry.sequence)
        return sorted(mine, key=lambda entry: entry.sequence)

    def of_type(self, *types: str) -> Iterator[Entry]:
        """Yield events of some types, of all conversations."""
        return (entry for entry in self.entries if entry.type in types)

    @property
    def newest_conversation(self) -> str | None:
        """The conversation that was opened last; `None` before the first."""
        opened = [entry.conversation for entry in self.of_type("conversation.opened")]
        return opened[-1] if opened else None

    async def _read_up_to(self, bus: Bus, last: int) -> None:
        every = subjects.ledger_of(self.tenant)
        after = self.position + 1
        async for page in gets.between(bus, streams.LEDGER, every, after, last, batch=READ_BATCH):
            for message in page:
                self.take(message.sequence, message.body)
                self.position = message.sequence
        self.position = max(self.position, last)

    def take(self, sequence: int, body: bytes) -> None:
        """Keep one event as it is stored."""
        event = msgspec.json.decode(body)
        entry = Entry(
            sequence=sequence,
            id=event["id"],
            type=event["type"],
            aggregate=event["subject"],
            conversation=event.get("conversation"),
            open=event["data"]["open"],
            personal=event["data"]["personal"] or {},
        )
        self.entries.append(entry)
        if entry.type == "context.packaged" and entry.personal:
            self._take_packet(entry, body)

    def _take_packet(self, entry: Entry, body: bytes) -> None:
        personal = msgspec.json.decode(body, type=_Packaged).data.personal
        assert personal is not None, "an erased packet was filtered out before"
        packet_id = entry.open["packet_id"]
        self.packets[packet_id] = StoredPacket(
            packet_id=packet_id,
            sequence=entry.sequence,
            conversation=entry.conversation or "",
            content=bytes(personal.packet),
            claimed_sha256=entry.open["sha256"],
            packet=entry.personal["packet"],
        )


async def _last_sequence(bus: Bus) -> int:
    return int((await bus.api(f"STREAM.INFO.{streams.LEDGER}"))["state"]["last_seq"])
