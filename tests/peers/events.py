"""What goes through every store: copies of the recorded ledger, and decisions made of the same events."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec
from msgspec.structs import replace

from shared import aggregates
from shared.codec import decode
from shared.events import AnyEvent, EventId
from shared.ids import scoped_id
from tests.bench.place import copied

RECORDED = Path(__file__).parent.parent / "golden" / "ledger-0.2.jsonl"
DECISION_EVENTS = 4
KINDS = (aggregates.CONVERSATION, aggregates.CUSTOMER, aggregates.AGENT)
"""Of the aggregates of a decision: two events of the first, one of each other."""

Decision = Sequence[tuple[str, Sequence[AnyEvent]]]
"""Aggregates that nobody wrote before, each with its events; all or nothing."""


class _Line(msgspec.Struct):
    event: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Events:
    """Bodies of events as the ledger holds them, in its order; decoded piece by piece, for all would be in the way."""

    bodies: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.bodies)

    def part(self, first: int, end: int) -> list[AnyEvent]:
        """Return the events from `first` to before `end`."""
        return [decode(body) for body in self.bodies[first:end]]

    def decisions(self, first: int, end: int, scope: str) -> list[Decision]:
        """Return these events as decisions of four; those of another `scope` are other ones."""
        return [
            decision(self.part(number, number + DECISION_EVENTS), scope)
            for number in range(first, end - DECISION_EVENTS + 1, DECISION_EVENTS)
        ]

    def conversations(self, wanted: int) -> list[str]:
        """Return aggregates of conversations, spread over all events."""
        found: dict[str, None] = {}
        step = max(1, len(self.bodies) // max(1, wanted * 8))
        for body in self.bodies[::step]:
            aggregate = decode(body).aggregate
            if aggregate.startswith(f"{aggregates.CONVERSATION.prefix}-"):
                found[aggregate] = None
        return list(found)[:wanted]

    @property
    def mean_bytes(self) -> float:
        """How long an event is."""
        return sum(map(len, self.bodies)) / len(self.bodies)


def recorded() -> list[bytes]:
    """Return the bodies of the recorded ledger."""
    lines = RECORDED.read_bytes().splitlines()
    return [bytes(msgspec.json.decode(line, type=_Line).event) for line in lines]


def many(wanted: int) -> Events:
    """Return `wanted` events: the recorded ledger again and again, each time as other customers'."""
    return Events([body for body, _ in zip(_copies(recorded()), range(wanted), strict=False)])


def _copies(bodies: Sequence[bytes]) -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        for body in bodies:
            yield copied(body, number)


def decision(events: Sequence[AnyEvent], scope: str) -> Decision:
    """Return four events as one decision on three aggregates of its own, under ids of its own."""
    first, second, third = (kind.of(scoped_id("peers", scope, events[0].id)) for kind in KINDS)
    placed = [
        replace(event, aggregate=aggregate, id=EventId(scoped_id("peers", scope, event.id)))
        for event, aggregate in zip(events, (first, first, second, third), strict=True)
    ]
    return [(first, placed[:2]), (second, placed[2:3]), (third, placed[3:])]


def uuid_of(text: str) -> UUID:
    """Return an id of ours as the UUID that others want."""
    return uuid5(NAMESPACE_OID, text)
