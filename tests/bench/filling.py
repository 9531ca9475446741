"""Fills a ledger quickly with what was really recorded: conversations that were played once, as of other customers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from shared import ids, subjects
from shared.bus import Bus
from shared.bus.storing import submit_batch
from shared.ledger import BATCH_EVENTS_MAX, Recorded
from shared.ledger.plan import MESSAGE_ID

STORE_SECONDS = 60.0
AGENT = b"desk0000"
"""The agent of whatever is copied; neither an id nor a hash holds this word."""
_CHANGING = re.compile(rb"\b[a-z2-7]{32}\b|\+48\d{9}\b|\b\d{4}-\d\d-\d\d(?=T)|" + AGENT)


def agent(number: int) -> str:
    return f"desk{number:04d}"


@dataclass(frozen=True)
class Copy:
    """Whose a copy is. `number`: tells it from all others; `days`: it happened so long before what was played."""

    number: int
    agent: int
    days: int

    def of(self, word: bytes) -> bytes:
        """Return what stands in the place of an id, a telephone number, an agent or a date, the same one everywhere."""
        if word == AGENT:
            return agent(self.agent).encode()
        if word.startswith(b"+48"):
            return b"+48%09d" % ((int(word) * 7_919 + self.number) % 10**9)
        if len(word) < len("2026-11-30x"):
            return str(date.fromisoformat(word.decode()) - timedelta(days=self.days)).encode()
        return ids.scoped_id("copy", str(self.number), word.decode()).encode()


class Template:
    """A whole conversation as it stands in the ledger, of which copies are made. `size`: how many events."""

    def __init__(self, recorded: Sequence[Recorded]) -> None:
        self.size = len(recorded)
        self._told = [
            (_parted(each.aggregate.encode()), _parted(each.event.id.encode()), _parted(each.body))
            for each in recorded
        ]
        self._tenant = recorded[0].event.tenant
        self._words = {word for parts in self._told for part in parts for word in part[1::2]}

    def named(self, copy: Copy, kind: str) -> str:
        """Return the id of the aggregate of a kind in a copy."""
        of_kind = next(parts for parts, _, _ in self._told if parts[0] == f"{kind}-".encode())
        return copy.of(of_kind[1]).decode()

    def first_id(self, copy: Copy) -> str:
        """Return the id of the first event of a copy."""
        return copy.of(self._told[0][1][1]).decode()

    def copied(self, copy: Copy) -> Iterator[tuple[str, bytes, dict[str, str]]]:
        """Yield its messages with other ids, another customer, another agent and another day."""
        words = {word: copy.of(word) for word in self._words}
        for told in self._told:
            aggregate, event_id, body = (
                b"".join(words[part] if at % 2 else part for at, part in enumerate(parts))
                for parts in told
            )
            subject = subjects.ledger(self._tenant, aggregate.decode())
            yield subject, body, {MESSAGE_ID: event_id.decode()}


def _parted(text: bytes) -> list[bytes]:
    """Return a text in parts: what stays and what changes, in turn."""
    parts, end = [], 0
    for found in _CHANGING.finditer(text):
        parts += [text[end : found.start()], found.group()]
        end = found.end()
    return [*parts, text[end:]]


async def fill(bus: Bus, template: Template, copies: Iterator[Copy]) -> int:
    """Store a copy after another in batches as large as they may be; return how many events."""
    stored, waiting = 0, list[tuple[str, bytes, dict[str, str]]]()
    for copy in copies:
        if len(waiting) + template.size > BATCH_EVENTS_MAX:
            stored += await _store(bus, waiting)
            waiting = []
        waiting += template.copied(copy)
    return stored + (await _store(bus, waiting) if waiting else 0)


async def _store(bus: Bus, messages: Sequence[tuple[str, bytes, dict[str, str]]]) -> int:
    batch = ids.scoped_id("fill", bus.new_inbox())
    ack = await submit_batch(bus, batch, messages, STORE_SECONDS)
    if ack.error is not None:
        raise RuntimeError(ack.error.description)
    return len(messages)
